"""Training jobs: channels and configuration in `/opt/ml/input`, one program, `model.tar.gz` to S3.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.faults import FLAKY_STEP
from rehearsal.cloud.sagemaker.job import HOST, Job, PlatformFault, check_image, one_instance, read_message, refuse
from rehearsal.cloud.sagemaker.job_data import download_prefix, pack, upload_file
from rehearsal.cloud.service import Document

LONGEST_RUN = 86_400
"""Seconds, when a request does not say: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html"""
MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
}
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_SecondaryStatusTransition.html"""
ENDINGS = {
    "Completed": "Training job completed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "Failed": "Training job failed",
}


class TrainingJob(Job):
    """One training job."""

    kind = "training-job"
    log_group = "/aws/sagemaker/TrainingJobs"
    event = "SageMaker Training Job State Change"

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - handed on
        self.secondary_status = "Starting"
        self.transitions: list[Document] = []
        self.metrics: dict[str, Document] = {}
        super().__init__(*arguments)
        self._regexes = {
            metric["Name"]: re.compile(metric["Regex"])
            for metric in self.request["AlgorithmSpecification"].get("MetricDefinitions", [])
        }

    @staticmethod
    def image_of(request: Document) -> str:
        image: str = request["AlgorithmSpecification"]["TrainingImage"]
        return image

    @property
    def output_uri(self) -> str:
        """Where `model.tar.gz` and `output.tar.gz` go."""
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"

    def command(self) -> Sequence[str]:
        algorithm = self.request["AlgorithmSpecification"]
        return [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]

    def variables(self) -> Mapping[str, str]:
        """Only what SageMaker itself sets: `SM_*` variables come from the training toolkit, which does not run here.

        https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
        """
        return {
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": self.arn,
            **self.request.get("Environment", {}),
        }

    def instance_type(self) -> str:
        return str(self.request["ResourceConfig"]["InstanceType"])

    def longest_run(self) -> float:
        return float(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", LONGEST_RUN))

    def output_key(self) -> str | None:
        key: str | None = self.request["OutputDataConfig"].get("KmsKeyId")
        return key

    def volume_key(self) -> str | None:
        key: str | None = self.request["ResourceConfig"].get("VolumeKmsKeyId")
        return key

    def vpc(self) -> Mapping[str, Any] | None:
        vpc: Mapping[str, Any] | None = self.request.get("VpcConfig")
        return vpc

    def bring(self, s3: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        for name in ("input/config", "input/data", "model", "output/data"):
            (self.ml / name).mkdir(parents=True, exist_ok=True)
        for channel in self.request.get("InputDataConfig", []):
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            folder = self.ml / "input" / "data" / channel["ChannelName"]
            download_prefix(s3, uri, folder, self.role_arn, self.cloud.region)
        for file, content in self._configuration().items():
            text = self.containers.as_seen(self.ml, json.dumps(content))
            (self.ml / "input" / "config" / file).write_text(text, encoding="utf-8")

    def _configuration(self) -> dict[str, Any]:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html"""
        instance = self.request["ResourceConfig"]["InstanceType"]
        channels = {
            channel["ChannelName"]: {
                **{key: channel[key] for key in ("ContentType",) if key in channel},
                "TrainingInputMode": "File",
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            }
            for channel in self.request.get("InputDataConfig", [])
        }
        resources = {
            "current_host": HOST,
            "current_instance_type": instance,
            "current_group_name": "homogeneousCluster",
            "hosts": [HOST],
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": [HOST]}
            ],
            "network_interface_name": "lo",
        }
        return {
            "hyperparameters.json": self.request.get("HyperParameters", {}),
            "inputdataconfig.json": channels,
            "resourceconfig.json": resources,
        }

    def run_into_faults(self) -> None:
        """The words are SageMaker's own for a failure of its platform, which SageMaker.JOB_INTERNAL_ERROR retries.

        https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html
        """
        if self.cloud.faults.strikes(FLAKY_STEP, f"training job {self.name}"):
            raise PlatformFault("We encountered an internal error. Please try again.")

    def on_line(self, line: str) -> None:
        """Metrics are what their regular expressions capture of the log, as AWS takes them."""
        for name, regex in self._regexes.items():
            found = regex.search(line)
            if found and found.groups():
                try:
                    value = float(found.group(1))
                except ValueError:
                    continue
                self.metrics[name] = {"MetricName": name, "Value": value, "Timestamp": self.cloud.clock.now()}

    def fetch(self, s3: Any, *, succeeded: bool) -> None:  # noqa: ANN401 - boto3 is untyped
        """Artifacts of a failed program are uploaded too, as far as there are any."""
        for folder, name in (("model", "model.tar.gz"), ("output/data", "output.tar.gz")):
            found = self.ml / folder
            if not found.is_dir() or not any(found.iterdir()):
                continue
            archive = self.folder / name
            pack(found, archive)
            upload_file(s3, archive, f"{self.output_uri}/{name}", self.output_key())
            archive.unlink()

    def failure_of(self, exit_status: int) -> str:
        written = read_message(self.ml / "output" / "failure").strip()
        return f"AlgorithmError: {written}, exit code: {exit_status}"

    def enter(self, phase: str) -> None:
        if self.secondary_status == "Stopping" and phase not in ENDINGS:
            return
        now = self.cloud.clock.now()
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": phase, "StartTime": now, "StatusMessage": (MESSAGES | ENDINGS)[phase]})
        if phase in ENDINGS:
            self.transitions[-1]["EndTime"] = now
        self.secondary_status = phase
        self.modified = now

    def describe(self) -> Document:
        kept = (
            "TrainingJobName",
            "HyperParameters",
            "AlgorithmSpecification",
            "RoleArn",
            "InputDataConfig",
            "OutputDataConfig",
            "ResourceConfig",
            "VpcConfig",
            "EnableNetworkIsolation",
            "EnableInterContainerTrafficEncryption",
            "EnableManagedSpotTraining",
            "DebugHookConfig",
            "ExperimentConfig",
            "ProfilerConfig",
            "Environment",
        )
        seconds = _seconds(self.started, self.ended)
        answer = {
            **{member: self.request[member] for member in kept if member in self.request},
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary_status,
            "SecondaryStatusTransitions": [dict(transition) for transition in self.transitions],
            "StoppingCondition": self.request.get("StoppingCondition", {"MaxRuntimeInSeconds": LONGEST_RUN}),
            "ModelArtifacts": {"S3ModelArtifacts": f"{self.output_uri}/model.tar.gz"},
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "TrainingStartTime": self.started,
            "TrainingEndTime": self.ended,
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
            "FailureReason": self.failure_reason,
            "FinalMetricDataList": list(self.metrics.values()) or None,
        }
        return {member: value for member, value in answer.items() if value is not None}


def _seconds(start: datetime | None, end: datetime | None) -> int | None:
    return max(1, round((end - start).total_seconds())) if start and end else None


def check_training_request(request: Document, region: str) -> None:
    """Refuse what AWS refuses (AwsError) and what is not played (NotImplementedHere)."""
    algorithm = request.get("AlgorithmSpecification", {})
    refuse(algorithm, "AlgorithmName", "TrainingImageConfig")
    refuse(
        request,
        "CheckpointConfig",
        "DebugRuleConfigurations",
        "TensorBoardOutputConfig",
        "ProfilerRuleConfigurations",
        "EnableManagedSpotTraining",
        "RetryStrategy",
        "RemoteDebugConfig",
        "InfraCheckConfig",
        "SessionChainingConfig",
        "ServerlessJobConfig",
        "MlflowConfig",
        "ModelPackageConfig",
    )
    if "TrainingImage" not in algorithm:
        raise AwsError("ValidationException", "AlgorithmSpecification must name a TrainingImage or an AlgorithmName.")
    check_image(algorithm["TrainingImage"], region)
    if not algorithm.get("ContainerEntrypoint"):
        raise NotImplementedHere("Training with the image's own algorithm or toolkit (no ContainerEntrypoint)")
    resources = request.get("ResourceConfig", {})
    refuse(resources, "InstanceGroups", "KeepAlivePeriodInSeconds", "TrainingPlanArn", "InstancePreferences")
    if "InstanceType" not in resources or "InstanceCount" not in resources:
        raise AwsError("ValidationException", "ResourceConfig must name InstanceType and InstanceCount.")
    one_instance(resources["InstanceCount"])
    if request["OutputDataConfig"].get("CompressionType", "GZIP") != "GZIP":
        raise NotImplementedHere("OutputDataConfig.CompressionType NONE of a training job")
    for metric in algorithm.get("MetricDefinitions", []):
        try:
            re.compile(metric["Regex"])
        except re.error as problem:
            raise AwsError("ValidationException", f"Regex of metric {metric['Name']} is not valid: {problem}") from None
    names: set[str] = set()
    for channel in request.get("InputDataConfig", []):
        _check_channel(channel, algorithm["TrainingInputMode"])
        if channel["ChannelName"] in names:
            raise AwsError("ValidationException", f"Channel name {channel['ChannelName']} is not unique.")
        names.add(channel["ChannelName"])


def _check_channel(channel: Document, default_mode: str) -> None:
    name = channel["ChannelName"]
    refuse(channel, "ShuffleConfig")
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise NotImplementedHere(f"The data source of channel {name} (only S3DataSource is played)")
    if source["S3DataType"] != "S3Prefix":
        raise NotImplementedHere(f"S3DataType {source['S3DataType']} of channel {name}")
    mode = channel.get("InputMode", default_mode)
    if mode == "Pipe":
        raise NotImplementedHere(f"Input mode Pipe of channel {name}")
    if channel.get("CompressionType", "None") != "None" or channel.get("RecordWrapperType", "None") != "None":
        raise NotImplementedHere(f"CompressionType or RecordWrapperType of channel {name}")
