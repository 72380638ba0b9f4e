"""Removes a bucket with everything it holds, every version of it."""

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from service_catalog.errors import PublishError, code_of
from service_catalog.target import Client

_ABSENT = {"404", "NoSuchBucket", "NotFound"}


@dataclass(frozen=True)
class Contents:
    """What a bucket holds: versions of objects, marks of deleted ones, and bytes."""

    versions: int
    markers: int
    size: int

    def __str__(self) -> str:
        marks = f" and {self.markers} delete markers" if self.markers else ""
        return f"{self.versions} object versions{marks}, {self.size / 1000:.0f} kB"


def contents(s3: Client, bucket: str, owner: str) -> Contents | None:
    """What the bucket holds; None when the account `owner` has no such bucket."""
    versions = markers = size = 0
    try:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=owner)
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, ExpectedBucketOwner=owner):
            versions += len(page.get("Versions", []))
            markers += len(page.get("DeleteMarkers", []))
            size += sum(each["Size"] for each in page.get("Versions", []))
    except ClientError as error:
        if code_of(error) in _ABSENT:
            return None
        raise
    return Contents(versions, markers, size)


def remove(s3: Client, bucket: str, owner: str, say: Callable[[str], None]) -> bool:
    """Delete every version of every object, and the bucket. Returns False when there is no such bucket.

    Raises PublishError naming an object that cannot be deleted.
    """
    if contents(s3, bucket, owner) is None:
        return False
    deleted = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, ExpectedBucketOwner=owner):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not found:
            continue
        # A page has 1000 at most, which is what one request may delete:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
        named = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True}, ExpectedBucketOwner=owner)
        for refused in answer.get("Errors", []):
            raise PublishError(
                f"s3://{bucket}/{refused['Key']} cannot be deleted. AWS says {refused['Code']}: {refused['Message']}. "
                "The bucket stays with what is left in it. Put that right, then run this again."
            )
        deleted += len(found)
        say(f"{deleted} object versions deleted from s3://{bucket}")
    s3.delete_bucket(Bucket=bucket, ExpectedBucketOwner=owner)
    return True
