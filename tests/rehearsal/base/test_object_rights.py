"""Who may write, tag, open and delete objects: the rights S3 asks for besides the plain ones.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.base.conftest import Stacks, person_with, resource

Who = Callable[..., Any]
Document = dict[str, Any]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def s3(ask: Callable[[str], Any]) -> Any:
    return ask("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"rights-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture
def who(cloud: Cloud) -> Who:
    """`who("s3:PutObject", ...)`: a client of somebody who may do just these things, with anything."""

    def person(*actions: str, on: str = "*") -> Any:
        return cloud.client("s3", person_with(cloud, {"Effect": "Allow", "Action": list(actions), "Resource": on}))

    return person


def denied(action: str, ask: Callable[[], Any]) -> None:
    with pytest.raises(ClientError, match=f"not authorized to perform: {action}") as problem:
        ask()
    assert problem.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def refused(code: str, status: int, ask: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as problem:
        ask()
    answer = problem.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    return str(answer["Error"]["Message"])


# ---- written with the object: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html


def test_who_writes_an_object_with_tags_must_be_allowed_to_tag_it(s3: Any, bucket: str, who: Who) -> None:
    writer, tagger = who("s3:PutObject"), who("s3:PutObject", "s3:PutObjectTagging")
    target = {"Bucket": bucket, "Key": "k", "Tagging": "team=fraud"}
    denied("s3:PutObjectTagging", lambda: writer.put_object(**target))
    denied("s3:PutObjectTagging", lambda: writer.create_multipart_upload(**target))
    tagger.put_object(**target)
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "team", "Value": "fraud"}]
    writer.put_object(Bucket=bucket, Key="plain")


def test_who_writes_an_object_with_an_acl_must_be_allowed_to_set_it(bucket: str, who: Who) -> None:
    writer, opener = who("s3:PutObject"), who("s3:PutObject", "s3:PutObjectAcl")
    denied("s3:PutObjectAcl", lambda: writer.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control"))
    opener.put_object(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")


def test_a_bucket_takes_no_acl_but_its_owners_unless_it_is_told_to(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html"""
    code = ("AccessControlListNotSupported", 400)
    refused(*code, lambda: s3.put_object(Bucket=bucket, Key="k", ACL="public-read"))
    s3.put_object(Bucket=bucket, Key="k")
    refused(*code, lambda: s3.put_object_acl(Bucket=bucket, Key="k", ACL="private"))
    refused(*code, lambda: s3.put_bucket_acl(Bucket=bucket, ACL="private"))


def test_a_copy_takes_its_tags_along_and_needs_the_rights_to(s3: Any, bucket: str, who: Who) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html#object-tagging-managing"""
    s3.put_object(Bucket=bucket, Key="k", Tagging="team=fraud")
    s3.put_object(Bucket=bucket, Key="plain")
    both = ("s3:PutObject", "s3:GetObject")
    copier, reader = who(*both), who(*both, "s3:GetObjectTagging")
    target = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k"}
    denied("s3:GetObjectTagging", lambda: copier.copy_object(**target))
    denied("s3:PutObjectTagging", lambda: reader.copy_object(**target))
    copier.copy_object(**target, TaggingDirective="REPLACE", Tagging="")
    copier.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/plain")
    who(*both, "s3:*ObjectTagging").copy_object(**target)


# ---- versions: https://docs.aws.amazon.com/AmazonS3/latest/userguide/security_iam_service-with-iam.html


def test_a_version_is_read_and_deleted_by_rights_of_their_own(s3: Any, versioned: str, who: Who) -> None:
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    plain = who("s3:GetObject", "s3:DeleteObject", "s3:PutObject")
    named = {"Bucket": versioned, "Key": "k", "VersionId": version}
    denied("s3:GetObjectVersion", lambda: plain.get_object(**named))
    denied("s3:DeleteObjectVersion", lambda: plain.delete_object(**named))
    versions = who("s3:GetObjectVersion", "s3:DeleteObjectVersion")
    denied("s3:GetObject", lambda: versions.get_object(Bucket=versioned, Key="k"))
    assert versions.get_object(**named)["Body"].read() == b"1"
    plain.delete_object(Bucket=versioned, Key="k")
    versions.delete_object(**named)


# ---- many at once: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


def delete(client: Any, bucket: str, *objects: Document, quiet: bool = False) -> Document:
    found: Document = client.delete_objects(Bucket=bucket, Delete={"Objects": list(objects), "Quiet": quiet})
    return found


def left(s3: Any, bucket: str) -> list[str]:
    return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.parametrize("quiet", [False, True])
def test_of_many_keys_those_that_are_denied_stay_and_are_named(
    cloud: Cloud, s3: Any, bucket: str, who: Who, quiet: bool
) -> None:
    for key in ("mine/a", "theirs/b & <c>", "mine/d"):
        s3.put_object(Bucket=bucket, Key=key)
    person = who("s3:DeleteObject", on=f"arn:aws:s3:::{bucket}/mine/*")
    asked = [{"Key": key} for key in ("theirs/b & <c>", "mine/a", "mine/d")]
    answer = delete(person, bucket, *asked, quiet=quiet)
    [error] = answer["Errors"]
    assert (error["Key"], error["Code"]) == ("theirs/b & <c>", "AccessDenied")
    assert f's3:DeleteObject on resource: "arn:aws:s3:::{bucket}/theirs/b & <c>" because' in error["Message"]
    assert [each["Key"] for each in answer.get("Deleted", [])] == ([] if quiet else ["mine/a", "mine/d"])
    assert left(s3, bucket) == ["theirs/b & <c>"]
    assert [each.action for each in cloud.identity.denials() if f"{bucket}/theirs/" in each.resource] == [
        "s3:DeleteObject"
    ]


def test_who_may_delete_none_of_many_keys_hears_so_of_each(s3: Any, bucket: str, who: Who) -> None:
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key)
    answer = delete(who("s3:GetObject"), bucket, {"Key": "a"}, {"Key": "b"})
    assert [each["Key"] for each in answer["Errors"]] == ["a", "b"]
    assert "Deleted" not in answer
    assert left(s3, bucket) == ["a", "b"]


def test_a_version_among_many_keys_needs_the_right_on_versions(s3: Any, versioned: str, who: Who) -> None:
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    answer = delete(who("s3:DeleteObject"), versioned, {"Key": "k", "VersionId": version}, {"Key": "other"})
    [error] = answer["Errors"]
    assert (error["Key"], error["VersionId"]) == ("k", version)
    assert "s3:DeleteObjectVersion" in error["Message"]
    [done] = answer["Deleted"]
    assert (done["Key"], done["DeleteMarker"]) == ("other", True)
    answer = delete(who("s3:DeleteObjectVersion"), versioned, {"Key": "k", "VersionId": version}, {"Key": "other"})
    assert [each["Key"] for each in answer["Errors"]] == ["other"]
    assert [each["Key"] for each in answer["Deleted"]] == ["k"]


def test_keys_that_nobody_knows_the_owner_of_are_refused_as_a_whole(cloud: Cloud, bucket: str) -> None:
    stranger = cloud.client("s3", replace(cloud.identity.root, access_key_id="AKIANOBODYKNOWSTHIS0"))
    with pytest.raises(ClientError) as problem:
        delete(stranger, bucket, {"Key": "a"})
    assert problem.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


# ---- two layers of encryption


def test_two_layers_of_encryption_are_refused_by_name(s3: Any, bucket: str, stacks: Stacks) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms:dsse"}}
    for ask in (
        lambda: s3.put_object(Bucket=bucket, Key="k", ServerSideEncryption="aws:kms:dsse"),
        lambda: s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}),
    ):
        assert "aws:kms:dsse" in refused("NotImplemented", 501, ask)
    configuration = {
        "ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": rule["ApplyServerSideEncryptionByDefault"]}
        ]
    }
    body = {"Resources": {"Bucket": resource("AWS::S3::Bucket", BucketEncryption=configuration)}}
    assert stacks.create("encrypted-twice", body) == "ROLLBACK_COMPLETE"
    assert "aws:kms:dsse is not implemented" in stacks.reason("encrypted-twice", "CREATE_FAILED")


# ---- policies of buckets


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        ("s3:GetObject", [""]),
        (["s3:ListBucket", "s3:GetObject"], [""]),
        ("s3:ListBucket", ["/*"]),
        ("s3:PutEncryptionConfiguration", ["/reports/*"]),
        ("s3:AbortMultipartUpload", [""]),
    ],
)
def test_a_bucket_policy_whose_action_fits_no_resource_is_refused(
    s3: Any, bucket: str, action: Any, resources: list[str], stacks: Stacks
) -> None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html"""
    policy = deny(action, bucket, resources)
    message = refused("MalformedPolicy", 400, lambda: s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy)))
    assert message == "Action does not apply to any resource(s) in statement"


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        ("s3:GetObject", ["/*"]),
        (["s3:ListBucket", "s3:GetObject"], ["", "/*"]),
        ("s3:*", [""]),
        ("s3:Get*", ["/*"]),
        ("s3:GetObject", ["*"]),
        ("s3:ListBucket", ["*"]),
    ],
)
def test_a_bucket_policy_whose_actions_all_fit_a_resource_is_taken(
    s3: Any, bucket: str, action: Any, resources: list[str]
) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(deny(action, bucket, resources)))


def deny(action: Any, bucket: str, resources: list[str]) -> Document:
    own = [f"arn:aws:s3:::{bucket}{each}" for each in resources]
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": own, "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_every_action_on_objects_and_on_buckets_is_known_as_such(s3: Any, bucket: str) -> None:
    """AWS's list of S3's actions, as cfn-lint bundles it. Those on neither, and on both, are not held to anything."""
    taken = []
    for name, listed in _actions_of_s3().items():
        on = set(listed.get("Resources", []))
        if "object" in on:
            own, wrong = "/*", ""
        elif "bucket" in on and re.search("bucket|configuration$", name):  # those that act on tags say nothing
            own, wrong = "", "/*"
        else:
            continue
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(deny(f"s3:{name}", bucket, [own])))
        try:
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(deny(f"s3:{name}", bucket, [wrong])))
        except ClientError:
            continue
        taken.append(name)
    assert taken == []


def _actions_of_s3() -> Document:
    found: Document = load_resource(AdditionalSpecs, "Policies.json")["s3"]["Actions"]
    assert len(found) > 100
    return found
