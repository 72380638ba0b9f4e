"""What polling code sees of a build, and what a start by hand may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.codebuild.conftest import Lab, phases
from tests.waiting import until

NOTHING = {"source": {"type": "NO_SOURCE"}, "artifacts": {"type": "NO_ARTIFACTS"}}


def inline(lab: Lab, stem: str, *commands: str, more: str = "", **other: Any) -> str:
    """A project without source that plays these commands."""
    listed = "".join(f"      - {command}\n" for command in commands)
    buildspec = f"version: 0.2\n{more}phases:\n  build:\n    commands:\n{listed}"
    return lab.project(
        stem, source={"type": "NO_SOURCE", "buildspec": buildspec}, artifacts=NOTHING["artifacts"], **other
    )


def when(look: Callable[[], dict[str, Any]], is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return until(lambda: build if is_so(build := look()) else None)


def test_polling_sees_the_phase_a_build_is_in_and_how_it_was_stopped(lab: Lab) -> None:
    project = inline(lab, "polled", "sleep 300")
    started = lab.client.start_build(projectName=project)["build"]
    assert (started["buildStatus"], started["buildComplete"]) == ("IN_PROGRESS", False)
    assert "endTime" not in started

    def look() -> dict[str, Any]:
        return dict(lab.client.batch_get_builds(ids=[started["id"]])["builds"][0])

    running = when(look, lambda build: build["currentPhase"] == "BUILD")
    assert (running["buildStatus"], running["buildComplete"]) == ("IN_PROGRESS", False)
    *before, now = running["phases"]
    assert {phase["phaseStatus"] for phase in before} == {"SUCCEEDED"}
    assert all(phase["startTime"] <= phase["endTime"] for phase in before)
    assert set(now) == {"phaseType", "startTime"}
    lab.client.stop_build(id=started["arn"])
    stopped = lab.ended(started["id"])
    assert (stopped["buildStatus"], stopped["buildComplete"], stopped["currentPhase"]) == ("STOPPED", True, "COMPLETED")
    assert phases(stopped)[-2:] == ["BUILD!", "COMPLETED"]
    assert stopped["phases"][-2]["phaseStatus"] == "STOPPED"
    assert stopped["endTime"] >= stopped["startTime"]


def test_variables_of_a_start_win_over_the_projects_and_those_over_the_buildspecs(lab: Lab) -> None:
    lab.cloud.client("ssm", lab.cloud.identity.root).put_parameter(Name="/who/wins", Value="stored", Type="String")
    project = inline(
        lab,
        "layers",
        'test "$A $B $C $D" = "buildspec project start stored"',
        more="env:\n  variables: {A: buildspec, B: buildspec, C: buildspec}\n",
        environment={"environmentVariables": [{"name": "B", "value": "project"}, {"name": "C", "value": "project"}]},
    )
    given = [{"name": "C", "value": "start"}, {"name": "D", "value": "/who/wins", "type": "PARAMETER_STORE"}]
    build = lab.ended(lab.client.start_build(projectName=project, environmentVariablesOverride=given)["build"]["id"])
    assert build["buildStatus"] == "SUCCEEDED", lab.log(build)
    shown = {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}
    assert shown == {"B": "project", "C": "start", "D": "/who/wins"}


def test_a_secret_is_refused_by_name_wherever_it_is_asked_for(lab: Lab) -> None:
    project = inline(lab, "secretive", "true")
    secret = [{"name": "PASSWORD", "value": "db:password", "type": "SECRETS_MANAGER"}]
    with pytest.raises(ClientError, match=r"variable PASSWORD of type SECRETS_MANAGER .* is not implemented"):
        lab.client.start_build(projectName=project, environmentVariablesOverride=secret)


def test_the_same_token_starts_one_build_and_takes_no_other_parameters(lab: Lab) -> None:
    project = inline(lab, "token", "true")
    first = lab.client.start_build(projectName=project, idempotencyToken="once")["build"]["id"]
    assert lab.client.start_build(projectName=project, idempotencyToken="once")["build"]["id"] == first
    with pytest.raises(ClientError, match=r"InvalidInputException.*other parameters"):
        lab.client.start_build(projectName=project, idempotencyToken="once", timeoutInMinutesOverride=7)
    lab.ended(first)


def test_a_build_knows_its_project(lab: Lab) -> None:
    name = lab.name("arn")
    project = inline(lab, name, 'test "$CODEBUILD_PROJECT_ARN" = "$WANTED"')
    arn = lab.client.batch_get_projects(names=[project])["projects"][0]["arn"]
    wanted = [{"name": "WANTED", "value": arn}]
    build = lab.ended(lab.client.start_build(projectName=project, environmentVariablesOverride=wanted)["build"]["id"])
    assert build["buildStatus"] == "SUCCEEDED", lab.log(build)


@pytest.mark.parametrize("token", ["2", "ZnJvbTow", "%%%", "ZnJvbTotMQ=="])
def test_a_listing_is_turned_with_its_own_tokens_only(lab: Lab, token: str) -> None:
    made = {
        lab.client.create_report_group(
            name=lab.name("group"), type="TEST", exportConfig={"exportConfigType": "NO_EXPORT"}
        )["reportGroup"]["arn"]
        for _ in range(3)
    }
    seen: list[str] = []
    pages = lab.client.get_paginator("list_report_groups").paginate(PaginationConfig={"PageSize": 2})
    for page in pages:
        assert len(page["reportGroups"]) <= 2
        seen += page["reportGroups"]
    assert made <= set(seen)
    assert len(seen) == len(set(seen))
    with pytest.raises(ClientError, match="InvalidInputException"):
        lab.client.list_report_groups(nextToken=token)
    with pytest.raises(ClientError, match="InvalidInputException"):
        lab.client.list_builds(nextToken=token)
