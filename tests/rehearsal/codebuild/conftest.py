"""A cloud with CodeBuild, a bucket for artifacts, and builds started as a pipeline starts them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codebuild import CodeBuild
from rehearsal.cloud.resources.codebuild import CODEBUILD_TYPES
from tests.rehearsal.conftest import StartCloud
from tests.waiting import PATIENCE

BUCKET = "artifacts"
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
RIGHTS = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    *("s3:GetBucketAcl", "s3:GetBucketLocation"),
    *("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"),
    "ssm:GetParameters",
    "codebuild:CreateReportGroup",
    "codebuild:CreateReport",
    "codebuild:UpdateReport",
    "codebuild:BatchPutTestCases",
)
"""What the service role of the tests' projects may do."""


@dataclass
class Lab:
    """Makes projects and plays builds."""

    cloud: Cloud
    events: list[dict[str, Any]] = field(default_factory=list)
    _made: int = 0

    def __post_init__(self) -> None:
        root = self.cloud.identity.root
        self.client = self.cloud.client("codebuild", root)
        self.s3 = self.cloud.client("s3", root)
        self.iam = self.cloud.client("iam", root)
        self.logs = self.cloud.client("logs", root)
        self.s3.create_bucket(Bucket=BUCKET)

    @property
    def room(self) -> CodeBuild:
        return cast(CodeBuild, self.cloud.services["codebuild"])

    def name(self, stem: str) -> str:
        self._made += 1
        return f"{stem}-{self._made}"

    def role(self, name: str, actions: Sequence[str] = RIGHTS, *, trusted: str = "codebuild.amazonaws.com") -> str:
        """The ARN of a service role that may do `actions` everywhere."""
        trust = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
        document = {"Version": "2012-10-17", "Statement": [trust]}
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        if actions:
            rights = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
            self.iam.put_role_policy(
                RoleName=name,
                PolicyName="rights",
                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [rights]}),
            )
        return str(arn)

    def project(self, stem: str, **other: Any) -> str:
        """A new project whose builds a pipeline starts."""
        name = self.name(stem)
        role = other.pop("serviceRole", None) or self.role(f"{name}-role")
        environment = {"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"}
        settings = {
            "source": {"type": "CODEPIPELINE"},
            "artifacts": {"type": "CODEPIPELINE"},
            "environment": {**environment, **other.pop("environment", {})},
        }
        self.client.create_project(name=name, serviceRole=role, **{**settings, **other})
        return name

    def upload(self, folder: Path) -> str:
        """A folder as a zip file in the bucket; its key."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder))
        key = f"sources/{self.name(folder.name)}.zip"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content.getvalue())
        return key

    def start(self, project: str, source: Path, outputs: Sequence[str] = (), **other: Any) -> str:
        """Start a build of a folder as a pipeline does; its id. Outputs go to `out/<project>/<name>`."""
        request = {"projectName": project, **other.pop("request", {})}
        build = self.room.start_build_for_pipeline(
            request,
            inputs={"Source": (BUCKET, self.upload(source))},
            outputs={name: (BUCKET, f"out/{project}/{name}") for name in outputs},
            caller=self.cloud.identity.root,
            **other,
        )
        return str(build["id"])

    def ended(self, build_id: str) -> dict[str, Any]:
        """The build, once it is over."""
        assert self.room.finished(build_id).wait(PATIENCE), f"{build_id} never ended"
        return dict(self.client.batch_get_builds(ids=[build_id])["builds"][0])

    def play(self, project: str, source: Path, outputs: Sequence[str] = (), **other: Any) -> dict[str, Any]:
        return self.ended(self.start(project, source, outputs, **other))

    def log(self, build: dict[str, Any]) -> str:
        """What CloudWatch Logs holds of a build."""
        place = {"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]}
        events = self.logs.get_log_events(**place, startFromHead=True, limit=10_000)["events"]
        return "".join(event["message"] for event in events)

    def artifact(self, project: str, name: str) -> dict[str, str]:
        """The files of an uploaded zip, as text."""
        body = self.s3.get_object(Bucket=BUCKET, Key=f"out/{project}/{name}")["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return {entry: archive.read(entry).decode() for entry in archive.namelist()}


@pytest.fixture(scope="module")
def lab(start_cloud: StartCloud) -> Lab:
    made = Lab(start_cloud([CodeBuild], CODEBUILD_TYPES))

    def emit(source: str, kind: str, detail: dict[str, Any], resources: Sequence[str] = ()) -> None:
        made.events.append({"source": source, "detail-type": kind, "detail": detail, "resources": list(resources)})

    made.cloud.events.emit = emit  # type: ignore[method-assign]
    return made


def failed_phase(build: dict[str, Any]) -> tuple[str, str, str]:
    """Name, code and message of the first phase that failed."""
    for phase in build["phases"]:
        if phase.get("phaseStatus") not in ("SUCCEEDED", None):
            context = phase["contexts"][0]
            return phase["phaseType"], context["statusCode"], context["message"]
    return "", "", ""


def phases(build: dict[str, Any]) -> list[str]:
    """The build's phases, in order; a failed one ends in `!`."""
    return [
        phase["phaseType"] + ("!" if phase.get("phaseStatus") not in ("SUCCEEDED", None) else "")
        for phase in build["phases"]
    ]
