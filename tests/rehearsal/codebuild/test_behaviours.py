"""Each behaviour is a source folder and one row: how its build ends, why, and what the log says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rehearsal.codebuild.conftest import Lab, failed_phase, phases
from tests.waiting import until

TESTDATA = Path(__file__).parent / "testdata"
ALL = [
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
]
NO_COMMANDS = ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE!", "FINALIZING", "COMPLETED"]


@dataclass(frozen=True)
class Ending:
    """How a build ends. `message` is a pattern of the first failed phase's message."""

    status: str
    phase: str = ""
    code: str = ""
    message: str = ""
    says: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()


def yaml_error(message: str) -> Ending:
    return Ending("FAILED", "DOWNLOAD_SOURCE", "YAML_FILE_ERROR", message, phases=tuple(NO_COMMANDS))


def not_played(message: str) -> Ending:
    return Ending("FAILED", "DOWNLOAD_SOURCE", "NOT_IMPLEMENTED", f"{message}.* is not implemented by the rehearsal")


def command_error(phase: str, message: str, *, says: tuple[str, ...] = (), then: str = "") -> Ending:
    order = [f"{one}!" if one == phase else one for one in ALL]
    skipped = {"": (), "ends": ALL[ALL.index(phase) + 1 : -2]}[then]
    kept = tuple(one for one in order if one.strip("!") not in skipped)
    return Ending("FAILED", phase, "COMMAND_EXECUTION_ERROR", message, says=says, silent=("\nnever",), phases=kept)


BEHAVIOURS = {
    "succeeds": Ending(
        "SUCCEEDED",
        says=(
            "Running command cat file.txt\nfrom the file\n",
            "Selecting 'python' runtime version '3.12' based on manual selections...",
            "Phase complete: BUILD State: SUCCEEDED",
            "Found 2 file(s)",
        ),
        outputs=("Built",),
        phases=tuple(ALL),
    ),
    "command_fails": command_error(
        "BUILD",
        r"^Error while executing command: exit 3\. Reason: exit status 3$",
        says=("\nbefore\n", "\nfinally 1\n", "\nafter 0\n", "Command did not exit successfully exit 3 exit status 3"),
    ),
    "pre_build_fails": command_error(
        "PRE_BUILD", r"make no-such-target\. Reason: exit status 2", says=("No rule to make target",), then="ends"
    ),
    "finally_fails": command_error("BUILD", r"Error while executing command: false\.", says=("\nfine\n",)),
    "abort_on_failure": command_error("BUILD", r"Error while executing command: false\.", then="ends"),
    "continue_on_failure": command_error("INSTALL", r"Error while executing command: false\.", says=("\nwent on\n",)),
    "unknown_key": yaml_error(r"phases/build in buildspec\.yml \(line 4\) has no commands"),
    "unknown_top_key": yaml_error(r"unknown key 'artefacts' \(line 3 of buildspec\.yml\)"),
    "command_is_a_mapping": yaml_error(
        r"Expected Commands\[2\] to be of string type: found subkeys instead at line 7 of buildspec\.yml"
    ),
    "not_yaml": yaml_error(r"buildspec\.yml is not valid YAML: .*line"),
    "no_buildspec": yaml_error("YAML file does not exist: buildspec.yml"),
    "old_python": yaml_error(
        r"Unknown runtime version named '3\.8' of python\. This build image has the following versions: "
        r"3\.10, 3\.11, 3\.12, 3\.13, 3\.14"
    ),
    "other_runtime": not_played(r"the runtime nodejs \(22\) asked for in buildspec\.yml"),
    "unplayed_retry": not_played(r"on-failure: RETRY-2-\.\*connection refused\.\* of phase build"),
    "retry_on_failure": Ending(
        "SUCCEEDED",
        says=(
            "\nfinally after 1\n",
            "Retrying the phase: retry 1 of 2",
            "\nfinally after 2\n",
            "Retrying the phase: retry 2 of 2",
            "\nthird time lucky\n",
            "\nfinally after 3\n",
            "\nstill 1\n",
        ),
        phases=tuple(ALL),
    ),
    "retries_run_out": command_error(
        "INSTALL",
        r"exit 4\. Reason: exit status 4",
        says=("attempt attempt attempt attempt", "Retrying the phase: retry 3 of 3"),
        then="ends",
    ),
    "artifact_missing": Ending(
        "FAILED", "UPLOAD_ARTIFACTS", "CLIENT_ERROR", "no matching artifact paths found", outputs=("Model",)
    ),
    "base_directory_missing": Ending(
        "FAILED",
        "UPLOAD_ARTIFACTS",
        "CLIENT_ERROR",
        "no matching base directory path found for dist",
        outputs=("Site",),
    ),
    "report_missing": Ending(
        "FAILED", "UPLOAD_ARTIFACTS", "CLIENT_ERROR", r"\[unit-tests: \[report files not found in build"
    ),
    "report_with_failures": Ending("SUCCEEDED", says=("Preparing to copy TEST report unit-tests",)),
    "keeps_secrets": Ending("SUCCEEDED", says=("\ntoken ***\n", "\nkey ***\n"), silent=("sesame",)),
    "nothing_leaks": Ending("SUCCEEDED", says=("\nno uv\n", "\nno rich\n"), outputs=("Environment",)),
    "shell_lasts_as_on_aws": Ending("SUCCEEDED", says=("\nerrexit did not last\n", "\nbash\n", "\nleft running\n")),
}


@pytest.fixture(scope="module", autouse=True)
def parameter(lab: Lab) -> None:
    ssm = lab.cloud.client("ssm", lab.cloud.identity.root)
    ssm.put_parameter(Name="/lab/token", Value="sesame-street", Type="SecureString")


def test_every_folder_has_its_row() -> None:
    assert {one.name for one in TESTDATA.iterdir()} == set(BEHAVIOURS)


@pytest.mark.parametrize("behaviour", sorted(BEHAVIOURS))
def test_a_build_ends_as_it_would_on_aws(lab: Lab, behaviour: str) -> None:
    expected = BEHAVIOURS[behaviour]
    project = lab.project(behaviour)
    build = lab.play(project, TESTDATA / behaviour, expected.outputs)
    log = lab.log(build)
    assert build["buildStatus"] == expected.status, log
    phase, code, message = failed_phase(build)
    assert (phase, code) == (expected.phase, expected.code)
    assert re.search(expected.message, message)
    if expected.phases:
        assert phases(build) == list(expected.phases)
    for said in expected.says:
        assert said in log
    for silent in expected.silent:
        assert silent not in log
    if phase:
        assert f"Phase context status code: {code} Message: {message}" in log
    assert build["buildComplete"]
    assert build["currentPhase"] == "COMPLETED"
    until(lambda: not list(lab.cloud.cache_for("builds").glob("*/work")), "the end of the build's folder")
