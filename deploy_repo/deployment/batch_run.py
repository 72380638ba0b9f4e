"""Running a stage of mode batch over files of one's own, and reading what it published."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from deployment import s3_files
from deployment.errors import RefusedError

INPUT = "Input"
CHECKING_STEP = "CheckAndPublish"
RUNNING = frozenset({"Executing", "Stopping"})
POLL_SECONDS = 2.0
LONGEST_SECONDS = 1500
"""The build that waits may take half an hour."""


@dataclass(frozen=True)
class Run:
    """A run that ended: its status, why a step of it failed, and the answers it published, by the name of the file."""

    arn: str
    status: str
    reason: str
    answers: Mapping[str, list[dict[str, Any]]]

    @property
    def told(self) -> str:
        """How it ended, with its ARN, by which `make why` goes on from a build's log."""
        return f"The run {self.arn} is {self.status}.\n{self.reason}"


class BatchStage:
    """A stage of mode batch."""

    def __init__(self, sagemaker: Any, s3: Any, name: str) -> None:
        self.name = name
        self._sagemaker = sagemaker
        self._s3 = s3

    def start(self, files: Mapping[str, Sequence[Sequence[dict[str, Any]]]]) -> str:
        """Start a run over these files, each a list of requests, which are lists of records; the run's ARN."""
        folder = f"{self._folder()}/tests/{uuid4()}/"
        for name, requests in files.items():
            bucket, key = s3_files.place(folder + name)
            lines = "".join(json.dumps({"records": records}) + "\n" for records in requests)
            self._s3.put_object(Bucket=bucket, Key=key, Body=lines.encode())
        started = self._sagemaker.start_pipeline_execution(
            PipelineName=self.name, PipelineParameters=[{"Name": INPUT, "Value": folder}]
        )
        return str(started["PipelineExecutionArn"])

    def ended(self, arn: str) -> Run:
        """Wait for the end of a run; raise RefusedError where it takes too long."""
        deadline = time.monotonic() + LONGEST_SECONDS
        while True:
            found = self._sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
            if found["PipelineExecutionStatus"] not in RUNNING:
                break
            if time.monotonic() > deadline:
                raise RefusedError(
                    f"The run {arn} takes longer than {LONGEST_SECONDS // 60} minutes.\n"
                    "Look at its transform job, then start the pipeline again."
                )
            time.sleep(POLL_SECONDS)
        steps = self._sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        reasons = [f"{each['StepName']}: {each['FailureReason']}" for each in steps if "FailureReason" in each]
        status = found["PipelineExecutionStatus"]
        return Run(arn, status, "\n".join(reasons), self._published(steps) if status == "Succeeded" else {})

    def _published(self, steps: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """The answers of a run that succeeded, by file; none of one that found nothing to answer."""
        manifests = [
            output["Value"]
            for step in steps
            if step["StepName"] == CHECKING_STEP
            for output in step.get("Metadata", {}).get("Lambda", {}).get("OutputParameters", [])
            if output["Name"] == "Manifest"
        ]
        if not manifests:
            return {}
        urls = json.loads(s3_files.read(self._s3, manifests[0]))["answers"]
        return {url.rpartition("/")[2].removesuffix(".out"): self._predictions(url) for url in urls}

    def _predictions(self, url: str) -> list[dict[str, Any]]:
        lines = s3_files.read(self._s3, url).decode().splitlines()
        return [prediction for line in lines if line for prediction in json.loads(line)["predictions"]]

    def _folder(self) -> str:
        """The stage's folder, beside whose input/ the files of tests lie: the pipeline says where."""
        definition = json.loads(self._sagemaker.describe_pipeline(PipelineName=self.name)["PipelineDefinition"])
        (url,) = (each["DefaultValue"] for each in definition["Parameters"] if each["Name"] == INPUT)
        return str(url).removesuffix("/input/")
