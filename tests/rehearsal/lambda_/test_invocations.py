"""Functions answer, fail, time out, see what AWS lets them see, and write logs."""

from __future__ import annotations

from tests.rehearsal.lambda_.lambda_lab import Lab


def test_a_function_answers_with_what_its_handler_returns(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    return {'twice': event['number'] * 2}\n")
    assert lab.invoke(name, {"number": 21}) == {"twice": 42}
