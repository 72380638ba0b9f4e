"""The Model Registry: groups, their versions, and approving them.

Versions are numbered per group and a number is never given out twice, whatever is deleted meanwhile. Every change of a
version is an event, and so is every edit of its metadata; only `UpdatedModelPackageFields` tells them apart.
"""

from __future__ import annotations

import copy
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.model_packages import STATE_CHANGE, VERSION_ARN, ModelPackage, ModelPackageGroup
from rehearsal.cloud.sagemaker.registry_faults import lose_artefact
from rehearsal.cloud.sagemaker.tags import Context, Tags, creating, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

UPDATES = {
    "ModelApprovalStatus": "ModelApprovalStatus",
    "ApprovalDescription": "ApprovalDescription",
    "CustomerMetadataProperties": "CustomerMetadataProperties",
    "CustomerMetadataPropertiesToRemove": "CustomerMetadataProperties",
    "InferenceSpecification": "InferenceSpecification",
    "AdditionalInferenceSpecificationsToAdd": "AdditionalInferenceSpecifications",
    "SourceUri": "sourceUri",
    "ModelLifeCycle": "ModelLifeCycle",
    "ModelCard": "ModelCard",
    "ModelPackageRegistrationType": "ModelPackageRegistrationType",
}
"""Member of UpdateModelPackage -> its name in the event's `UpdatedModelPackageFields` (AWS spells `sourceUri` so)."""

REPLACED = ("ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri", "ModelLifeCycle",
            "ModelCard", "ModelPackageRegistrationType")  # fmt: skip
NOT_KEPT = ("Tags", "ClientToken", "ModelPackageGroupName")
NOT_PLAYED = ("ModelPackageName", "SourceAlgorithmSpecification", "ValidationSpecification", "ManagedStorageType")


def _lifecycle_conditions(request: Document) -> Context:
    """The condition keys by which a policy can say who may approve, and who may move a model to which stage.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-staging-construct-set-up.html
    """
    context: Context = {}
    if "ModelApprovalStatus" in request:
        context["sagemaker:ModelApprovalStatus"] = request["ModelApprovalStatus"]
    stage = request.get("ModelLifeCycle", {})
    if stage:
        context["sagemaker:ModelLifeCycle:stage"] = stage["Stage"]
        context["sagemaker:ModelLifeCycle:stageStatus"] = stage["StageStatus"]
    for key, value in request.get("CustomerMetadataProperties", {}).items():
        context[f"sagemaker:CustomerMetadataProperties/{key}"] = value
    if request.get("CustomerMetadataPropertiesToRemove"):
        context["sagemaker:CustomerMetadataPropertiesToRemove"] = list(request["CustomerMetadataPropertiesToRemove"])
    return context


class Registry(Tags):
    """The registry's operations."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._groups: dict[str, ModelPackageGroup] = {}
        self._registry = threading.RLock()

    # ---- what callers need

    def _group_call(self, action: str, request: Document) -> list[Call]:
        arn = self._group_arn(request["ModelPackageGroupName"])
        return [Call(action, arn, self.resource_tags(arn))]

    def _package_call(self, action: str, arn: str, request: Document | None = None) -> list[Call]:
        """A version is authorised with its group's tags (it has none of its own) and its present stage."""
        found = VERSION_ARN.match(arn)
        context = _lifecycle_conditions(request or {})
        if found:
            context |= self.resource_tags(self._group_arn(found["group"]))
            with self._registry:
                group = self._groups.get(found["group"])
                package = group.versions.get(int(found["version"])) if group else None
            document = package.document if package else {}
            stage = document.get("ModelLifeCycle", {})
            if stage:
                context["sagemaker:CurrentModelLifeCycleStage"] = stage["Stage"]
                context["sagemaker:CurrentModelLifeCycleStageStatus"] = stage["StageStatus"]
            for key, value in document.get("CustomerMetadataProperties", {}).items():
                context[f"sagemaker:CurrentCustomerMetadataProperties/{key}"] = value
        return [Call(action, arn, context)]

    def _registration_call(self, request: Document) -> list[Call]:
        """Registering is authorised on the version that will come: `model-package/<group>/<next number>`."""
        name = _group_name(request.get("ModelPackageGroupName", ""))
        with self._registry:
            group = self._groups.get(name)
            version = group.last_version + 1 if group else 1
        context = _lifecycle_conditions(request) | self.resource_tags(self._group_arn(name))
        return [Call("sagemaker:CreateModelPackage", self.arn(f"model-package/{name}/{version}"), context)]

    def _versions_call(self, request: Document) -> list[Call]:
        name = _group_name(request.get("ModelPackageGroupName", "*"))
        resource = self.arn(f"model-package/{name}/*") if name != "*" else "*"
        return [Call("sagemaker:ListModelPackages", resource, self.resource_tags(self._group_arn(name)))]

    # ---- groups

    @operation(
        "CreateModelPackageGroup",
        lambda self, request: creating(
            "CreateModelPackageGroup", self._group_arn(request["ModelPackageGroupName"]), request
        ),
    )
    def create_model_package_group(self, request: Document, caller: Credentials) -> Document:
        if "ManagedConfiguration" in request:
            raise NotImplementedHere("ManagedConfiguration of a model package group")
        name = request["ModelPackageGroupName"]
        arn = self._group_arn(name)
        with self._registry:
            if name in self._groups:
                raise AwsError("ValidationException", f"Model Package Group already exists: {arn}")
            self._groups[name] = ModelPackageGroup(
                name, arn, datetime.now(UTC), _identity(caller), request.get("ModelPackageGroupDescription")
            )
            self.tags[arn] = tag_map(request.get("Tags"))
        return {"ModelPackageGroupArn": arn}

    @operation(
        "DescribeModelPackageGroup",
        lambda self, request: self._group_call("sagemaker:DescribeModelPackageGroup", request),
    )
    def describe_model_package_group(self, request: Document, caller: Credentials) -> Document:
        group = self._group(request["ModelPackageGroupName"])
        return {**group.summary(), "CreatedBy": group.created_by}

    @operation(
        "DeleteModelPackageGroup", lambda self, request: self._group_call("sagemaker:DeleteModelPackageGroup", request)
    )
    def delete_model_package_group(self, request: Document, caller: Credentials) -> Document:
        with self._registry:
            group = self._group(request["ModelPackageGroupName"])
            if group.versions:
                raise AwsError(
                    "ConflictException",
                    f"Model Package Group {group.arn} cannot be deleted because it still contains Model Packages. "
                    "Delete them first.",
                )
            del self._groups[group.name]
            self.tags.pop(group.arn, None)
        return {}

    @operation("ListModelPackageGroups", lambda _self, _request: [Call("sagemaker:ListModelPackageGroups")])
    def list_model_package_groups(self, request: Document, caller: Credentials) -> Document:
        with self._registry:
            groups, token = listing(self._groups.values(), request, order="Ascending")
        return page("ModelPackageGroupSummaryList", [group.summary() for group in groups], token)

    # ---- versions

    @operation("CreateModelPackage", lambda self, request: self._registration_call(request))
    @once("ClientToken", "ConflictException")
    def create_model_package(self, request: Document, caller: Credentials) -> Document:
        for member in NOT_PLAYED:
            if member in request:
                raise NotImplementedHere(f"CreateModelPackage with {member}")
        if request.get("CertifyForMarketplace"):
            raise NotImplementedHere("CreateModelPackage with CertifyForMarketplace")
        if "ModelPackageGroupName" not in request:
            raise AwsError("ValidationException", "ModelPackageGroupName or ModelPackageName must be provided.")
        if request.get("Tags"):
            raise AwsError(
                "ValidationException",
                "Tags cannot be provided for a versioned model package: it uses the tags of its model package group.",
            )
        now = datetime.now(UTC)
        with self._registry:
            group = self._group(request["ModelPackageGroupName"])
            group.last_version += 1
            arn = self.arn(f"model-package/{group.name}/{group.last_version}")
            document = {
                **{member: copy.deepcopy(value) for member, value in request.items() if member not in NOT_KEPT},
                "ModelPackageName": group.name,
                "ModelPackageGroupName": group.name,
                "ModelPackageVersion": group.last_version,
                "ModelPackageArn": arn,
                "CreationTime": now,
                "LastModifiedTime": now,
                "CreatedBy": _identity(caller),
                "ModelPackageStatus": "Pending",
                "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
                "CertifyForMarketplace": False,
                "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
            }
            package = group.versions[group.last_version] = ModelPackage(arn, group.name, group.last_version, document)
        self.cloud.background(f"register {package.name}", self._complete, package)
        return {"ModelPackageArn": arn}

    def _complete(self, package: ModelPackage) -> None:
        """A version without validation profiles is complete as soon as it is looked at."""
        with self._registry:
            package.document["ModelPackageStatus"] = "Completed"
            detail = package.event_detail(None)
        self.cloud.events.emit("aws.sagemaker", STATE_CHANGE, detail, [package.arn])

    @operation(
        "DescribeModelPackage",
        lambda self, request: self._package_call("sagemaker:DescribeModelPackage", request["ModelPackageName"]),
    )
    def describe_model_package(self, request: Document, caller: Credentials) -> Document:
        with self._registry:
            document = copy.deepcopy(self.model_package(request["ModelPackageName"]).document)
        if request.get("IncludedData") == "MetadataOnly":
            document.pop("ModelCard", None)
        return document

    @operation(
        "BatchDescribeModelPackage",
        lambda self, request: [
            call
            for arn in request["ModelPackageArnList"]
            for call in self._package_call("sagemaker:BatchDescribeModelPackage", arn)
        ],
    )
    def batch_describe_model_package(self, request: Document, caller: Credentials) -> Document:
        found: Document = {}
        errors: Document = {}
        with self._registry:
            for arn in request["ModelPackageArnList"]:
                try:
                    package = self.model_package(arn)
                except AwsError as error:
                    errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
                    continue
                found[arn] = {
                    member: value for member, value in package.summary().items() if member != "ModelLifeCycle"
                }
                found[arn]["InferenceSpecification"] = package.document.get(
                    "InferenceSpecification", {"Containers": []}
                )
        return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}

    @operation(
        "UpdateModelPackage",
        lambda self, request: self._package_call("sagemaker:UpdateModelPackage", request["ModelPackageArn"], request),
    )
    @once("ClientToken", "ConflictException")
    def update_model_package(self, request: Document, caller: Credentials) -> Document:
        with self._registry:
            package = self.model_package(request["ModelPackageArn"])
            document = package.document
            for member in REPLACED:
                if member in request:
                    document[member] = copy.deepcopy(request[member])
            properties: dict[str, str] = document.get("CustomerMetadataProperties", {})
            properties = {**properties, **request.get("CustomerMetadataProperties", {})}
            for name in request.get("CustomerMetadataPropertiesToRemove", []):
                properties.pop(name, None)
            if properties or "CustomerMetadataProperties" in document:
                document["CustomerMetadataProperties"] = properties
            if "AdditionalInferenceSpecificationsToAdd" in request:
                document.setdefault("AdditionalInferenceSpecifications", []).extend(
                    copy.deepcopy(request["AdditionalInferenceSpecificationsToAdd"])
                )
            document["LastModifiedTime"] = datetime.now(UTC)
            document["LastModifiedBy"] = _identity(caller)
            updated = list(dict.fromkeys(name for member, name in UPDATES.items() if member in request))
            detail = package.event_detail(updated)
        if request.get("ModelApprovalStatus") == "Approved":
            lose_artefact(self.cloud, package)
        self.cloud.events.emit("aws.sagemaker", STATE_CHANGE, detail, [package.arn])
        return {"ModelPackageArn": package.arn}

    @operation(
        "DeleteModelPackage",
        lambda self, request: self._package_call("sagemaker:DeleteModelPackage", request["ModelPackageName"]),
    )
    def delete_model_package(self, request: Document, caller: Credentials) -> Document:
        with self._registry:
            package = self.model_package(request["ModelPackageName"])
            del self._groups[package.group].versions[package.version]
        return {}

    @operation("ListModelPackages", lambda self, request: self._versions_call(request))
    def list_model_packages(self, request: Document, caller: Credentials) -> Document:
        """Only versioned packages exist here. Pages are cut before the approval filter: some come out empty."""
        wanted = request.get("ModelApprovalStatus")
        with self._registry:
            if "ModelPackageGroupName" in request:
                packages = list(self._group(request["ModelPackageGroupName"]).versions.values())
            elif request.get("ModelPackageType", "Unversioned") == "Unversioned":
                packages = []
            else:
                packages = [package for group in self._groups.values() for package in group.versions.values()]
            found, token = listing(
                packages,
                request,
                order="Ascending",
                keep=lambda package: wanted in (None, package.document["ModelApprovalStatus"]),
            )
            return page("ModelPackageSummaryList", [package.summary() for package in found], token)

    # ---- for the other rooms of SageMaker

    def model_package(self, arn: str) -> ModelPackage:
        """A version by its ARN. Raises AwsError as the API does for one that does not exist."""
        found = VERSION_ARN.match(arn)
        with self._registry:
            group = self._groups.get(found["group"]) if found else None
            package = group.versions.get(int(found["version"])) if group and found else None
        if package is None:
            raise AwsError("ValidationException", f"ModelPackage {arn} does not exist.")
        return package

    def _group(self, name_or_arn: str) -> ModelPackageGroup:
        group = self._groups.get(_group_name(name_or_arn))
        if group is None:
            raise AwsError("ValidationException", f"ModelPackageGroup {self._group_arn(name_or_arn)} does not exist.")
        return group

    def _group_arn(self, name_or_arn: str) -> str:
        return self.arn(f"model-package-group/{_group_name(name_or_arn)}")


def _group_name(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]


def _identity(caller: Credentials) -> Document:
    return {"IamIdentity": {"Arn": caller.principal_arn}}
