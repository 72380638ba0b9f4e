"""A rehearsal that is killed while a build and a job run and an endpoint serves: the next one is none the worse."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
from pathlib import Path
from typing import Any

from tests.bad_input.conftest import Ended
from tests.bad_input.test_machine import Rehearsal, Start, start
from tests.rehearsal.core.test_endings import alive, children_of
from tests.rehearsal.core.test_endings import ended as processes_ended
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, INFERENCE
from tests.waiting import PATIENCE, until

__all__ = ["start"]  # the fixture

BUCKET = "things"
KEPT = "builds-before"
BUILD = f"""\
version: 0.2
phases:
  build:
    commands:
      - mkdir -p .tools && echo one more >> .tools/{KEPT}
      - echo "builds so far $(wc -l < .tools/{KEPT})"
      - %s
cache:
  paths: [.tools/**/*]
"""
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


class Working:
    """An account at work: a build, a job and an endpoint."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._client = rehearsal.client
        self._client("s3").create_bucket(Bucket=BUCKET)
        services = ("codebuild.amazonaws.com", "sagemaker.amazonaws.com")
        trust = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
        iam, version = self._client("iam"), {"Version": "2012-10-17"}
        self._role = iam.create_role(
            RoleName="worker", AssumeRolePolicyDocument=json.dumps({**version, "Statement": [trust]})
        )["Role"]["Arn"]
        document = json.dumps({**version, "Statement": [ANYTHING]})
        iam.put_role_policy(RoleName="worker", PolicyName="anything", PolicyDocument=document)

    def build(self, last: str) -> str:
        """Start a build that ends with this command."""
        codebuild = self._client("codebuild")
        codebuild.create_project(
            name="builds",
            source={"type": "NO_SOURCE", "buildspec": BUILD % last},
            artifacts={"type": "NO_ARTIFACTS"},
            cache={"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            serviceRole=self._role,
        )
        return str(codebuild.start_build(projectName="builds")["build"]["id"])

    def built(self, build: str) -> dict[str, Any]:
        described: dict[str, Any] = self._client("codebuild").batch_get_builds(ids=[build])["builds"][0]
        return described

    def said(self, build: str) -> str:
        """The log of a build so far."""
        logs, where = self._client("logs"), self.built(build)["logs"]
        if (
            "streamName" not in where
            or not logs.describe_log_groups(logGroupNamePrefix=where["groupName"])["logGroups"]
        ):
            return ""
        found = logs.filter_log_events(logGroupName=where["groupName"], logStreamNames=[where["streamName"]])
        return "".join(event["message"] for event in found["events"])

    def job(self) -> None:
        """A processing job that has begun, and never ends."""
        sagemaker = self._client("sagemaker")
        sagemaker.create_processing_job(
            ProcessingJobName="sleeps",
            RoleArn=self._role,
            AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", "echo begun; sleep 3600"]},
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
        )
        logs, group = self._client("logs"), "/aws/sagemaker/ProcessingJobs"
        until(
            lambda: (
                logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
                and logs.filter_log_events(logGroupName=group)["events"]
            )
        )

    def endpoint(self) -> str:
        """An endpoint that serves; what it answers."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for name, text in {"code/inference.py": INFERENCE, "answer.txt": "yes"}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
        self._client("s3").put_object(Bucket=BUCKET, Key="model.tar.gz", Body=archive.getvalue())
        sagemaker = self._client("sagemaker")
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz", "Environment": CODE}
        sagemaker.create_model(ModelName="model", ExecutionRoleArn=self._role, PrimaryContainer=container)
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": "model",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        sagemaker.create_endpoint_config(EndpointConfigName="config", ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName="serves", EndpointConfigName="config")
        until(lambda: sagemaker.describe_endpoint(EndpointName="serves")["EndpointStatus"] == "InService")
        answer = self._client("sagemaker-runtime").invoke_endpoint(
            EndpointName="serves", Body=json.dumps({"records": [1]}), ContentType="application/json"
        )
        return str(json.loads(answer["Body"].read())["predictions"][0])


def programs(pids: list[int]) -> str:
    return " ".join(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids if alive(pid))


def test_a_rehearsal_that_was_killed_at_work_and_starts_again(start: Start, tmp_path: Path, ended: Ended) -> None:
    first = start(tmp_path / "run")
    working = Working(first)
    build = working.build("sleep 3601")
    working.job()
    assert working.endpoint() == "yes"
    until(lambda: "builds so far" in working.said(build))
    started = children_of(first.process.pid)
    assert len(started) >= len(first.started) + 3, "a build, a job, an endpoint"
    first.process.send_signal(signal.SIGKILL)
    first.process.wait(PATIENCE)
    assert processes_ended(started), programs(started)

    second = start(tmp_path / "run")

    again = Working(second)
    build = again.build("echo done")
    until(lambda: again.built(build)["buildComplete"])
    assert again.built(build)["buildStatus"] == "SUCCEEDED", again.said(build)
    assert "builds so far" in again.said(build)
    assert again.endpoint() == "yes"
    started = children_of(second.process.pid)
    os.kill(second.process.pid, signal.SIGINT)
    ended(f"exit {second.process.wait(PATIENCE)}", second.last_words())
    assert processes_ended(started), programs(started)
