"""S3 objects by their HTTPS address, as Service Catalog and CloudFormation are given templates."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from rehearsal.cloud.errors import AwsError


def s3_location(url: str) -> tuple[str, str]:
    """Bucket and key behind a virtual-hosted or path-style S3 address. Raises AwsError for any other address.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """
    parts = urlsplit(url)
    host, path = parts.netloc, unquote(parts.path).lstrip("/")
    if parts.scheme != "https" or ".amazonaws.com" not in host:
        raise AwsError("ValidationError", f"TemplateURL must be an https address of an S3 object, not {url}")
    if host.startswith(("s3.", "s3-")):
        bucket, _, key = path.partition("/")
    else:
        bucket, key = host.split(".s3", 1)[0], path
    if not bucket or not key:
        raise AwsError(
            "ValidationError", f"TemplateURL must reference a valid S3 object to which you have access: {url}"
        )
    return bucket, key
