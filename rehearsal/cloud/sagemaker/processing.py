"""Processing jobs: S3 to `/opt/ml/processing`, one program, and back to S3.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.job import HOST, Job, check_image, one_instance, read_message, refuse
from rehearsal.cloud.sagemaker.job_data import download_prefix, upload_folder
from rehearsal.cloud.service import Document

LOCAL_ROOT = "/opt/ml/processing"
LONGEST_RUN = 86_400
"""Seconds a job may run when its request does not say.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingStoppingCondition.html
"""

NO_MESSAGE = "See job logs for more information"


class ProcessingJob(Job):
    """One processing job."""

    kind = "processing-job"
    log_group = "/aws/sagemaker/ProcessingJobs"
    event = "SageMaker Processing Job State Change"

    exit_message = ""

    @staticmethod
    def image_of(request: Document) -> str:
        image: str = request["AppSpecification"]["ImageUri"]
        return image

    def command(self) -> Sequence[str]:
        application = self.request["AppSpecification"]
        return [*application["ContainerEntrypoint"], *application.get("ContainerArguments", [])]

    def variables(self) -> Mapping[str, str]:
        variables: dict[str, str] = self.request.get("Environment", {})
        return variables

    def instance_type(self) -> str:
        return str(self.request["ProcessingResources"]["ClusterConfig"]["InstanceType"])

    def longest_run(self) -> float:
        return float(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", LONGEST_RUN))

    def output_key(self) -> str | None:
        key: str | None = self.request.get("ProcessingOutputConfig", {}).get("KmsKeyId")
        return key

    def volume_key(self) -> str | None:
        key: str | None = self.request["ProcessingResources"]["ClusterConfig"].get("VolumeKmsKeyId")
        return key

    def vpc(self) -> Mapping[str, Any] | None:
        vpc: Mapping[str, Any] | None = self.request.get("NetworkConfig", {}).get("VpcConfig")
        return vpc

    def bring(self, s3: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        for source in self.request.get("ProcessingInputs", []):
            given = source["S3Input"]
            download_prefix(s3, given["S3Uri"], self._on_disk(given["LocalPath"]), self.role_arn, self.cloud.region)
        for output in self._outputs():
            self._on_disk(output["LocalPath"]).mkdir(parents=True, exist_ok=True)
        config = self.ml / "config"
        config.mkdir(exist_ok=True)
        (self.ml / "output").mkdir(exist_ok=True)
        job = {"ProcessingJobArn": self.arn, **{key: self.request[key] for key in self.request if key != "Tags"}}
        for name, content in (
            ("processingjobconfig.json", job),
            ("resourceconfig.json", {"current_host": HOST, "hosts": [HOST]}),
        ):
            text = self.containers.as_seen(self.ml, json.dumps(content))
            (config / name).write_text(text, encoding="utf-8")

    def fetch(self, s3: Any, *, succeeded: bool) -> None:  # noqa: ANN401 - boto3 is untyped
        self.exit_message = read_message(self.ml / "output" / "message")
        if not succeeded:
            return  # S3UploadMode EndOfJob: a job that fails uploads nothing
        for output in self._outputs():
            upload_folder(s3, self._on_disk(output["LocalPath"]), output["S3Uri"], self.output_key())

    def failure_of(self, exit_status: int) -> str:
        return f"AlgorithmError: {NO_MESSAGE}, exit code: {exit_status}"

    def describe(self) -> Document:
        kept = (
            "ProcessingInputs",
            "ProcessingOutputConfig",
            "ProcessingJobName",
            "ProcessingResources",
            "StoppingCondition",
            "AppSpecification",
            "Environment",
            "NetworkConfig",
            "RoleArn",
            "ExperimentConfig",
        )
        answer = {
            **{member: self.request[member] for member in kept if member in self.request},
            "ProcessingJobArn": self.arn,
            "ProcessingJobStatus": self.status,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "ProcessingStartTime": self.started,
            "ProcessingEndTime": self.ended,
            "FailureReason": self.failure_reason,
            "ExitMessage": self.exit_message or None,
        }
        return {member: value for member, value in answer.items() if value is not None}

    def _outputs(self) -> list[dict[str, str]]:
        return [output["S3Output"] for output in self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])]

    def _on_disk(self, local_path: str) -> Path:
        return self.ml / local_path.removeprefix("/opt/ml/")


def check_processing_request(request: Document, region: str) -> None:
    """Refuse what AWS refuses (AwsError) and what is not played (NotImplementedHere)."""
    one_instance(request["ProcessingResources"]["ClusterConfig"].get("InstanceCount", 1))
    refuse(request["ProcessingResources"]["ClusterConfig"], "InstancePreferences")
    check_image(request["AppSpecification"]["ImageUri"], region)
    if not request["AppSpecification"].get("ContainerEntrypoint"):
        raise NotImplementedHere("A processing job that runs the image's own entrypoint (no ContainerEntrypoint)")
    used: set[str] = set()
    for source in request.get("ProcessingInputs", []):
        refuse(source, "DatasetDefinition", "AppManaged")
        _check_input(source, used)
    for output in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        refuse(output, "FeatureStoreOutput", "AppManaged")
        if "S3Output" not in output:
            raise AwsError("ValidationException", f"Output {output['OutputName']} must have an S3Output.")
        if output["S3Output"]["S3UploadMode"] != "EndOfJob":
            raise NotImplementedHere("S3UploadMode Continuous of a processing job's output")
        _check_path(output["OutputName"], output["S3Output"].get("LocalPath", ""), used)


def _check_input(source: Document, used: set[str]) -> None:
    given = source.get("S3Input")
    if given is None:
        raise AwsError("ValidationException", f"Input {source['InputName']} must have an S3Input.")
    if given["S3DataType"] != "S3Prefix":
        raise NotImplementedHere("S3DataType ManifestFile of a processing job's input")
    if given.get("S3InputMode", "File") != "File":
        raise NotImplementedHere("S3InputMode Pipe of a processing job's input")
    if given.get("S3CompressionType", "None") != "None":
        raise NotImplementedHere("S3CompressionType Gzip of a processing job's input")
    _check_path(source["InputName"], given.get("LocalPath", ""), used)


def _check_path(name: str, path: str, used: set[str]) -> None:
    """LocalPath lies below /opt/ml/processing and belongs to one input or output.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingS3Input.html
    """
    if not path.startswith(f"{LOCAL_ROOT}/") or ".." in Path(path).parts:
        raise AwsError(
            "ValidationException", f"LocalPath '{path}' of {name} is not valid: it must begin with {LOCAL_ROOT}/."
        )
    if path.rstrip("/") in used:
        raise AwsError("ValidationException", f"LocalPath '{path}' of {name} is used by another input or output.")
    used.add(path.rstrip("/"))
