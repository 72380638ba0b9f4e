"""Small files in S3, by their `s3://` addresses."""

from typing import Any


def place(url: str) -> tuple[str, str]:
    """Bucket and key of an address; raise ValueError for anything else."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket or not key:
        raise ValueError(f"not the address of an object in S3: {url!r}")
    return bucket, key


def read(s3: Any, url: str) -> bytes:
    """What an object holds; ClientError where S3 does not give it."""
    bucket, key = place(url)
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content
