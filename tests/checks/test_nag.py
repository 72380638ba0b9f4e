"""cdk-nag is looking, and what it finds has a reason: none is missing, none is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks import nag
from checks.nag import Finding, Reason

FOUND = Finding("AwsSolutions-IAM5", "Resource::arn:<AWS::Partition>:sagemaker:*:model/*", "project/Role", "Wide")
REASON = Reason("AwsSolutions-IAM5", ("Resource::*:model/[*]",), ("project/*",), "They have no names.")
CARELESS = Path(__file__).with_name("careless.yaml")


def test_a_finding_with_a_reason_is_left_as_it_is() -> None:
    assert nag.complaints([FOUND], [REASON]) == []


@pytest.mark.parametrize(
    "reason",
    [
        Reason("AwsSolutions-IAM4", REASON.findings, REASON.where, "Another rule."),
        Reason(REASON.rule, ("Resource::[*]",), REASON.where, "Another finding."),
        Reason(REASON.rule, REASON.findings, ("account-setup/*",), "Another template."),
    ],
    ids=lambda reason: reason.because,
)
def test_a_reason_for_something_else_is_none(reason: Reason) -> None:
    said = nag.complaints([FOUND], [reason])

    assert said[0] == f"project/Role: AwsSolutions-IAM5[{FOUND.finding}] Wide"
    assert said[1].startswith("checks/nag_reasons.yaml: nothing is found any more that this is about: AwsSolutions-IAM")


def test_every_reason_is_one() -> None:
    assert [each for each in nag.reasons() if len(each.because.split()) < 8] == []


def test_cdk_nag_is_looking(tmp_path: Path) -> None:
    """Also where a grant stands under a condition, which its rules cannot read themselves."""
    conditional = tmp_path / "conditional.yaml"
    conditional.write_text(
        CARELESS.read_text(encoding="utf-8")
        .replace("Resources:\n", "Conditions: {Always: !Equals [a, a]}\nResources:\n", 1)
        .replace("NotAction:", "Action:")  # one of its rules stumbles over it, and says no more than that
        .replace("Action: s3:Get*", "Action: !If [Always, !Ref AWS::NoValue, 's3:Get*']", 1),
        encoding="utf-8",
    )

    found = {(each.rule, each.finding, each.where) for each in nag.find([conditional])}

    assert ("AwsSolutions-IAM5", "Action::s3:Get*", "conditional/NamedRole") in found
    assert ("AwsSolutions-IAM5", "Resource::*", "conditional/NamedRole") in found
    assert any(rule == "AwsSolutions-IAM4" for rule, *_ in found), "policies that AWS manages"
