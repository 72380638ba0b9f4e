"""Whether a model package's files are still where the package says they are."""

from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import ACCESS_DENIED

GONE = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})


def fault(s3: Any, package: dict[str, Any], *, unreadable_is_a_fault: bool = True) -> str | None:
    """A clause such as "its artefact s3://bucket/key is gone", or None when every artefact is there.

    S3 answers 403 for an object that is gone, too, when the caller may not list the bucket. A build has to read the
    artefact, so for it that is a fault; a person who only looks need not have the right.
    """
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    for url in [container["ModelDataUrl"] for container in containers if "ModelDataUrl" in container]:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in GONE:
                return f"its artefact {url} is gone"
            if code not in ACCESS_DENIED:
                raise
            if unreadable_is_a_fault:
                return f"its artefact {url} is gone, or the role of this build may not read it (s3:GetObject)"
    return None
