"""A model package whose artefact somebody deleted: the registry keeps where it lay, and never looks whether it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.faults import OBJECT_GONE
from rehearsal.cloud.sagemaker.job_data import split_s3_uri
from rehearsal.cloud.sagemaker.model_packages import ModelPackage

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


def lose_artefact(cloud: Cloud, package: ModelPackage) -> None:
    """Delete the artefact of the first package that is approved, when that fault is switched on.

    In a versioned bucket it can be brought back: deleting adds a marker, and deleting the marker restores.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/RestoringPreviousVersions.html
    """
    containers = package.document.get("InferenceSpecification", {}).get("Containers", [])
    urls = [container["ModelDataUrl"] for container in containers if "ModelDataUrl" in container]
    if urls and cloud.faults.strikes(OBJECT_GONE, urls[0]):
        bucket, key = split_s3_uri(urls[0])
        cloud.client("s3", cloud.identity.root).delete_object(Bucket=bucket, Key=key)
