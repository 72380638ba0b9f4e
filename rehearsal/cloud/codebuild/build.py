"""One build as the API tells of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.service import Document

ENDED = ("SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED")
"""The statuses of a build that is over."""


@dataclass(frozen=True)
class Place:
    """An object of S3, or a prefix of objects."""

    bucket: str
    key: str
    version: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}/{self.key}" if self.key else f"arn:aws:s3:::{self.bucket}"


@dataclass(frozen=True)
class Output:
    """Where one artifact of a build goes. `packaging` is ZIP (one file) or NONE (the files themselves)."""

    identifier: str
    place: Place
    packaging: str = "ZIP"
    encryption_key: str = ""
    """The KMS key of what is uploaded; the bucket decides where there is none (encryptionDisabled)."""
    rename: bool = False
    """Whether the buildspec's `name` replaces the last part of the key (overrideArtifactName)."""


@dataclass
class PhaseRecord:
    """One phase of a build, as it went so far."""

    name: str
    started: float
    status: str = ""
    ended: float | None = None
    code: str = ""
    message: str = ""

    def document(self) -> Document:
        """The API's BuildPhase."""
        found: Document = {"phaseType": self.name, "startTime": self.started}
        if self.status:
            found["phaseStatus"] = self.status
        if self.ended is not None:
            found["endTime"] = self.ended
            found["durationInSeconds"] = int(self.ended - self.started)
            found["contexts"] = [{"statusCode": self.code, "message": self.message}]
        return found


@dataclass
class Build:
    """A build: what it was started with, and how far it is.

    `project` is the project as it was when the build started, with the overrides of the start in it.
    """

    id: str
    arn: str
    number: int
    project: Document
    initiator: str
    inputs: Sequence[tuple[str, Place]] = ()
    """The sources: identifier (empty for the primary one) and place."""
    outputs: Sequence[Output] = ()
    source_version: str = ""
    resolved_version: str = ""
    started: float = field(default_factory=Clock.timestamp)
    ended: float | None = None
    status: str = "IN_PROGRESS"
    phases: list[PhaseRecord] = field(default_factory=list)
    exported: list[tuple[str, str]] = field(default_factory=list)
    report_arns: list[str] = field(default_factory=list)
    sums: dict[str, tuple[str, str]] = field(default_factory=dict)
    """MD5 and SHA-256 of each uploaded zip, by its identifier."""
    finished: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def uuid(self) -> str:
        return self.id.rpartition(":")[2]

    @property
    def project_name(self) -> str:
        return str(self.project["name"])

    @property
    def log_group(self) -> str:
        """The log group, or nothing when the project writes no CloudWatch Logs."""
        settings = self.project.get("logsConfig", {}).get("cloudWatchLogs", {})
        if settings.get("status") == "DISABLED":
            return ""
        return str(settings.get("groupName") or f"/aws/codebuild/{self.project_name}")

    @property
    def log_stream(self) -> str:
        settings = self.project.get("logsConfig", {}).get("cloudWatchLogs", {})
        prefix = settings.get("streamName")
        return f"{prefix}/{self.uuid}" if prefix else self.uuid

    def output(self, identifier: str) -> Output | None:
        """Where an artifact goes; the primary one has the empty identifier."""
        return next((one for one in self.outputs if one.identifier == identifier), None)

    def document(self, region: str, account: str) -> Document:
        """The API's Build."""
        with self.lock:
            phases = [phase.document() for phase in self.phases]
            project = self.project
            found: Document = {
                "id": self.id,
                "arn": self.arn,
                "buildNumber": self.number,
                "startTime": self.started,
                "currentPhase": self.phases[-1].name if self.phases else "SUBMITTED",
                "buildStatus": self.status,
                "buildComplete": self.ended is not None,
                "projectName": self.project_name,
                "phases": phases,
                "source": deepcopy(project["source"]),
                "artifacts": self._artifact(self.output("") or next(iter(self.outputs), None)),
                "cache": deepcopy(project.get("cache") or {"type": "NO_CACHE"}),
                "environment": deepcopy(project["environment"]),
                "serviceRole": project["serviceRole"],
                "logs": self._logs(region, account),
                "timeoutInMinutes": project["timeoutInMinutes"],
                "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
                "initiator": self.initiator,
                "encryptionKey": project["encryptionKey"],
                "exportedEnvironmentVariables": [{"name": name, "value": value} for name, value in self.exported],
                "reportArns": list(self.report_arns),
            }
            if self.ended is not None:
                found["endTime"] = self.ended
            if self.source_version:
                found["sourceVersion"] = self.source_version
            if self.resolved_version:
                found["resolvedSourceVersion"] = self.resolved_version
            secondary = [self._artifact(one) for one in self.outputs if one.identifier]
            if secondary and self.output("") is not None:
                found["secondaryArtifacts"] = secondary
        return found

    def _artifact(self, output: Output | None) -> Document:
        if output is None:
            return {"location": ""}
        found: Document = {"location": output.place.arn, "encryptionDisabled": False}
        if output.identifier:
            found["artifactIdentifier"] = output.identifier
        if output.identifier in self.sums:
            found["md5sum"], found["sha256sum"] = self.sums[output.identifier]
        return found

    def _logs(self, region: str, account: str) -> Document:
        settings = self.project.get("logsConfig", {}).get("cloudWatchLogs") or {"status": "ENABLED"}
        if not self.log_group:
            return {"cloudWatchLogs": deepcopy(settings)}
        group, stream = self.log_group, self.log_stream
        link = f"https://console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
        return {
            "groupName": group,
            "streamName": stream,
            "deepLink": f"{link}{group.replace('/', '$252F')}/log-events/{stream.replace('/', '$252F')}",
            "cloudWatchLogsArn": f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}",
            "cloudWatchLogs": deepcopy(settings),
        }


def override_variables(project: Document, variables: Sequence[Mapping[str, str]]) -> None:
    """Set environment variables of one build over those of its project."""
    environment = project["environment"]
    merged = {one["name"]: one for one in environment.get("environmentVariables", [])}
    merged |= {one["name"]: {"type": "PLAINTEXT", **one} for one in variables}
    environment["environmentVariables"] = list(merged.values())
