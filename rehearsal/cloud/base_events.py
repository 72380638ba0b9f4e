"""Events that leave the default bus for their targets, and those that AWS services put on it.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. Targets that
ministack cannot reach are handed to the front door; those it can reach get the event only when their own policy lets
EventBridge in.

Private names of ministack 1.5.33 used here: of `eventbridge` `_invoke_target`, `_put_events`,
`_apply_input_transformer` and `_pattern_event_view`; of the policy evaluator `_resource_policy`.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import eventbridge

from rehearsal.cloud import base_topic_keys
from rehearsal.cloud.base_front_door import ask_front_door

ACCOUNT = os.environ["MINISTACK_ACCOUNT_ID"]
EVENTS = "events.amazonaws.com"
ACTIONS_OF_EVENTS = {"sns": "sns:Publish", "sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction"}

log = logging.getLogger("base")


def install() -> None:
    """Deliver to targets ministack lacks through the front door, and to its own only where their policy allows. Call it
    once, before the base serves."""
    deliver = eventbridge._invoke_target

    def deliver_if_allowed(
        target: dict[str, Any],
        event: dict[str, Any],
        rule: dict[str, Any],
        view: Any = None,  # noqa: ANN401
    ) -> None:
        arn = target.get("Arn", "")
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        view = view or eventbridge._pattern_event_view(event)
        if service in ACTIONS_OF_EVENTS and not _target_lets_events_in(service, arn, rule.get("Arn", "")):
            _hand_over("refused", target, rule, view, None)
        elif service in ("sns", "sqs"):
            deliver(target, event, rule, view)
        else:
            transformer = target.get("InputTransformer")
            payload = eventbridge._apply_input_transformer(transformer, rule, view) if transformer else None
            _hand_over("deliver", target, rule, view, payload or target.get("Input"))

    eventbridge._invoke_target = deliver_if_allowed


def _target_lets_events_in(service: str, arn: str, rule_arn: str) -> bool:
    """Whether the target's own policy lets the rule in, and that of a topic's key.

    Conditions of a topic's policy find no keys to hold: AWS says that Condition blocks in policies of SNS topics are
    not supported for EventBridge.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    context = {} if service == "sns" else {"aws:sourcearn": rule_arn, "aws:sourceaccount": ACCOUNT}
    policy = iam_evaluator._resource_policy(service, arn)
    request = iam_evaluator.EvalContext(
        principal_arn=EVENTS,  # no principal of the account: a statement for its root user does not speak of services
        principal_type="Service",
        principal_account=ACCOUNT,
        action=ACTIONS_OF_EVENTS[service],
        resource_arn=arn,
        region=get_region(),
        secure_transport=True,
        service_context=context,
    )
    found = iam_evaluator.evaluate_resource_policy(policy[0] if policy else None, request, EVENTS)
    return bool(found.decision == "Allow") and (service != "sns" or base_topic_keys.lets_service_in(arn, EVENTS))


def _hand_over(verb: str, target: dict[str, Any], rule: dict[str, Any], view: Any, payload: str | None) -> None:  # noqa: ANN401
    document = {"verb": verb, "rule": rule, "target": target, "event": view.event_with_detail(), "payload": payload}

    def send() -> None:
        try:
            ask_front_door("/_cloud/event", document)
        except (OSError, ValueError) as problem:
            log.error("event for %s was not delivered: %s", target.get("Arn"), problem)

    # On a thread: this runs on the event loop, and the front door's answer may need this process.
    threading.Thread(target=send, daemon=True).start()


def emit(question: dict[str, Any]) -> dict[str, Any]:
    """Put an event on the default bus as an AWS service does: only those may use a source that starts with `aws.`"""
    status, _headers, body = eventbridge._put_events({"Entries": [question]}, allow_aws_source=True)
    answer = json.loads(body)
    if status != 200 or answer["FailedEntryCount"]:
        return {"error": f"the bus refused the event: {answer}"}
    return {}


QUESTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"/_base/emit": emit}
