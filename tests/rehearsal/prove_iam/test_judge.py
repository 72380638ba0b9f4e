"""Which recorded calls turn to denied without a grant: decided by the evaluator that decided them first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.prove_iam.proof import judged
from rehearsal.prove_iam.recording import Recording

ACCOUNT = "123456789012"
FILE = "arn:aws:s3:::bucket/a/file"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/limits/Boundary"
Statement = dict[str, Any]


def allow(sid: str, action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **more}


class Story:
    """One role's calls, written down by hand."""

    def __init__(self, folder: Path, *inline: Statement, boundary: list[Statement] | None = None) -> None:
        self._folder = folder
        documents: dict[str, Any] = {"own": {"Statement": list(inline)}, "nothing": None}
        force: dict[str, Any] = {
            "role": "", "inline": {"given": "own"}, "managed": {}, "boundary": {}, "session": None,
        }  # fmt: skip
        if boundary is not None:
            documents["limit"] = {"Statement": boundary}
            force["boundary"] = {BOUNDARY: "limit"}
        self.recording = Recording([], {"force": force}, documents)

    def call(self, action: str, resource: str = FILE, decision: str = "Allow", **more: Any) -> Story:
        self.recording.authorisations.append(
            {
                "role": "Worker", "principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/s", "action": action,
                "resource": resource, "context": {}, "decision": decision, "count": 1, "region": "us-east-1",
                "account": ACCOUNT, "secure": True, "principal_keys": {}, "policies": "force", "resource_policy": None,
                **more,
            }
        )  # fmt: skip
        return self

    def becomes(self, service: str, *statements: Statement) -> Story:
        """A service that becomes the role, with this trust policy."""
        self.recording.documents["trusted"] = {"Statement": list(statements)}
        self.recording.policies["trust"] = {"role": "", "trust": "trusted"}
        return self.call("sts:AssumeRole", principal=service, policies="trust")

    def judged(self) -> dict[str, Any]:
        """`needed` and `covered` by `statement action resource`, and what differs."""
        self.recording.write(self._folder)
        answer = judged(self._folder)
        return {
            kind: {f"{g['owner']} {g['statement']} {g['action']} {g['resource']}": calls for g, calls in answer[kind]}
            for kind in ("needed", "covered")
        } | {"differs": answer["differs"]}


def test_a_grant_is_needed_by_the_calls_that_only_it_allows(tmp_path: Path) -> None:
    story = Story(
        tmp_path, allow("Files", ["s3:Get*", "s3:PutObject"], ["arn:aws:s3:::bucket/a/*", "arn:aws:s3:::b/*"])
    )
    found = story.call("s3:GetObject").call("s3:PutObject").call("s3:GetObjectVersion").judged()
    assert found["needed"] == {
        "Worker Files s3:Get* arn:aws:s3:::bucket/a/*": [0, 2],
        "Worker Files s3:PutObject arn:aws:s3:::bucket/a/*": [1],
    }
    assert found["covered"] == {}
    assert found["differs"] == []


def test_a_grant_that_another_statement_covers_is_needed_by_nobody(tmp_path: Path) -> None:
    story = Story(tmp_path, allow("Files", "s3:GetObject", "arn:aws:s3:::bucket/*"), allow("All", "s3:*"))
    found = story.call("s3:GetObject").call("s3:PutObject").judged()
    assert found["needed"] == {"Worker All s3:* *": [1]}
    assert found["covered"] == {"Worker Files s3:GetObject arn:aws:s3:::bucket/*": [0], "Worker All s3:* *": [0]}


def test_a_grant_whose_condition_does_not_hold_covers_nothing(tmp_path: Path) -> None:
    tagged = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "claims"}}}
    story = Story(tmp_path, allow("Tagged", "sagemaker:*", **tagged), allow("Plain", "sagemaker:DescribeModel"))
    found = story.call("sagemaker:DescribeModel", context={"aws:resourcetag/team": "other"}).judged()
    assert found["needed"] == {"Worker Plain sagemaker:DescribeModel *": [0]}
    assert found["covered"] == {}


def test_a_call_that_a_condition_lets_through_needs_that_grant(tmp_path: Path) -> None:
    passed = {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}
    story = Story(tmp_path, allow("Give", "iam:PassRole", **passed))
    found = story.call("iam:PassRole", context={"iam:passedtoservice": "lambda.amazonaws.com"}).judged()
    assert list(found["needed"]) == ["Worker Give iam:PassRole *"]


def test_a_denied_call_needs_no_grant_and_a_denial_is_none(tmp_path: Path) -> None:
    never = {"Sid": "Never", "Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"}
    found = Story(tmp_path, allow("All", "s3:*"), never).call("s3:PutObject", decision="Deny").judged()
    assert found == {"needed": {}, "covered": {}, "differs": []}


def test_both_the_role_and_its_boundary_must_allow(tmp_path: Path) -> None:
    story = Story(tmp_path, allow("Files", "s3:GetObject"), boundary=[allow("Most", ["s3:*", "sns:*"])])
    assert story.call("s3:GetObject").judged()["needed"] == {
        "Worker Files s3:GetObject *": [0],
        "Boundary Most s3:* *": [0],
    }


def test_what_the_resource_itself_allows_needs_no_grant(tmp_path: Path) -> None:
    story = Story(tmp_path, allow("Files", "s3:GetObject"))
    role = f"arn:aws:iam::{ACCOUNT}:role/Worker"
    story.recording.documents["bucket"] = {"Statement": [allow("Let", "s3:GetObject", Principal={"AWS": role})]}
    asked = {"document": "bucket", "owner": ACCOUNT, "required": False}
    found = story.call("s3:GetObject", resource_policy=asked).judged()
    assert found["needed"] == {}
    assert found["covered"] == {"Worker Files s3:GetObject *": [0]}


def test_a_service_needs_the_trust_that_names_it(tmp_path: Path) -> None:
    services = {"Service": ["codebuild.amazonaws.com", "lambda.amazonaws.com"]}
    trust = {"Sid": "Builds", "Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"}
    found = Story(tmp_path).becomes("lambda.amazonaws.com", trust).judged()
    assert found["needed"] == {"Worker Builds sts:AssumeRole lambda.amazonaws.com": [0]}


def test_a_call_that_is_decided_otherwise_than_it_was_is_told(tmp_path: Path) -> None:
    found = Story(tmp_path, allow("Files", "s3:GetObject")).call("s3:PutObject", decision="Allow").judged()
    assert found["differs"] == [[0, "ImplicitDeny"]]


def test_a_policy_whose_grants_cannot_be_counted_is_named(tmp_path: Path) -> None:
    most = {"Sid": "Most", "Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    with pytest.raises(RuntimeError, match="Worker: given: Most allows without naming its actions"):
        Story(tmp_path, most).call("s3:GetObject").judged()
