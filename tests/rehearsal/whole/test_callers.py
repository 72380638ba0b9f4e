"""Callers count every answer and every failure of theirs, and say how bad it was at its worst."""

from __future__ import annotations

import json
import threading
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from rehearsal.acts.refuse import near
from rehearsal.callers import ANSWERED, Callers
from rehearsal.claims import HARMLESS
from tests.waiting import PATIENCE

ANSWER = b'{"predictions": []}'
BROKEN = ClientError({"Error": {"Code": "ModelError", "Message": "no"}}, "InvokeEndpoint")


class Endpoint:
    """Answers one call after the other as it is told to, and the last way for ever."""

    def __init__(self, *ways: bytes | Exception) -> None:
        self._ways = list(ways)
        self._lock = threading.Lock()
        self.over = threading.Event()

    def client(self, service: str) -> Endpoint:
        assert service == "sagemaker-runtime"
        return self

    def invoke_endpoint(self, Body: str, **_: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        assert json.loads(Body) == {"records": [HARMLESS]}
        with self._lock:
            way = self._ways.pop(0) if len(self._ways) > 1 else self._ways[0]
            if len(self._ways) == 1:
                self.over.set()
        if isinstance(way, Exception):
            raise way
        return {"Body": BytesIO(way)}


def heard(*ways: bytes | Exception, callers: int = 1) -> Callers:
    endpoint = Endpoint(*ways)
    with Callers(endpoint.client, "claims-prod", [HARMLESS], callers) as calls:
        endpoint.over.wait(PATIENCE)
    return calls


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (BROKEN, "ModelError"),
        (EndpointConnectionError(endpoint_url="http://nowhere"), "EndpointConnectionError"),
        (ConnectionResetError(), "ConnectionResetError"),
        (b"no JSON", "JSONDecodeError"),
    ],
)
def test_every_failure_is_counted_and_ends_no_caller(failure: bytes | Exception, name: str) -> None:
    calls = heard(ANSWER, failure, failure, ANSWER, ANSWER)
    assert calls.count()[name] == 2
    assert calls.count()[ANSWERED] >= 2
    assert set(calls.count()) == {ANSWERED, name}


def test_the_worst_is_from_the_first_failure_to_the_last() -> None:
    calls = heard(ANSWER, ANSWER, ANSWER, BROKEN, ANSWER, BROKEN, BROKEN, ANSWER, ANSWER)
    assert calls.worst() == (3, 4)


def test_nothing_is_worst_where_nothing_failed() -> None:
    assert heard(ANSWER, ANSWER).worst() == (0, 0)


@pytest.mark.parametrize(
    ("failed", "calls", "share", "is_near"),
    [(50, 100, 0.5, True), (100, 100, 0.5, False), (75, 100, 0.5, False), (10, 100, 0.1, True), (30, 100, 0.1, False)],
)
def test_a_canary_that_reaches_more_callers_than_its_share_is_noticed(
    failed: int, calls: int, share: float, *, is_near: bool
) -> None:
    assert near(failed, calls, share) == is_near
