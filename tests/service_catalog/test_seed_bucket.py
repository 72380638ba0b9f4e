"""The seed bucket is private and keeps what it was given: nothing in it is ever overwritten."""

import base64
import hashlib
import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from service_catalog.errors import PublishError
from service_catalog.seed_bucket import SeedBucket
from service_catalog.target import find_target

NAME = "sagemaker-mlops-catalog-123456789012-eu-west-1"


@pytest.fixture
def bucket(aws: None) -> SeedBucket:
    return SeedBucket(find_target())


@pytest.fixture
def s3(aws: None) -> Any:
    return boto3.client("s3")


@pytest.fixture
def writable(bucket: SeedBucket, s3: Any) -> SeedBucket:
    """moto reads a Deny without its condition: without the TLS-only policy it lets us write."""
    bucket.ensure()
    s3.delete_bucket_policy(Bucket=NAME)
    return bucket


def test_a_new_bucket_is_private_versioned_encrypted_and_refuses_plain_http(bucket: SeedBucket, s3: Any) -> None:
    assert bucket.ensure() is True

    assert bucket.name == NAME
    assert s3.get_bucket_location(Bucket=NAME)["LocationConstraint"] == "eu-west-1"
    assert all(s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=NAME)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    [statement] = json.loads(s3.get_bucket_policy(Bucket=NAME)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"]


def test_in_the_region_that_s3_takes_for_granted_no_constraint_is_sent(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert SeedBucket(find_target()).ensure() is True


def test_an_existing_bucket_is_mended_but_what_others_added_stays(bucket: SeedBucket, s3: Any) -> None:
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    theirs = {"Sid": "Audit", "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{NAME}"}
    s3.put_bucket_policy(Bucket=NAME, Policy=json.dumps({"Version": "2012-10-17", "Statement": [theirs]}))
    s3.put_bucket_encryption(
        Bucket=NAME,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "theirs"}}]
        },
    )

    assert bucket.ensure() is False

    statements = json.loads(s3.get_bucket_policy(Bucket=NAME)["Policy"])["Statement"]
    assert statements[0] == theirs
    assert statements[1]["Effect"] == "Deny"
    assert s3.get_bucket_versioning(Bucket=NAME)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == "theirs"


@pytest.mark.parametrize(
    ("status", "code", "operation"), [(403, "403", "head_bucket"), (409, "BucketAlreadyExists", "create_bucket")]
)
def test_a_bucket_of_somebody_else_is_never_written_to(
    bucket: SeedBucket, status: int, code: str, operation: str
) -> None:
    with Stubber(bucket._s3) as stub:
        if operation == "create_bucket":
            stub.add_client_error("head_bucket", "404", http_status_code=404)
        stub.add_client_error(operation, code, http_status_code=status)

        with pytest.raises(PublishError, match=rf"{NAME}.*another .*account.*Nothing was written"):
            bucket.ensure()
        stub.assert_no_pending_responses()


def test_an_object_is_stored_once_with_its_tags_and_checksum(writable: SeedBucket, s3: Any) -> None:
    tags = {"servicecatalog:provisioning": "true"}

    assert writable.put_once("seed/x.zip", b"content", "application/zip", tags) is True
    version = s3.head_object(Bucket=NAME, Key="seed/x.zip")["VersionId"]
    assert writable.put_once("seed/x.zip", b"content", "application/zip", tags) is False

    found = s3.head_object(Bucket=NAME, Key="seed/x.zip")
    assert found["VersionId"] == version
    assert found["ServerSideEncryption"] == "AES256"
    assert s3.get_object_tagging(Bucket=NAME, Key="seed/x.zip")["TagSet"] == [
        {"Key": "servicecatalog:provisioning", "Value": "true"}
    ]


def test_other_content_under_a_taken_key_is_refused_and_the_object_stays(writable: SeedBucket, s3: Any) -> None:
    writable.put_once("seed/x.zip", b"content", "application/zip")

    with pytest.raises(PublishError, match=r"seed/x\.zip does not hold what its name says"):
        writable.put_once("seed/x.zip", b"other content", "application/zip")

    assert s3.get_object(Bucket=NAME, Key="seed/x.zip")["Body"].read() == b"content"


def test_an_object_that_appears_while_we_upload_is_left_alone(bucket: SeedBucket) -> None:
    with Stubber(bucket._s3) as stub:
        stub.add_client_error("head_object", "404", http_status_code=404)
        stub.add_client_error("put_object", "PreconditionFailed", http_status_code=412)

        assert bucket.put_once("seed/x.zip", b"content", "application/zip") is False


def test_content_of_the_same_length_is_told_apart_by_its_checksum(bucket: SeedBucket) -> None:
    other = base64.b64encode(hashlib.sha256(b"CONTENT").digest()).decode()
    with Stubber(bucket._s3) as stub:
        stub.add_response("head_object", {"ContentLength": 7, "ChecksumSHA256": other})

        with pytest.raises(PublishError, match="somebody changed it"):
            bucket.put_once("seed/x.zip", b"content", "application/zip")


def test_templates_are_addressed_as_cloudformation_and_service_catalog_expect(bucket: SeedBucket) -> None:
    assert bucket.url("template/x.yaml") == f"https://{NAME}.s3.eu-west-1.amazonaws.com/template/x.yaml"
