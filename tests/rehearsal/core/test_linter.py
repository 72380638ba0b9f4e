"""Templates are held to every rule of cfn-lint that can refuse one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cfnlint.core import get_rules

from rehearsal.cloud.resources.linter import ONLY_FOR, errors_in, rules

REGION = "us-east-1"


def template(type_name: str, **properties: Any) -> str:
    return json.dumps({"Resources": {"First": {"Type": type_name, "Properties": properties}}})


def test_no_rule_on_errors_is_left_out() -> None:
    every = {name for name in get_rules([], [], ["E"], include_experimental=True).rules if name.startswith("E")}
    assert set(rules(frozenset(ONLY_FOR.values()))) == every
    assert set(rules(frozenset())) == every - set(ONLY_FOR)


@pytest.mark.parametrize("rule", ["E3025", "E3062"])
def test_databases_are_held_to_the_rules_that_are_made_for_them_alone(rule: str) -> None:
    asked = {"Engine": "mysql", "EngineVersion": "8.0.36", "AllocatedStorage": "20", "DBInstanceClass": "db.no.such"}
    assert f"({rule})" in " ".join(errors_in(template("AWS::RDS::DBInstance", **asked), REGION))


def test_a_template_is_linted_the_same_the_second_time() -> None:
    good, bad = template("AWS::S3::Bucket"), template("AWS::S3::Bucket", BucketName=["no name"])
    first = [errors_in(good, REGION), errors_in(bad, REGION)]
    assert first[0] == []
    assert len(first[1]) == 1
    assert "(E3012)" in first[1][0]
    assert [errors_in(good, REGION), errors_in(bad, REGION)] == first


def test_a_template_may_wave_a_rule_aside() -> None:
    waved = json.loads(template("AWS::S3::Bucket", BucketName=["no name"]))
    waved["Metadata"] = {"cfn-lint": {"config": {"ignore_checks": ["E3012"]}}}
    assert errors_in(json.dumps(waved), REGION) == []


def test_advice_refuses_nothing() -> None:
    unused = {**json.loads(template("AWS::S3::Bucket")), "Parameters": {"Nobodys": {"Type": "String"}}}
    assert errors_in(json.dumps(unused), REGION) == []


def test_a_file_that_is_no_template_is_refused() -> None:
    (error,) = errors_in("Resources: {", REGION)
    assert "(E0000)" in error
