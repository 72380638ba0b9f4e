"""Buckets and objects, as S3 documents them.

https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud


@pytest.fixture(scope="module")
def s3(ask: Callable[[str], Any]) -> Any:
    return ask("s3")


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    """A new bucket, named after the test."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:30]
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def code(problem: Any) -> tuple[str, int]:
    response = problem.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def body(s3: Any, bucket: str, **what: Any) -> bytes:
    found: bytes = s3.get_object(Bucket=bucket, **what)["Body"].read()
    return found


# ---- versions: https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html


def test_every_version_of_an_object_can_be_read(s3: Any, versioned: str) -> None:
    first, second = (s3.put_object(Bucket=versioned, Key="k", Body=each)["VersionId"] for each in (b"1", b"2"))
    assert first != second
    assert body(s3, versioned, Key="k") == b"2"
    assert body(s3, versioned, Key="k", VersionId=first) == b"1"
    listed = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert [(each["VersionId"], each["IsLatest"]) for each in listed] == [(second, True), (first, False)]


def test_a_deleted_object_of_a_versioned_bucket_is_hidden_and_comes_back(s3: Any, versioned: str) -> None:
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"] is True
    with pytest.raises(ClientError) as missing:
        s3.get_object(Bucket=versioned, Key="k")
    assert code(missing) == ("NoSuchKey", 404)
    with pytest.raises(ClientError) as head:
        s3.head_object(Bucket=versioned, Key="k")
    assert code(head) == ("404", 404)
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    assert body(s3, versioned, Key="k", VersionId=version) == b"1"
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert code(refused) == ("MethodNotAllowed", 405)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker["VersionId"])
    assert body(s3, versioned, Key="k") == b"1"


def test_a_deleted_version_is_gone(s3: Any, versioned: str) -> None:
    first, second = (s3.put_object(Bucket=versioned, Key="k", Body=each)["VersionId"] for each in (b"1", b"2"))
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert body(s3, versioned, Key="k") == b"1"
    with pytest.raises(ClientError) as missing:
        s3.get_object(Bucket=versioned, Key="k", VersionId=second)
    assert code(missing) == ("NoSuchVersion", 404)
    assert [each["VersionId"] for each in s3.list_object_versions(Bucket=versioned)["Versions"]] == [first]


def test_a_suspended_bucket_overwrites_its_null_version(s3: Any, versioned: str) -> None:
    kept = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    for each in (b"2", b"3"):
        assert s3.put_object(Bucket=versioned, Key="k", Body=each).get("VersionId", "null") == "null"
    assert body(s3, versioned, Key="k") == b"3"
    found = {each["VersionId"] for each in s3.list_object_versions(Bucket=versioned)["Versions"]}
    assert found == {kept, "null"}


# ---- deleting buckets: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html


@pytest.mark.parametrize("left", ["an object", "a delete marker"])
def test_a_bucket_is_deleted_only_empty(s3: Any, versioned: str, left: str) -> None:
    version = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    if left == "a delete marker":
        s3.delete_object(Bucket=versioned, Key="k")
        s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
    with pytest.raises(ClientError) as refused:
        s3.delete_bucket(Bucket=versioned)
    assert code(refused) == ("BucketNotEmpty", 409)
    for kind in ("Versions", "DeleteMarkers"):
        for each in s3.list_object_versions(Bucket=versioned).get(kind, []):
            s3.delete_object(Bucket=versioned, Key="k", VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=versioned)
    with pytest.raises(ClientError) as missing:
        s3.list_objects_v2(Bucket=versioned)
    assert code(missing) == ("NoSuchBucket", 404)


# ---- conditional requests: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html


def test_an_object_is_written_only_if_there_is_none(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code(refused) == ("PreconditionFailed", 412)
    assert body(s3, bucket, Key="k") == b"1"


def test_an_object_is_written_only_if_it_is_the_one_that_was_read(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    assert code(refused) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as unchanged:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=s3.head_object(Bucket=bucket, Key="k")["ETag"])
    assert code(unchanged)[1] == 304


# ---- objects


def test_a_large_object_is_put_together_from_its_parts(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"""
    parts = [b"a" * 5 * 1024 * 1024, b"end"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    etags = [
        s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=part)["ETag"]
        for number, part in enumerate(parts, 1)
    ]
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="k")
    made = s3.complete_multipart_upload(
        Bucket=bucket, Key="k", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]},
    )  # fmt: skip
    digests = b"".join(hashlib.md5(part).digest() for part in parts)  # noqa: S324 - it is S3's
    assert made["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-2"'  # noqa: S324
    assert body(s3, bucket, Key="k") == b"".join(parts)


def test_an_object_has_the_digest_metadata_and_part_that_is_asked_for(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
    told = {"ContentType": "application/json", "Metadata": {"who": "me"}}
    s3.put_object(Bucket=bucket, Key="a/k.json", Body=b"0123456789", **told)
    found = s3.get_object(Bucket=bucket, Key="a/k.json", Range="bytes=2-4")
    assert (found["Body"].read(), found["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert {name: found[name] for name in told} == told
    assert found["ETag"] == f'"{hashlib.md5(b"0123456789").hexdigest()}"'  # noqa: S324 - it is S3's
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="a/k.json", Range="bytes=20-")
    assert code(refused) == ("InvalidRange", 416)


def test_an_object_that_arrives_damaged_is_refused(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html"""
    wrong = b64encode(hashlib.sha256(b"other").digest()).decode()
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=b"data", ChecksumSHA256=wrong)
    assert code(refused)[1] == 400
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="k")


def test_objects_are_listed_in_order_by_prefix_and_page_by_page(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
    for key in ("b/2", "a", "b/1", "c/d/e", "c.txt"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    assert [each["Key"] for page in pages for each in page["Contents"]] == ["a", "b/1", "b/2", "c.txt", "c/d/e"]
    folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [each["Prefix"] for each in folders["CommonPrefixes"]] == ["b/", "c/"]
    assert [each["Key"] for each in folders["Contents"]] == ["a", "c.txt"]


def test_a_copy_keeps_or_replaces_what_is_told_of_the_object(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Metadata={"who": "me"})
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="other", CopySource=source, Metadata={"who": "you"}, MetadataDirective="REPLACE")
    assert s3.head_object(Bucket=bucket, Key="same")["Metadata"] == {"who": "me"}
    assert s3.head_object(Bucket=bucket, Key="other")["Metadata"] == {"who": "you"}
    assert body(s3, bucket, Key="other") == b"1"


# ---- encryption, public access, lifecycle


def test_objects_are_encrypted_as_the_bucket_says(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html"""
    s3.put_object(Bucket=bucket, Key="plain", Body=b"1")
    assert s3.head_object(Bucket=bucket, Key="plain")["ServerSideEncryption"] == "AES256"
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket=bucket, Key="kms", Body=b"1")
    assert s3.head_object(Bucket=bucket, Key="kms")["ServerSideEncryption"] == "aws:kms"


def test_a_public_policy_is_refused_where_public_access_is_blocked(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html"""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    public = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    blocked = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocked)
    with pytest.raises(ClientError) as refused:
        s3.put_bucket_policy(Bucket=bucket, Policy=public)
    assert code(refused) == ("AccessDenied", 403)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == blocked


def test_a_policy_that_means_nothing_is_refused(s3: Any, bucket: str) -> None:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*",
                 "Condition": {"Boolean": {"aws:SecureTransport": "false"}}}  # fmt: skip
    for document in (json.dumps({"Version": "2012-10-17", "Statement": [statement]}), "{not json"):
        with pytest.raises(ClientError) as refused:
            s3.put_bucket_policy(Bucket=bucket, Policy=document)
        assert code(refused) == ("MalformedPolicy", 400)


def test_a_policy_may_demand_tls_which_every_call_here_is_taken_to_have(cloud: Cloud, s3: Any, bucket: str) -> None:
    """https://repost.aws/knowledge-center/s3-bucket-policy-for-config-rule"""

    def only(secure: str) -> None:
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*",
                "Condition": {"Bool": {"aws:SecureTransport": secure}}}  # fmt: skip
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))

    iam = cloud.client("iam", cloud.identity.root)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    arn = iam.create_role(RoleName="reads-over-tls", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    iam.put_role_policy(RoleName="reads-over-tls", PolicyName="p",
                        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [read]}))  # fmt: skip
    reader = cloud.client("s3", cloud.identity.session_of(arn, "test"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    only("false")
    assert body(reader, bucket, Key="k") == b"1"
    only("true")
    with pytest.raises(ClientError, match="explicit deny"):
        reader.get_object(Bucket=bucket, Key="k")


def test_a_lifecycle_is_read_back_as_it_was_written(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html"""
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}},
        {
            "ID": "off",
            "Status": "Disabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 9},
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules


# ---- who may


def answered(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - this cloud's own address
            return answer.status, answer.read()
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read()


def test_a_presigned_url_is_good_for_what_was_signed(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert answered(urllib.request.Request(url)) == (200, b"1")  # noqa: S310
    assert answered(urllib.request.Request(url.replace("/k?", "/other?")))[0] == 403  # noqa: S310
    assert answered(urllib.request.Request(url, method="PUT", data=b"2"))[0] == 403  # noqa: S310
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "new"})
    plain = {"Content-Type": ""}  # a type would have to be signed, too
    assert answered(urllib.request.Request(put, method="PUT", data=b"2", headers=plain))[0] == 200  # noqa: S310
    assert body(s3, bucket, Key="new") == b"2"


def test_a_presigned_url_expires(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=-10)
    status, text = answered(urllib.request.Request(url))  # noqa: S310
    assert status in (400, 403)
    assert text != b"1"


def test_nobody_reads_without_being_allowed(cloud: Cloud, s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html"""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert answered(urllib.request.Request(f"{cloud.url}/{bucket}/k"))[0] == 403  # noqa: S310


def test_a_missing_object_is_denied_to_who_may_not_list(cloud: Cloud, s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestBody"""
    iam = cloud.client("iam", cloud.identity.root)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    arn = iam.create_role(RoleName="may-not-list", AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    iam.put_role_policy(RoleName="may-not-list", PolicyName="p",
                        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [read]}))  # fmt: skip
    reader = cloud.client("s3", cloud.identity.session_of(arn, "test"))
    for call in (reader.get_object, reader.head_object):
        with pytest.raises(ClientError) as refused:
            call(Bucket=bucket, Key="nothing-here")
        assert code(refused)[1] == 403
    with pytest.raises(ClientError, match="not authorized to perform: s3:ListBucket"):
        reader.get_object(Bucket=bucket, Key="nothing-here")


def test_a_bucket_name_is_taken_once_and_has_rules(s3: Any) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
    for name in ("Capital", "under_score", "192.168.5.4", "a..b"):
        with pytest.raises(ClientError) as refused:
            s3.create_bucket(Bucket=name)
        assert code(refused) == ("InvalidBucketName", 400), name


def test_a_key_has_1024_bytes_at_most(s3: Any, bucket: str) -> None:
    key = "ä" * 512
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"

    longer = {"Bucket": bucket, "Key": key + "b"}
    for write in (
        lambda: s3.put_object(**longer, Body=b"x"),
        lambda: s3.copy_object(**longer, CopySource={"Bucket": bucket, "Key": key}),
        lambda: s3.create_multipart_upload(**longer),
    ):
        with pytest.raises(ClientError, match=r"KeyTooLongError.*Your key is too long"):
            write()
