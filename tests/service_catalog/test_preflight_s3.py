"""What launches from S3 need besides: each single thing that is broken gives its finding and its fix."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from service_catalog.preflight import Report, State, checks, run
from service_catalog.preflight.asking import Account
from service_catalog.preflight.in_s3 import USER_POLICY
from service_catalog.publish import LAUNCH_ROLE
from tests.service_catalog.test_preflight import (
    ACCOUNT,
    BUCKET,
    ROOT,
    SEED_KEY,
    STUDIO,
    answers,
    refused,
    role,
    target,
)

__all__ = ["answers"]

DAY = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
OLD, NEW = "studio/mlops-project-1.0.0.yaml", "studio/roles-made-ahead/mlops-project-1.1.0.yaml"
SHOWN = {"Key": "sagemaker:projectS3TemplatesLocation", "Value": f"s3://{BUCKET}/studio/"}
VISIBLE = {"Key": "sagemaker:studio-visibility", "Value": "true"}
READABLE = {"Key": "servicecatalog:provisioning", "Value": "true"}
MADE_AHEAD = "MLOpsProject-BuildRole"
Told = dict[tuple[str, str], Any]


@pytest.fixture
def told(answers: Told) -> Told:
    """A healthy account that is published to both ways, to S3 with roles made ahead."""
    answers["iam", "get_role"][LAUNCH_ROLE] = role("arn:l", "servicecatalog.amazonaws.com cloudformation.amazonaws.com")
    answers["iam", "get_role"][MADE_AHEAD] = role("arn:m", "codebuild.amazonaws.com")
    answers["iam", "list_attached_role_policies"]["AttachedPolicies"].append(
        {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:{USER_POLICY}"}
    )
    answers["sagemaker", "list_domains"]["Domains"][0]["DomainArn"] = "arn:domain"
    answers["sagemaker", "list_tags"] = {"Tags": [SHOWN]}
    contents = [{"Key": NEW, "LastModified": DAY}, {"Key": OLD, "LastModified": DAY - datetime.timedelta(1)}]
    answers["s3", "list_objects_v2"] = {"Contents": contents}
    answers["s3", "get_object"][NEW] = {"Body": f"{SEED_KEY} :role/sagemaker-projects/${{RolePrefix}}-BuildRole"}
    answers["s3", "get_object_tagging"][NEW] = {"TagSet": [VISIBLE, READABLE]}
    answers["s3", "get_bucket_cors"] = {
        "CORSRules": [{"ID": "SageMakerStudio", "AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]
    }
    return answers


def look() -> Report:
    return run(Account(target(), ROOT), checks(service_catalog=True, s3=True))


BROKEN: dict[str, tuple[str, Callable[[Told], Any], str, str]] = {
    "Studio does not show it": (
        "templates in S3",
        lambda told: told["s3", "get_object_tagging"].update({NEW: {"TagSet": [READABLE]}}),
        f"s3://{BUCKET}/{NEW} lacks the tag sagemaker:studio-visibility=true",
        "Key=sagemaker:studio-visibility,Value=true",
    ),
    "an archive is gone": (
        "templates in S3",
        lambda told: told["s3", "get_object"].update(
            {NEW: {"Body": f"seed/modelbuild-{'e' * 64}.zip ${{RolePrefix}}-BuildRole"}}
        ),
        f"seed/modelbuild-{'e' * 64}.zip is missing",
        "uploads it again",
    ),
    "the domain shows another place": (
        "place where Studio looks",
        lambda told: told["sagemaker", "list_tags"].update(Tags=[{**SHOWN, "Value": "s3://other/"}]),
        f"No Studio domain shows s3://{BUCKET}/studio/: d-1 shows s3://other/",
        "--domain-id ID",
    ),
    "the bucket answers no page": (
        "Studio's web page",
        lambda told: told.update({("s3", "get_bucket_cors"): refused("NoSuchCORSConfiguration")}),
        "does not answer Studio's web page",
        "make publish TARGET=s3",
    ),
    "CloudFormation cannot take the launch role": (
        "rights to launch from S3",
        lambda told: told["iam", "get_role"].update({LAUNCH_ROLE: role("arn:l", "servicecatalog.amazonaws.com")}),
        "CloudFormation may not take the launch role",
        "'make publish TARGET=s3' sets it up for S3",
    ),
    "nobody may read": (
        "rights to launch from S3",
        lambda told: told["iam", "list_attached_role_policies"]["AttachedPolicies"].pop(),
        f"{STUDIO} lacks the policy arn:aws:iam::{ACCOUNT}:{USER_POLICY}",
        "attach-role-policy",
    ),
    "a role is missing": (
        "roles made ahead",
        lambda told: told["iam", "get_role"].pop(MADE_AHEAD),
        f"1 of the 1 roles that projects take are missing: {MADE_AHEAD}",
        "--roles-ahead",
    ),
}


def test_a_healthy_account_passes(told: Told) -> None:
    report = look()
    assert [result.lines() for result in report.results if result.state is not State.HOLDS] == []
    assert {"templates in S3", "roles made ahead"} <= {each.name for each in report.results}


@pytest.mark.parametrize("broken", BROKEN)
def test_one_broken_thing_gives_its_finding_and_its_fix(told: Told, broken: str) -> None:
    check, breaks, what, fix = BROKEN[broken]
    breaks(told)

    found = {result.name: result.findings for result in look().results if result.findings}

    assert list(found) == [check]
    [finding] = found[check]
    assert what in finding.what
    assert fix in finding.fix


def test_without_any_template_there_the_rest_waits_or_is_said_once(told: Told) -> None:
    told["s3", "list_objects_v2"] = {}
    states = {each.name: each.state for each in look().results}
    assert (states["templates in S3"], states["roles made ahead"]) == (State.FOUND, State.WAITS)


def test_roles_made_ahead_are_looked_for_only_where_the_newest_template_takes_them(told: Told) -> None:
    told["s3", "list_objects_v2"]["Contents"].pop(0)
    told["s3", "get_object"][OLD] = {"Body": SEED_KEY}
    told["s3", "get_object_tagging"][OLD] = {"TagSet": [VISIBLE, READABLE]}
    told["iam", "get_role"].pop(MADE_AHEAD)
    assert look().status == 0


def test_whoever_publishes_to_service_catalog_only_is_asked_nothing_of_s3() -> None:
    both = {each.name for each in checks(service_catalog=True, s3=True)}
    assert {each.name for each in checks()} | {each.name for each in checks(service_catalog=False, s3=True)} == both
    assert "templates in S3" not in {each.name for each in checks()}
    assert "product in Service Catalog" not in {each.name for each in checks(service_catalog=False, s3=True)}
