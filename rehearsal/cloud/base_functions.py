"""Functions of the front door's Lambda, as ministack must know them: their policies, and custom resources behind them.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`.

Private names of ministack 1.5.33 used here: `iam_evaluator._resource_policy`, `provisioners._custom_resource_create`
and `provisioners._custom_resource_update`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.services.cloudformation import provisioners

from rehearsal.cloud.base_front_door import provide

Properties = dict[str, Any]

CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"

_policies: dict[str, Properties] = {}
"""Resource policies by the ARN of their function."""


def install() -> None:
    """Take Lambda and custom resources away from ministack. Call it once, before the base serves."""
    _evaluate_our_policies()
    _hand_custom_resources_over()


def resource_policy(question: Properties) -> Properties:
    """Remember a function's resource policy; forget it when there is none."""
    if question["policy"] is None:
        _policies.pop(question["arn"], None)
    else:
        _policies[question["arn"]] = question["policy"]
    return {}


QUESTIONS: dict[str, Callable[[Properties], Properties]] = {"/_base/resource_policy": resource_policy}


def _evaluate_our_policies() -> None:
    found = iam_evaluator._resource_policy

    def with_ours(service: str, resource_arn: str) -> Any:  # noqa: ANN401 - ministack's signature
        if service != "lambda":
            return found(service, resource_arn)
        policy = _policies.get(resource_arn)
        return None if policy is None else (policy, os.environ["MINISTACK_ACCOUNT_ID"])

    iam_evaluator._resource_policy = with_ours


def _hand_custom_resources_over() -> None:
    """`Custom::...` types have no handlers of their own in ministack: they come here by their name."""

    def create(
        logical_id: str, props: Properties, stack_name: str, resource_type: str = CUSTOM_RESOURCE
    ) -> tuple[str, Properties]:
        made = provide("create", resource_type, logical_id=logical_id, properties=props, stack_name=stack_name)
        return made["physical_id"], made["attributes"]

    def update(
        physical_id: str,
        old: Properties,
        new: Properties,
        stack_name: str,
        logical_id: str | None = None,
        resource_type: str = CUSTOM_RESOURCE,
    ) -> tuple[str, Properties]:
        made = provide("update", resource_type, logical_id=logical_id, properties=new, previous_properties=old,
                       physical_id=physical_id, stack_name=stack_name)  # fmt: skip
        return made["physical_id"], made["attributes"]

    provisioners._custom_resource_create = create
    provisioners._custom_resource_update = update
