"""Requests to EventBridge that AWS refuses and ministack takes: malformed events, rates that are none, rules with too
many targets or with targets whose input nobody could make, and the deletion of rules that still have some.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteRule.html
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html

Private names of ministack 1.5.33 used here: of `eventbridge` `_put_events`, `_put_targets`, `_delete_rule`,
`_rule_key`, `_targets` and `_validate_schedule_expression`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge

Document = dict[str, Any]

REQUIRED = ("Source", "DetailType", "Detail")
MOST_TARGETS = 5
"""Of a rule: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"""
RATE = re.compile(r"rate\((1 (minute|hour|day)|(?!1 )[1-9]\d* (minutes|hours|days))\)")
"""A positive number, and its unit: singular for 1, plural for all others.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html#eb-rate-expressions"""
INPUTS = ("Input", "InputPath", "InputTransformer")
PLACEHOLDER = re.compile(r"(?<!\\)<([\w.-]+)>")
OF_EVENTBRIDGE = "aws.events."


def install() -> None:
    """Refuse them. Call it once, before the base serves."""
    put, delete, aim = eventbridge._put_events, eventbridge._delete_rule, eventbridge._put_targets

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

    def put_targets(data: Document) -> Any:  # noqa: ANN401 - ministack's answer
        problem = next(filter(None, map(target_problem, data.get("Targets") or [])), None)
        return error_response_json("ValidationException", problem, 400) if problem else aim(data)

    eventbridge._put_events, eventbridge._delete_rule = put_well_formed, delete_without_targets
    eventbridge._put_targets = put_targets
    _bound_rules()


def _bound_rules() -> None:
    valid, put_targets = eventbridge._validate_schedule_expression, eventbridge._put_targets

    def valid_schedule(expression: str) -> bool:
        return bool(valid(expression)) and (not expression.startswith("rate(") or bool(RATE.fullmatch(expression)))

    def put_five(data: Document) -> Any:  # noqa: ANN401 - ministack's answer
        key = eventbridge._rule_key(data.get("Rule"), data.get("EventBusName", "default"))
        targets = [*(eventbridge._targets.get(key) or []), *(data.get("Targets") or [])]
        if len({target.get("Id") for target in targets}) > MOST_TARGETS:
            message = "The requested resource exceeds the maximum number allowed."
            return error_response_json("LimitExceededException", message, 400)
        return put_targets(data)

    eventbridge._validate_schedule_expression, eventbridge._put_targets = valid_schedule, put_five


def target_problem(target: Document) -> str | None:
    """What EventBridge says against a target's input.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    https://github.com/localstack/localstack/pull/10789 has the words of the second.
    """
    given = [name for name in INPUTS if target.get(name)]
    if len(given) > 1:
        return f"Only one of Input, InputPath, or InputTransformer must be provided for target {target.get('Id')}."
    transformer = target.get("InputTransformer") or {}
    defined = transformer.get("InputPathsMap") or {}
    for name in PLACEHOLDER.findall(str(transformer.get("InputTemplate") or "")):
        if name not in defined and not name.startswith(OF_EVENTBRIDGE):
            return f"InputTemplate for target {target.get('Id')} contains invalid placeholder {name}."
    return None


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
