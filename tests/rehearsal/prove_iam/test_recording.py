"""What a cloud keeps of every authorisation, and how an account is without a grant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AccessDenied
from rehearsal.cloud.service import Call
from tests.rehearsal.conftest import StartCloud

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Builds", "Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"},
         "Action": "sts:AssumeRole"},
    ],
}  # fmt: skip
BUCKET = "kept-and-counted"
CUT_TO = {"owner": "", "policy": "given", "statement": "Files", "action": "s3:GetObject", "resource": r".*/\*"}


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    running = start_cloud([])
    running.identity.record_authorisations()
    running.client("s3", running.identity.root).create_bucket(Bucket=BUCKET)
    return running


def worker(cloud: Cloud, name: str) -> str:
    """A role that may read and write the bucket's objects."""
    iam = cloud.client("iam", cloud.identity.root)
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    files = {"Sid": "Files", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
             "Resource": f"arn:aws:s3:::{BUCKET}/*"}  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": [files]})
    iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=document)
    return arn


def kept(cloud: Cloud, role: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found = cloud.identity.authorisations()
    return [each for each in found["authorisations"] if each["role"] == role], found


def test_an_authorisation_is_kept_once_with_all_that_decided_it(cloud: Cloud) -> None:
    credentials = cloud.identity.assume_role(worker(cloud, "Reader"), "codebuild.amazonaws.com", "s")
    s3 = cloud.client("s3", credentials)
    for _ in range(2):
        s3.put_object(Bucket=BUCKET, Key="file", Body=b"x")
    cloud.identity.require(credentials, [Call("s3:GetObject", f"arn:aws:s3:::{BUCKET}/file", {"aws:x": "y"})])
    (assumed, put, get), found = kept(cloud, "Reader")
    assert (assumed["principal"], assumed["action"]) == ("codebuild.amazonaws.com", "sts:AssumeRole")
    assert found["documents"][found["policies"][assumed["policies"]]["trust"]] == TRUST
    assert (put["action"], put["decision"], put["count"]) == ("s3:PutObject", "Allow", 2)
    assert (get["action"], get["context"]["aws:x"], get["count"]) == ("s3:GetObject", "y", 1)
    own = found["documents"][found["policies"][put["policies"]]["inline"]["given"]]
    assert own["Statement"][0]["Sid"] == "Files"


def test_a_denied_call_is_kept_too(cloud: Cloud) -> None:
    credentials = cloud.identity.assume_role(worker(cloud, "Deleter"), "codebuild.amazonaws.com", "s")
    with pytest.raises(ClientError, match="AccessDenied"):
        cloud.client("s3", credentials).delete_object(Bucket=BUCKET, Key="file")
    (_, deleted), _ = kept(cloud, "Deleter")
    assert (deleted["action"], deleted["decision"]) == ("s3:DeleteObject", "ImplicitDeny")


def test_an_account_without_a_grant_denies_that_and_nothing_else(cloud: Cloud) -> None:
    cloud.identity.withhold({**CUT_TO, "owner": "Writer"})
    credentials = cloud.identity.assume_role(worker(cloud, "Writer"), "codebuild.amazonaws.com", "s")
    s3 = cloud.client("s3", credentials)
    s3.put_object(Bucket=BUCKET, Key="file", Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=BUCKET, Key="file")
    assert "Writer" in cloud.identity.withheld_from()
    assert "Reader" not in cloud.identity.withheld_from()
    iam = cloud.client("iam", cloud.identity.root)
    document = iam.get_role_policy(RoleName="Writer", PolicyName="given")["PolicyDocument"]
    assert document["Statement"][0]["Action"] == ["s3:PutObject"], "whoever reads the policy sees it without the grant"


def test_a_role_without_its_trust_cannot_be_assumed(cloud: Cloud) -> None:
    cloud.identity.withhold(
        {"owner": "Loner", "policy": "trust", "statement": "Builds", "action": "sts:AssumeRole",
         "resource": r"codebuild\.amazonaws\.com"}
    )  # fmt: skip
    with pytest.raises(AccessDenied, match="its trust policy does not name the service"):
        cloud.identity.assume_role(worker(cloud, "Loner"), "codebuild.amazonaws.com", "s")
