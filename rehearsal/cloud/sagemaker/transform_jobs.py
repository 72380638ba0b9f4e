"""The API of batch transform jobs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rehearsal.cloud.container import Containers
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.job import one_instance, refuse
from rehearsal.cloud.sagemaker.job_data import DataProblem, split_s3_uri
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.models import SERVICE, Models
from rehearsal.cloud.sagemaker.tags import Context, creating, tag_map
from rehearsal.cloud.sagemaker.transform import CONCURRENT, PAYLOAD_MEGABYTES, TransformJob
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

LARGEST_IN_FLIGHT = 100
"""Megabytes: "The value of MaxPayloadInMB cannot be greater than 100 MB. If you specify the MaxConcurrentTransforms
parameter, the value of (MaxConcurrentTransforms * MaxPayloadInMB) also cannot exceed 100 MB."
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html"""
WHOLE = "$"


class TransformJobs(Models):
    """Create, describe, list and stop batch transform jobs of models."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._transform_containers = Containers(cloud)
        self._transforms: dict[str, TransformJob] = {}
        self._transforms_lock = threading.Lock()

    def transform_job(self, name: str) -> TransformJob:
        """The job of that name. Raises AwsError in AWS's words when there is none."""
        with self._transforms_lock:
            job = self._transforms.get(name)
        if job is None:
            raise AwsError("ValidationException", f"Could not find requested job with name: {name}")
        return job

    def _transform_arn(self, name: str) -> str:
        return self.arn(f"{TransformJob.kind}/{name.lower()}")

    def _transform_call(self, action: str, request: Document) -> list[Call]:
        arn = self._transform_arn(request["TransformJobName"])
        return [Call(f"sagemaker:{action}", arn, self.resource_tags(arn))]

    def _transform_creation(self, request: Document) -> list[Call]:
        """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html"""
        resources = request["TransformResources"]
        context: Context = {
            "sagemaker:ModelArn": self._model_arn(request["ModelName"]),
            "sagemaker:InstanceTypes": [resources["InstanceType"]],
        }
        if "VolumeKmsKeyId" in resources:
            context["sagemaker:VolumeKmsKey"] = resources["VolumeKmsKeyId"]
        if "KmsKeyId" in request["TransformOutput"]:
            context["sagemaker:OutputKmsKey"] = request["TransformOutput"]["KmsKeyId"]
        arn = self._transform_arn(request["TransformJobName"])
        return creating("CreateTransformJob", arn, request, context)

    @operation("CreateTransformJob", needs=lambda self, request: self._transform_creation(request))
    def create_transform_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html"""
        _check(request)
        name, model = request["TransformJobName"], self.model(request["ModelName"])
        arn = self._transform_arn(name)
        role = model.container.role_arn
        try:
            credentials = self.cloud.identity.assume_role(role, SERVICE, "SageMaker", arn)
        except AwsError as problem:
            raise AwsError(
                "ValidationException",
                f"Could not assume role {role}. Please ensure that the role exists and allows principal '{SERVICE}' to "
                "assume the role.",
            ) from problem
        with self._transforms_lock:
            if name in self._transforms:
                raise AwsError(
                    "ResourceInUse",
                    "Transform job names must be unique within an AWS account and region, and a transform job with "
                    f"this name already exists ({arn})",
                )
            job = TransformJob(self.cloud, self._transform_containers, credentials, arn, model, request)
            self._transforms[name] = job
            self.tags[arn] = tag_map(request.get("Tags"))
        self.cloud.background(f"transform job {name}", job.run)
        return {"TransformJobArn": arn}

    @operation(
        "DescribeTransformJob", needs=lambda self, request: self._transform_call("DescribeTransformJob", request)
    )
    def describe_transform_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTransformJob.html"""
        return self.transform_job(request["TransformJobName"]).describe()

    @operation("StopTransformJob", needs=lambda self, request: self._transform_call("StopTransformJob", request))
    def stop_transform_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopTransformJob.html"""
        self.transform_job(request["TransformJobName"]).stop()
        return {}

    @operation("ListTransformJobs", needs=lambda *_: [Call("sagemaker:ListTransformJobs")])
    def list_transform_jobs(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTransformJobs.html"""
        with self._transforms_lock:
            found, token = listing(self._transforms.values(), request)
        return page("TransformJobSummaries", [job.summary() for job in found], token)


def _check(request: Document) -> None:
    """Refuse what AWS refuses (AwsError) and what is not played (NotImplementedHere)."""
    refuse(request, "DataCaptureConfig")
    one_instance(request["TransformResources"]["InstanceCount"])
    refuse(request["TransformResources"], "TransformAmiVersion")
    processing = request.get("DataProcessing", {})
    for member, played in (("InputFilter", WHOLE), ("OutputFilter", WHOLE), ("JoinSource", "None")):
        if processing.get(member, played) != played:
            raise NotImplementedHere(f"DataProcessing.{member} '{processing[member]}' of a transform job")
    given = request["TransformInput"]
    if given.get("SplitType", "None") not in ("None", "Line"):
        raise NotImplementedHere(f"SplitType {given['SplitType']} of a transform job")
    source = given["DataSource"]["S3DataSource"]
    if source["S3DataType"] != "S3Prefix":
        raise NotImplementedHere(f"S3DataType {source['S3DataType']} of a transform job's input")
    for uri in (source["S3Uri"], request["TransformOutput"]["S3OutputPath"]):
        try:
            split_s3_uri(uri)
        except DataProblem as problem:
            raise AwsError("ValidationException", str(problem).removeprefix("ClientError: ")) from problem
    megabytes = int(request.get("MaxPayloadInMB", PAYLOAD_MEGABYTES))
    if megabytes * (int(request.get("MaxConcurrentTransforms", 0)) or CONCURRENT) > LARGEST_IN_FLIGHT:
        raise AwsError(
            "ValidationException",
            f"MaxConcurrentTransforms * MaxPayloadInMB must not be greater than {LARGEST_IN_FLIGHT} MB.",
        )
