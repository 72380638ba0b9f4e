"""Requests to EventBridge that AWS refuses and ministack takes: malformed events, and rules that still have targets.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html

Private names of ministack 1.5.33 used here: of `eventbridge` `_put_events`, `_delete_rule`, `_rule_key` and `_targets`.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge

Document = dict[str, Any]

REQUIRED = ("Source", "DetailType", "Detail")


def install() -> None:
    """Refuse them. Call it once, before the base serves."""
    put, delete = eventbridge._put_events, eventbridge._delete_rule

    def put_well_formed(data: Document, allow_aws_source: bool = False) -> Any:  # noqa: ANN401 - ministack's answer
        entries: list[Document] = data.get("Entries") or []
        problems = [_problem(entry) for entry in entries]
        if not any(problems):
            return put(data, allow_aws_source)
        good = [entry for entry, problem in zip(entries, problems, strict=True) if problem is None]
        answered: Document = {"FailedEntryCount": 0, "Entries": []}
        if good:
            status, _headers, body = answer = put({**data, "Entries": good}, allow_aws_source)
            if status != 200:
                return answer
            answered = json.loads(body)
        taken = iter(answered["Entries"])
        told = [problem or next(taken) for problem in problems]
        failed = answered["FailedEntryCount"] + len(entries) - len(good)
        return json_response({"FailedEntryCount": failed, "Entries": told})

    def delete_without_targets(data: Document) -> Any:  # noqa: ANN401 - ministack's answer
        key = eventbridge._rule_key(data.get("Name"), data.get("EventBusName", "default"))
        if eventbridge._targets.get(key):
            return error_response_json("ValidationException", "Rule can't be deleted since it has targets.", 400)
        return delete(data)

    eventbridge._put_events, eventbridge._delete_rule = put_well_formed, delete_without_targets


def _problem(entry: Document) -> Document | None:
    for name in REQUIRED:
        if not entry.get(name):
            why = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": why}
    try:
        whole = isinstance(json.loads(entry["Detail"]), dict)
    except ValueError:
        whole = False
    return None if whole else {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
