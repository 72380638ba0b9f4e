"""What the Model Registry keeps: groups, their versions, and the event a change of a version is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rehearsal.cloud.service import Document

STATE_CHANGE = "SageMaker Model Package State Change"
VERSION_ARN = re.compile(r"^arn:[^:]+:sagemaker:[^:]*:\d{12}:model-package/(?P<group>[^/]+)/(?P<version>\d+)$")

SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
EVENT = (
    *SUMMARY,
    "InferenceSpecification",
    "ModelPackageStatusDetails",
    "CertifyForMarketplace",
    "ApprovalDescription",
    "MetadataProperties",
    "ModelMetrics",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "AdditionalInferenceSpecifications",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "SourceUri",
    "LastModifiedTime",
)


@dataclass
class ModelPackage:
    """One version of a group. `document` is what DescribeModelPackage answers."""

    arn: str
    group: str
    version: int
    document: Document

    @property
    def name(self) -> str:
        return f"{self.group}/{self.version}"

    @property
    def created(self) -> datetime:
        moment: datetime = self.document["CreationTime"]
        return moment

    @property
    def modified(self) -> datetime:
        moment: datetime = self.document.get("LastModifiedTime", self.created)
        return moment

    def summary(self) -> Document:
        """What ListModelPackages says of it."""
        return {member: self.document[member] for member in SUMMARY if member in self.document}

    def event_detail(self, updated: list[str] | None) -> Document:
        """The detail of its state change event; `updated` names the fields an edit touched, None for a new version.

        https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html#eventbridge-model-package
        """
        detail: Document = {member: _plain(self.document[member]) for member in EVENT if member in self.document}
        detail.setdefault("CertifyForMarketplace", False)
        if updated is not None:
            detail["UpdatedModelPackageFields"] = updated
        return detail


@dataclass
class ModelPackageGroup:
    """A model and its versions; `last_version` only ever grows."""

    name: str
    arn: str
    created: datetime
    created_by: Document
    description: str | None = None
    versions: dict[int, ModelPackage] = field(default_factory=dict)
    last_version: int = 0

    @property
    def modified(self) -> datetime:
        return self.created

    def summary(self) -> Document:
        """What ListModelPackageGroups says of it."""
        return {
            "ModelPackageGroupName": self.name,
            "ModelPackageGroupArn": self.arn,
            "CreationTime": self.created,
            "ModelPackageGroupStatus": "Completed",
            **({"ModelPackageGroupDescription": self.description} if self.description else {}),
        }


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value
