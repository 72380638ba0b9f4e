"""The events CodeBuild puts on the default bus.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications-ref.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from rehearsal.cloud.service import Document

SOURCE = "aws.codebuild"
STATE_CHANGE = "CodeBuild Build State Change"
PHASE_CHANGE = "CodeBuild Build Phase Change"
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _moment(seconds: float) -> str:
    """`Sep 1, 2017 4:12:29 PM`"""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%b} {moment.day}, {moment.year} {moment.hour % 12 or 12}:{moment:%M:%S} {moment:%p}"


def _kebab(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A document of the API with the member names events use."""
    if isinstance(value, dict):
        return {WORD.sub("-", key).lower(): _kebab(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_kebab(member) for member in value]
    return value


def _phase(phase: Document) -> Document:
    found: Document = {"phase-type": phase["phaseType"], "start-time": _moment(phase["startTime"])}
    if "phaseStatus" in phase:
        found["phase-status"] = phase["phaseStatus"]
    if "endTime" in phase:
        found["end-time"] = _moment(phase["endTime"])
        found["duration-in-seconds"] = phase["durationInSeconds"]
        found["phase-context"] = [f"{one['statusCode']}: {one['message']}" for one in phase["contexts"]]
    return found


def state_change(build: Document) -> Document:
    """The detail of a state change, made of the API's Build."""
    contexts = build["phases"][-1].get("contexts", []) if build["phases"] else []
    return {
        "build-status": build["buildStatus"],
        "project-name": build["projectName"],
        "build-id": build["arn"],
        "additional-information": _information(build),
        "current-phase": build["currentPhase"],
        "current-phase-context": _contexts(contexts),
        "version": "1",
    }


def phase_change(build: Document) -> Document:
    """The detail of a phase change, made of the API's Build, whose newest phase has just been completed."""
    phase = build["phases"][-1]
    return {
        "completed-phase": phase["phaseType"],
        "project-name": build["projectName"],
        "build-id": build["arn"],
        "completed-phase-context": _contexts(phase["contexts"]),
        "additional-information": _information(build),
        "completed-phase-status": phase["phaseStatus"],
        "completed-phase-duration-seconds": phase["durationInSeconds"],
        "version": "1",
        "completed-phase-start": _moment(phase["startTime"]),
        "completed-phase-end": _moment(phase["endTime"]),
    }


def _contexts(contexts: list[Document]) -> str:
    return str([f"{one['statusCode']}: {one['message']}" for one in contexts])


def _information(build: Document) -> Document:
    """What every event says of its build."""
    artifacts = build["artifacts"]
    artifact = {key: artifacts[key] for key in ("md5sum", "sha256sum") if key in artifacts}
    information: Document = {
        "artifact": {**artifact, "location": artifacts["location"]},
        "environment": _kebab(build["environment"]),
        "timeout-in-minutes": build["timeoutInMinutes"],
        "queued-timeout-in-minutes": build["queuedTimeoutInMinutes"],
        "build-complete": build["buildComplete"],
        "build-number": build["buildNumber"],
        "initiator": build["initiator"],
        "build-start-time": _moment(build["startTime"]),
        "source": _kebab({key: value for key, value in build["source"].items() if key in ("location", "type")}),
        "logs": _kebab({key: value for key, value in build["logs"].items() if isinstance(value, str)}),
        "phases": [_phase(phase) for phase in build["phases"]],
    }
    if "sourceVersion" in build:
        information["source-version"] = build["sourceVersion"]
    return information
