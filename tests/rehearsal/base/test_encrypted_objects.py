"""Objects encrypted with a KMS key: who writes or reads them needs the key, too.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.base.conftest import person_with

ACCOUNT = "123456789012"
S3_ONLY = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
WRITE, READ = "kms:GenerateDataKey", "kms:Decrypt"
THROUGH_S3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com", "kms:CallerAccount": ACCOUNT}}
Document = dict[str, Any]
_numbers = itertools.count()


def grant(action: str | list[str], key: str = "*", **condition: Any) -> Document:
    return {
        "Effect": "Allow",
        "Action": action,
        "Resource": key,
        **({"Condition": condition} if condition else {}),
    }


def about(place: str) -> Document:
    """The condition that S3 speaks of this place."""
    return {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{place}"}}


@dataclass
class Scene:
    """A bucket, a key, and people with just the statements that they are given."""

    cloud: Cloud
    root: Any
    kms: Any
    bucket: str
    key: str

    def person(self, *statements: Document) -> Any:
        """An S3 client of a new role that may do everything in S3, and this."""
        return self.cloud.client("s3", person_with(self.cloud, S3_ONLY, *statements))

    def encrypt_by_default(self, key: str = "", *, bucket_key: bool = False) -> None:
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key or self.key}
        configuration = {
            "Rules": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": bucket_key}],
        }
        self.root.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration=configuration)

    def put(self, who: Any, name: str = "o", **more: Any) -> Any:
        return who.put_object(Bucket=self.bucket, Key=name, Body=b"1", **more)

    def get(self, who: Any, name: str = "o", **more: Any) -> Any:
        return who.get_object(Bucket=self.bucket, Key=name, **more)


@pytest.fixture(scope="module")
def apis(ask: Callable[[str], Any]) -> tuple[Any, Any]:
    return ask("s3"), ask("kms")


@pytest.fixture
def scene(cloud: Cloud, apis: tuple[Any, Any]) -> Scene:
    s3, kms = apis
    bucket = f"encrypted-{next(_numbers)}"
    s3.create_bucket(Bucket=bucket)
    return Scene(cloud, s3, kms, bucket, kms.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def kept(scene: Scene) -> Scene:
    """With an encrypted object in the bucket."""
    scene.encrypt_by_default()
    scene.put(scene.root)
    return scene


def denied(action: str, ask: Callable[[], Any]) -> str:
    """What S3 says as it denies this action."""
    with pytest.raises(ClientError) as problem:
        ask()
    answer = problem.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("AccessDenied", 403)
    message: str = answer["Error"]["Message"]
    assert f"is not authorized to perform: {action} on resource: arn:aws:kms:" in message
    return message


# ---- writing and reading


def test_who_may_write_to_the_bucket_may_not_write_with_the_key(scene: Scene) -> None:
    scene.encrypt_by_default()
    message = denied(WRITE, lambda: scene.put(scene.person(grant(READ))))
    assert scene.key in message
    assert "because no identity-based policy allows the kms:GenerateDataKey action" in message
    assert scene.cloud.identity.denials()[-1].action == WRITE
    assert scene.cloud.identity.denials()[-1].resource == scene.key
    scene.put(scene.person(grant(WRITE, scene.key)))


def test_the_key_of_a_request_is_asked_where_the_bucket_names_none(scene: Scene) -> None:
    with_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": scene.key}
    denied(WRITE, lambda: scene.put(scene.person(), **with_key))
    scene.put(scene.person(grant(WRITE, scene.key)), **with_key)
    scene.put(scene.person(), "plain")


def test_the_key_of_a_request_goes_before_the_buckets(scene: Scene) -> None:
    scene.encrypt_by_default()
    other = scene.kms.create_key()["KeyMetadata"]["Arn"]
    person = scene.person(grant(WRITE, other))
    scene.put(person, ServerSideEncryption="aws:kms", SSEKMSKeyId=other)
    scene.put(person, ServerSideEncryption="AES256")
    denied(WRITE, lambda: scene.put(person))


def test_who_may_read_the_bucket_may_not_read_with_the_key(kept: Scene) -> None:
    denied(READ, lambda: kept.get(kept.person(grant(WRITE))))
    assert kept.get(kept.person(grant(READ, kept.key)))["SSEKMSKeyId"] == kept.key


def test_every_version_is_read_with_the_key_it_was_written_with(scene: Scene) -> None:
    scene.root.put_bucket_versioning(Bucket=scene.bucket, VersioningConfiguration={"Status": "Enabled"})
    with_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": scene.key}
    old, new = scene.put(scene.root, **with_key)["VersionId"], scene.put(scene.root)["VersionId"]
    person = scene.person()
    scene.get(person)
    scene.get(person, VersionId=new)
    denied(READ, lambda: scene.get(person, VersionId=old))


def test_looking_at_an_object_needs_the_key_for_its_checksum_only(kept: Scene) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""
    person = kept.person()
    assert person.head_object(Bucket=kept.bucket, Key="o")["SSEKMSKeyId"] == kept.key
    with pytest.raises(ClientError) as problem:
        person.head_object(Bucket=kept.bucket, Key="o", ChecksumMode="ENABLED")
    assert problem.value.response["Error"]["Code"] == "403"


def test_deleting_and_listing_need_no_key(kept: Scene) -> None:
    person = kept.person()
    assert person.list_objects_v2(Bucket=kept.bucket)["KeyCount"] == 1
    person.delete_object(Bucket=kept.bucket, Key="o")


def test_a_copy_is_read_with_one_key_and_written_with_another(kept: Scene) -> None:
    other = kept.kms.create_key()["KeyMetadata"]["Arn"]

    def copy(who: Any) -> Any:
        source = {"Bucket": kept.bucket, "Key": "o"}
        return who.copy_object(
            Bucket=kept.bucket, Key="copy", CopySource=source, ServerSideEncryption="aws:kms", SSEKMSKeyId=other
        )

    denied(READ, lambda: copy(kept.person(grant(WRITE, other))))
    denied(WRITE, lambda: copy(kept.person(grant(READ, kept.key))))
    copy(kept.person(grant(WRITE, other), grant(READ, kept.key)))


def test_the_parts_of_an_upload_are_decrypted_to_be_joined(scene: Scene) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions"""
    scene.encrypt_by_default()
    place = {"Bucket": scene.bucket, "Key": "large"}
    denied(WRITE, lambda: scene.person(grant(READ)).create_multipart_upload(**place))
    writer = scene.person(grant(WRITE))
    upload = {**place, "UploadId": writer.create_multipart_upload(**place)["UploadId"]}
    denied(READ, lambda: writer.upload_part(**upload, PartNumber=1, Body=b"1"))
    both = scene.person(grant([WRITE, READ]))
    part = {"PartNumber": 1, "ETag": both.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"]}
    denied(READ, lambda: writer.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]}))
    both.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})


def test_a_presigned_address_reads_with_the_key_of_whoever_signed_it(kept: Scene) -> None:
    def fetch(who: Any) -> bytes:
        address = who.generate_presigned_url("get_object", Params={"Bucket": kept.bucket, "Key": "o"})
        with urllib.request.urlopen(address) as answer:  # noqa: S310 - this cloud's own address
            body: bytes = answer.read()
        return body

    assert fetch(kept.person(grant(READ))) == b"1"
    with pytest.raises(urllib.error.HTTPError) as problem:
        fetch(kept.person())
    assert problem.value.code == 403


# ---- what S3 tells KMS: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html


def test_the_key_knows_that_it_is_asked_through_s3(kept: Scene) -> None:
    person = kept.person(grant(READ, **THROUGH_S3, Bool={"aws:ViaAWSService": "true"}))
    kept.get(person)
    elsewhere = kept.person(grant(READ, StringEquals={"kms:ViaService": "sqs.us-east-1.amazonaws.com"}))
    denied(READ, lambda: kept.get(elsewhere))


def test_the_key_knows_the_object(kept: Scene) -> None:
    kept.get(kept.person(grant(READ, **about(f"{kept.bucket}/o"))))
    denied(READ, lambda: kept.get(kept.person(grant(READ, **about(f"{kept.bucket}/other")))))


def test_with_a_bucket_key_the_key_knows_the_bucket_only(scene: Scene) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html#bucket-key-policies"""
    scene.encrypt_by_default(bucket_key=True)
    of_the_object = scene.person(grant([WRITE, READ], **about(f"{scene.bucket}/o")))
    of_the_bucket = scene.person(grant([WRITE, READ], **about(scene.bucket)))
    denied(WRITE, lambda: scene.put(of_the_object))
    assert scene.put(of_the_bucket)["BucketKeyEnabled"] is True
    assert scene.get(of_the_bucket)["BucketKeyEnabled"] is True
    denied(READ, lambda: scene.get(of_the_object))


def test_an_object_keeps_what_its_request_said_of_the_bucket_key(scene: Scene) -> None:
    scene.encrypt_by_default(bucket_key=True)
    of_the_object = scene.person(grant([WRITE, READ], **about(f"{scene.bucket}/o")))
    scene.put(of_the_object, BucketKeyEnabled=False)
    scene.get(of_the_object)


def test_a_grant_may_name_a_key_by_its_alias(scene: Scene) -> None:
    """https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-resource-aliases"""
    alias = f"alias/{scene.bucket}"
    scene.kms.create_alias(AliasName=alias, TargetKeyId=scene.key)
    scene.encrypt_by_default(alias)
    by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}
    assert scene.put(scene.person(grant(WRITE, **by_alias)))["SSEKMSKeyId"] == scene.key
    assert scene.get(scene.person(grant(READ, scene.key)))["SSEKMSKeyId"] == scene.key
    denied(WRITE, lambda: scene.put(scene.person(grant(WRITE, f"arn:aws:kms:us-east-1:{ACCOUNT}:{alias}"))))


# ---- the key's own policy: https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html


def set_policy(scene: Scene, *statements: Document) -> None:
    administration = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                      "Action": ["kms:Put*", "kms:Describe*"], "Resource": "*"}  # fmt: skip
    document = {"Version": "2012-10-17", "Statement": [administration, *statements]}
    scene.kms.put_key_policy(KeyId=scene.key, PolicyName="default", Policy=json.dumps(document))


def test_a_key_that_does_not_let_the_account_decide_lets_nobody(kept: Scene) -> None:
    set_policy(kept)
    message = denied(READ, lambda: kept.get(kept.person(grant(READ))))
    assert "because no resource-based policy allows the kms:Decrypt action" in message


def test_a_key_may_let_the_account_decide_for_what_comes_through_s3(kept: Scene) -> None:
    account = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    set_policy(kept, {**grant([WRITE, READ], **THROUGH_S3), "Principal": account})
    kept.get(kept.person(grant(READ)))
    denied(READ, lambda: kept.get(kept.person()))


def test_a_deny_in_the_keys_policy_wins(kept: Scene) -> None:
    everybody = {"AWS": "*"}
    set_policy(
        kept,
        {**grant("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        {**grant(READ), "Effect": "Deny", "Principal": everybody},
    )
    assert "with an explicit deny" in denied(READ, lambda: kept.get(kept.person(grant(READ))))


# ---- keys that cannot be used, and AWS's own


def refused(ask: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as problem:
        ask()
    error = problem.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_key_that_does_not_exist_is_named(scene: Scene) -> None:
    gone = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
    scene.encrypt_by_default(gone)
    assert refused(lambda: scene.put(scene.root)) == ("KMS.NotFoundException", f"Key '{gone}' does not exist")
    assert "Contents" not in scene.root.list_objects_v2(Bucket=scene.bucket)


def test_a_disabled_key_is_named(kept: Scene) -> None:
    kept.kms.disable_key(KeyId=kept.key)
    assert refused(lambda: kept.get(kept.root)) == ("KMS.DisabledException", f"{kept.key} is disabled.")
    kept.kms.enable_key(KeyId=kept.key)
    kept.get(kept.root)


def test_objects_of_a_key_that_waits_for_its_deletion_cannot_be_read(kept: Scene) -> None:
    kept.kms.schedule_key_deletion(KeyId=kept.key)
    assert refused(lambda: kept.get(kept.root))[0] == "KMS.KMSInvalidStateException"


@pytest.mark.parametrize("key", [{}, {"SSEKMSKeyId": "alias/aws/s3"}], ids=["unnamed", "by its alias"])
def test_the_key_that_aws_keeps_for_s3_lets_the_account_in(scene: Scene, key: Document) -> None:
    """https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk"""
    person = scene.person()
    scene.put(person, ServerSideEncryption="aws:kms", **key)
    assert scene.get(person)["ServerSideEncryption"] == "aws:kms"


def test_an_encryption_context_of_ones_own_is_refused_by_name(scene: Scene) -> None:
    answer = refused(
        lambda: scene.put(
            scene.root, ServerSideEncryption="aws:kms", SSEKMSKeyId=scene.key, SSEKMSEncryptionContext="e30="
        )
    )
    assert answer[0] == "NotImplemented"
    assert "x-amz-server-side-encryption-context" in answer[1]
