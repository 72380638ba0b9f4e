"""The API of processing and training jobs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.container import Containers
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.job import Job
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.processing import ProcessingJob, check_processing_request
from rehearsal.cloud.sagemaker.tags import Context, Tags, creating, passing, tag_map
from rehearsal.cloud.sagemaker.training import TrainingJob, check_training_request
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


def _set(**keys: Any) -> Context:  # noqa: ANN401 - members of requests
    """Condition keys that have a value; `__` stands for the colon."""
    return {
        f"sagemaker:{key}": [str(item) for item in value] if isinstance(value, list) else str(value)
        for key, value in keys.items()
        if value not in (None, [], "")
    }


def _truth(value: Any) -> str | None:  # noqa: ANN401 - a member of a request
    return None if value is None else str(bool(value)).lower()


def _processing_context(request: Document) -> Context:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html"""
    cluster, network = request["ProcessingResources"]["ClusterConfig"], request.get("NetworkConfig", {})
    vpc = network.get("VpcConfig", {})
    return _set(
        InstanceTypes=[cluster["InstanceType"]] if "InstanceType" in cluster else None,
        VolumeKmsKey=cluster.get("VolumeKmsKeyId"),
        OutputKmsKey=request.get("ProcessingOutputConfig", {}).get("KmsKeyId"),
        VpcSubnets=vpc.get("Subnets"),
        VpcSecurityGroupIds=vpc.get("SecurityGroupIds"),
        NetworkIsolation=_truth(network.get("EnableNetworkIsolation")),
        InterContainerTrafficEncryption=_truth(network.get("EnableInterContainerTrafficEncryption")),
        MaxRuntimeInSeconds=request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds"),
    )


def _training_context(request: Document) -> Context:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html"""
    resources, vpc = request.get("ResourceConfig", {}), request.get("VpcConfig", {})
    return _set(
        InstanceTypes=[resources["InstanceType"]] if "InstanceType" in resources else None,
        VolumeKmsKey=resources.get("VolumeKmsKeyId"),
        OutputKmsKey=request["OutputDataConfig"].get("KmsKeyId"),
        VpcSubnets=vpc.get("Subnets"),
        VpcSecurityGroupIds=vpc.get("SecurityGroupIds"),
        NetworkIsolation=_truth(request.get("EnableNetworkIsolation")),
        InterContainerTrafficEncryption=_truth(request.get("EnableInterContainerTrafficEncryption")),
        MaxRuntimeInSeconds=request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds"),
    )


class Jobs(Tags):
    """Create, describe, list and stop jobs."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.containers = Containers(cloud)
        self._jobs: dict[str, dict[str, Job]] = {ProcessingJob.kind: {}, TrainingJob.kind: {}}
        self._jobs_lock = threading.Lock()

    # ---- shared with the other rooms of SageMaker

    def job_arn(self, kind: str, name: str) -> str:
        """SageMaker lower-cases the names of jobs in their ARNs."""
        return self.arn(f"{kind}/{name.lower()}")

    def job(self, kind: str, name: str) -> Job:
        """The job of that name. Raises AwsError in AWS's words when there is none."""
        with self._jobs_lock:
            job = self._jobs[kind].get(name)
        if job is None:
            wording = (
                f"Could not find requested job with name: {name}"
                if kind == ProcessingJob.kind
                else "Requested resource not found."
            )
            raise AwsError("ValidationException", wording)
        return job

    def _create(self, kind: type[Job], name: str, request: Document) -> Job:
        arn = self.job_arn(kind.kind, name)
        credentials = self._job_role(request["RoleArn"], arn)
        with self._jobs_lock:
            if name in self._jobs[kind.kind]:
                what = kind.kind.replace("-", " ")
                raise AwsError(
                    "ResourceInUse",
                    f"{what.capitalize()} names must be unique within an AWS account and region, and a {what} with "
                    f"this name already exists ({arn})",
                )
            job = kind(self.cloud, self.containers, credentials, arn, name, request)
            self._jobs[kind.kind][name] = job
            self.tags[arn] = tag_map(request.get("Tags"))
        self.cloud.background(f"{kind.kind} {name}", job.run)
        return job

    def _job_role(self, role_arn: str, job_arn: str) -> Credentials:
        """A session of the job's role; its trust is looked at when the job is created."""
        service = "sagemaker.amazonaws.com"
        try:
            return self.cloud.identity.assume_role(role_arn, service, "SageMaker", job_arn)
        except AwsError as problem:
            raise AwsError(
                "ValidationException",
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'{service}' to assume the role.",
            ) from problem

    def _job_call(self, action: str, kind: str, name: str) -> list[Call]:
        arn = self.job_arn(kind, name)
        return [Call(f"sagemaker:{action}", arn, self.resource_tags(arn))]

    def _listed(self, kind: str, request: Document, member: str, shown: tuple[str, ...]) -> Document:
        with self._jobs_lock:
            jobs = list(self._jobs[kind].values())
        found, token = listing(jobs, request)
        descriptions = [job.describe() for job in found]
        return page(member, [{key: job[key] for key in shown if key in job} for job in descriptions], token)

    # ---- processing

    @operation(
        "CreateProcessingJob",
        needs=lambda self, request: [
            *creating(
                "CreateProcessingJob",
                self.job_arn(ProcessingJob.kind, request["ProcessingJobName"]),
                request,
                _processing_context(request),
            ),
            passing(request["RoleArn"]),
        ],
    )
    def create_processing_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProcessingJob.html"""
        check_processing_request(request, self.cloud.region)
        return {"ProcessingJobArn": self._create(ProcessingJob, request["ProcessingJobName"], request).arn}

    @operation(
        "DescribeProcessingJob",
        needs=lambda self, request: self._job_call(
            "DescribeProcessingJob", ProcessingJob.kind, request["ProcessingJobName"]
        ),
    )
    def describe_processing_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeProcessingJob.html"""
        return self.job(ProcessingJob.kind, request["ProcessingJobName"]).describe()

    @operation(
        "StopProcessingJob",
        needs=lambda self, request: self._job_call(
            "StopProcessingJob", ProcessingJob.kind, request["ProcessingJobName"]
        ),
    )
    def stop_processing_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopProcessingJob.html"""
        self.job(ProcessingJob.kind, request["ProcessingJobName"]).stop()
        return {}

    @operation("ListProcessingJobs", needs=lambda *_: [Call("sagemaker:ListProcessingJobs")])
    def list_processing_jobs(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListProcessingJobs.html"""
        members = (
            "ProcessingJobName",
            "ProcessingJobArn",
            "CreationTime",
            "ProcessingEndTime",
            "LastModifiedTime",
            "ProcessingJobStatus",
            "FailureReason",
            "ExitMessage",
        )
        return self._listed(ProcessingJob.kind, request, "ProcessingJobSummaries", members)

    # ---- training

    @operation(
        "CreateTrainingJob",
        needs=lambda self, request: [
            *creating(
                "CreateTrainingJob",
                self.job_arn(TrainingJob.kind, request["TrainingJobName"]),
                request,
                _training_context(request),
            ),
            passing(request["RoleArn"]),
        ],
    )
    def create_training_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"""
        check_training_request(request, self.cloud.region)
        return {"TrainingJobArn": self._create(TrainingJob, request["TrainingJobName"], request).arn}

    @operation(
        "DescribeTrainingJob",
        needs=lambda self, request: self._job_call("DescribeTrainingJob", TrainingJob.kind, request["TrainingJobName"]),
    )
    def describe_training_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html"""
        return self.job(TrainingJob.kind, request["TrainingJobName"]).describe()

    @operation(
        "StopTrainingJob",
        needs=lambda self, request: self._job_call("StopTrainingJob", TrainingJob.kind, request["TrainingJobName"]),
    )
    def stop_training_job(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopTrainingJob.html"""
        self.job(TrainingJob.kind, request["TrainingJobName"]).stop()
        return {}

    @operation("ListTrainingJobs", needs=lambda *_: [Call("sagemaker:ListTrainingJobs")])
    def list_training_jobs(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTrainingJobs.html"""
        members = (
            "TrainingJobName",
            "TrainingJobArn",
            "CreationTime",
            "TrainingEndTime",
            "LastModifiedTime",
            "TrainingJobStatus",
            "SecondaryStatus",
        )
        return self._listed(TrainingJob.kind, request, "TrainingJobSummaries", members)
