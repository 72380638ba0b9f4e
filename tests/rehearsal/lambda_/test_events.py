"""EventBridge invokes functions whose policy lets it in, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rehearsal.lambda_.lambda_lab import Lab
from tests.waiting import until

SAYS = "def handler(event, context):\n    print('heard', event['detail-type'], event['detail'])\n"
SAYS_INPUT = "def handler(event, context):\n    print('given', event)\n"


def follow(lab: Lab, function: str, **target: Any) -> str:
    """A rule with the function as its target, and its ARN."""
    events, rule = lab.client("events"), lab.name("rule")
    arn = events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))["RuleArn"]
    events.put_targets(Rule=rule, Targets=[{"Id": "function", "Arn": lab.arn(function), **target}])
    return str(arn)


def let_in(lab: Lab, function: str, **conditions: str) -> None:
    lab.functions.add_permission(
        FunctionName=function,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        **conditions,
    )


def emit(lab: Lab, rule_arn: str) -> None:
    lab.cloud.events.emit(rule_arn.rpartition("/")[2], "Something", {"number": 1})


def heard(lab: Lab, function: str) -> list[str]:
    return [line for line in lab.log_of(f"/aws/lambda/{function}") if line.startswith(("heard", "given"))]


def refused(lab: Lab, function: str) -> bool:
    return any(
        (denied.action, denied.resource) == ("lambda:InvokeFunction", lab.arn(function))
        for denied in lab.cloud.identity.denials()
    )


def test_an_event_reaches_a_function_that_lets_its_rule_in(lab: Lab) -> None:
    function = lab.create(SAYS)
    rule = follow(lab, function)
    let_in(lab, function, SourceArn=rule, SourceAccount=lab.cloud.account)
    emit(lab, rule)
    assert until(lambda: heard(lab, function)) == ["heard Something {'number': 1}"]


def test_a_function_can_be_given_an_input_made_of_the_event(lab: Lab) -> None:
    function = lab.create(SAYS_INPUT)
    rule = follow(
        lab,
        function,
        InputTransformer={"InputPathsMap": {"n": "$.detail.number"}, "InputTemplate": '{"only": <n>}'},
    )
    let_in(lab, function, SourceArn=rule)
    emit(lab, rule)
    assert until(lambda: heard(lab, function)) == ["given {'only': 1}"]


@pytest.mark.parametrize(
    "conditions",
    [None, {"SourceArn": "arn:aws:events:us-east-1:123456789012:rule/another"}, {"SourceAccount": "210987654321"}],
    ids=["no policy", "another rule", "another account"],
)
def test_an_event_does_not_reach_a_function_that_keeps_its_rule_out(
    lab: Lab, conditions: dict[str, str] | None
) -> None:
    function = lab.create(SAYS)
    rule = follow(lab, function)
    if conditions is not None:
        let_in(lab, function, **conditions)
    emit(lab, rule)
    assert until(lambda: refused(lab, function))
    assert not heard(lab, function)


def test_a_permission_that_is_taken_back_keeps_events_out(lab: Lab) -> None:
    function = lab.create(SAYS)
    rule = follow(lab, function)
    let_in(lab, function, SourceArn=rule)
    assert json.loads(lab.functions.get_policy(FunctionName=function)["Policy"])["Statement"][0]["Sid"] == "events"
    lab.functions.remove_permission(FunctionName=function, StatementId="events")
    emit(lab, rule)
    assert until(lambda: refused(lab, function))
    with pytest.raises(lab.functions.exceptions.ResourceNotFoundException):
        lab.functions.get_policy(FunctionName=function)
