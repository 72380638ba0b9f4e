"""The whole story, as `make rehearse` plays it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.identity import role_of
from rehearsal.people import APPROVER_ROLE, STUDIO_ROLE
from rehearsal.prove_iam.proof import Proof, judged, prove
from rehearsal.prove_iam.reasons import read
from rehearsal.prove_iam.recording import Recording
from rehearsal.prove_iam.table import PAGE, differences
from rehearsal.sealed import SealError, unshare_command
from tests.rehearsal.sealing.traps import Traps

ROOT = Path(__file__).parents[3]
ACTS = ["Publish", "Launch", "Build", "Edit and push", "Approve", "Production", "Refuse", "Delete"]
MUST_BE_SEALED = "REHEARSAL_MUST_BE_SEALED"
"""Set to 1 where namespaces are known to be allowed: a story that cannot be sealed fails then."""

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the rehearsal writes."""
    return tmp_path_factory.mktemp("rehearsal")


@pytest.fixture(scope="module")
def unsealed() -> str:
    """Why this machine allows no rehearsal from which no call can leave it; empty where it does."""
    try:
        unshare_command()
    except SealError as problem:
        return str(problem)
    return ""


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traps | None]:
    """The machine's owner, who is signed in to AWS while the story plays. Their home stays: it has the caches."""
    if not sys.platform.startswith("linux"):
        yield None
        return
    traps = Traps(tmp_path_factory.mktemp("owner"))
    yield traps
    traps.clear()


@pytest.fixture(scope="module")
def played(folder: Path, owner: Traps | None, unsealed: str) -> tuple[dict[str, Any], str]:
    """The report and the output of one rehearsal, with every authorisation recorded."""
    signed_in = owner.environment if owner else {}
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal", "--record", *([] if unsealed else ["--sealed"]), "--folder", str(folder)],
        cwd=ROOT,
        env={**os.environ, **{name: value for name, value in signed_in.items() if name != "HOME"}},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report, done.stdout


@pytest.fixture(scope="module")
def proof(played: tuple[dict[str, Any], str], folder: Path) -> Proof:
    """What `make prove-iam ARGS=--recorded-only` makes of the recording."""
    return prove(Recording.read(folder), judged(folder), read())


def test_every_act_of_the_story_succeeds(played: tuple[dict[str, Any], str]) -> None:
    report, _ = played
    assert report["ok"]
    assert [act["name"] for act in report["acts"]] == ACTS
    assert all(act["ok"] and act["seconds"] > 0 for act in report["acts"])


def test_nobody_was_denied_anything_but_what_is_not_theirs(played: tuple[dict[str, Any], str]) -> None:
    report, _ = played
    assert [(role_of(each["principal"]), each["action"]) for each in report["denied"]] == [
        (STUDIO_ROLE, "sagemaker:UpdateModelPackage"),
        (APPROVER_ROLE, "codepipeline:StartPipelineExecution"),
        (STUDIO_ROLE, "codepipeline:PutApprovalResult"),
    ]
    assert report["authorised"] > 500, "so few authorisations cannot be the whole story"


def test_nothing_of_the_machines_owner_was_read(played: tuple[dict[str, Any], str], owner: Traps | None) -> None:
    assert owner is None or owner.sprung == []


def test_nothing_asked_for_aws_itself(played: tuple[dict[str, Any], str]) -> None:
    report, _ = played
    assert report["outside"]["refused"] == []


def test_no_call_left_the_machine(played: tuple[dict[str, Any], str], unsealed: str) -> None:
    if unsealed and os.environ.get(MUST_BE_SEALED) != "1":
        pytest.skip(f"nothing is known of calls past the proxy: {unsealed} (a failure with {MUST_BE_SEALED}=1)")
    assert not unsealed, f"{MUST_BE_SEALED}=1 and the story cannot be sealed"
    report, _ = played
    assert report["outside"]["sealed"]
    assert report["outside"]["reached"] == []


def test_services_acted_as_the_roles_they_were_given(played: tuple[dict[str, Any], str]) -> None:
    report, _ = played
    exercised = {(role, action) for role, action in report["exercised"]}
    wanted = {
        ("MLOpsProjectLaunchRole", "iam:CreateRole"),
        ("MLOpsProjectLaunchRole", "codepipeline:CreatePipeline"),
        ("BuildPipelineRole", "codecommit:UploadArchive"),
        ("BuildPipelineRole", "codebuild:StartBuild"),
        ("DeployPipelineRole", "iam:PassRole"),
        ("ModelBuildRole", "sagemaker:StartPipelineExecution"),
        ("PipelineExecutionRole", "sagemaker:CreateTrainingJob"),
        ("PipelineExecutionRole", "ecr:BatchGetImage"),
        ("EndpointDeploymentRole", "sagemaker:UpdateEndpoint"),
        ("ModelExecutionRole", "cloudwatch:DescribeAlarms"),
        ("StagingTestRole", "sagemaker:InvokeEndpoint"),
        ("EventRulesRole", "codepipeline:StartPipelineExecution"),
        ("FollowRejectionRole", "codepipeline:StartPipelineExecution"),
        ("RecordDeploymentRole", "sagemaker:UpdateModelPackage"),
        ("CleanUpRole", "cloudformation:DeleteStack"),
        ("EndpointDeploymentRole", "sagemaker:DeleteEndpoint"),
        ("MLOpsProjectLaunchRole", "iam:DeleteRole"),
    }
    assert wanted - exercised == set()


def test_every_grant_is_needed_by_a_call_or_explained(proof: Proof) -> None:
    assert proof.faults == []
    assert len(proof.proved) > 300, "so few proved grants cannot be the whole template's"


def test_the_committed_table_says_of_every_grant_what_this_story_shows(proof: Proof) -> None:
    assert differences(proof, PAGE.read_text()) == [], "write it again: make prove-iam ARGS='--write --recorded-only'"


def test_the_model_is_good_and_its_figures_are_real(played: tuple[dict[str, Any], str]) -> None:
    report, _ = played
    first, second = (next(act["facts"] for act in report["acts"] if act["name"] == name) for name in ACTS[2:4])
    assert first["accuracy"] >= 0.85
    assert first["top_decile_lift"] > 3
    assert (first["version"], second["version"]) == (1, 2)
    figures = ("accuracy", "recall", "auc")
    assert [first[name] for name in figures] != [second[name] for name in figures], "another depth is another model"


def test_builds_of_the_same_commit_run_its_unit_tests_once(played: tuple[dict[str, Any], str], folder: Path) -> None:
    assert played[0]["ok"]
    logs = {path.stem: path.read_text() for path in (folder / "codebuild" / "logs").glob("*.log")}
    ran = {name for name, text in logs.items() if re.search(r"^=+ \d+ passed in ", text, re.M)}
    told = {name: re.search(r"not run: they passed .*, in build \S+:(\S+)\. ", text) for name, text in logs.items()}
    spared = {name: found[1] for name, found in told.items() if found}
    assert len(spared) >= 2, "version 1 and version 2 are deployed from the commit that the launch made"
    assert set(spared.values()) <= ran - set(spared)


def test_what_goes_wrong_ends_as_promised(played: tuple[dict[str, Any], str]) -> None:
    report, output = played
    refused, deleted = (next(act["facts"] for act in report["acts"] if act["name"] == name) for name in ACTS[6:8])
    assert "0.99" in refused["below the gate"]
    assert "met the bad version, then none" in refused["rolled back"]
    assert refused["back"] == "version 1"
    assert "approved by" in refused["recorded"]
    # Production's, and staging's when the deployment that is on its way has come so far.
    assert re.match("[12] endpoints,", deleted["removed"])
    assert "2 repositories" in deleted["kept"]
    assert "rolled back by an alarm" in output


def test_the_output_names_every_step_and_action(played: tuple[dict[str, Any], str]) -> None:
    _, output = played
    wanted = ["Preprocess", "Train", "Evaluate", "QualityGate", "RegisterModel"]
    wanted += ["Source / ModelBuildSource", "DeployStaging / TestStaging", "DeployProduction / DeployProduction"]
    assert [each for each in wanted if each not in output] == []
