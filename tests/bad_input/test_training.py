"""Data and code that a pipeline cannot use, and what `make pipeline` says of it: the end of a red build.

One execution of one pipeline runs every case as a step of its own, with the real scripts in real containers. The
instances hold a twentieth of their memory, so that claims ten times too many for one of them are still few.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.bad_input.conftest import ROOT, Ended, StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, Bench, taken

BUILD_REPO = ROOT / "build_repo"
MEMORY = 0.05
FIELDS = (
    "fraud,customer_age,months_as_customer,claim_type,channel,region,customer_sex,claim_amount,prior_claims,"
    "police_report,report_delay_days"
)
HONEST = "0,44,12,collision,agent,north,F,1200.5,0,1,3"
FRAUD = "1,23,2,theft,web,east,M,9000,2,0,30"
GOOD = [HONEST, FRAUD] * 100


def table(rows: list[str], header: str = FIELDS) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def without_label(row: str) -> str:
    return row.partition(",")[2]


DATA = {
    "WithoutLabel": table([without_label(row) for row in GOOD], without_label(FIELDS)),
    "Empty": b"",
    "OneClass": table([HONEST] * 200),
    "TextInNumber": table([*GOOD, HONEST.replace("1200.5", "a lot")]),
    "Unreadable": b"PK\x03\x04" + bytes(range(256)),
    "TooLarge": table(GOOD * 6000),
    "Raises": table(GOOD),
}
"""What each step is given to read."""
BUG = '    claims = load(processing / "input" / "raw")\n'


@dataclass
class Project:
    """A model-build repository at work in a cloud."""

    bench: Bench
    folder: Path
    environment: dict[str, str]

    def make_pipeline(self, definition: dict[str, Any], *parameters: str) -> tuple[int, str]:
        """What `make pipeline` runs once the definition is compiled: exit status and what it printed."""
        (self.folder / "build").mkdir(exist_ok=True)
        (self.folder / "build" / "pipeline-definition.json").write_text(json.dumps(definition))
        (self.folder / "build" / "uploads.json").write_text("[]")
        command = [sys.executable, "-m", "pipelines.run", *parameters]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def pipelines(self) -> list[str]:
        return [each["PipelineName"] for each in self.bench.sagemaker.list_pipelines()["PipelineSummaries"]]


@pytest.fixture(scope="module")
def project(start_cloud: StartCloud, tmp_path_factory: pytest.TempPathFactory) -> Project:
    cloud = start_cloud(memory=MEMORY)
    bench = Bench(cloud)
    folder = tmp_path_factory.mktemp("model-build") / "clone"
    shutil.copytree(BUILD_REPO, folder, ignore=shutil.ignore_patterns(".venv", "build", "__pycache__", "tests"))
    group = bench.sagemaker.create_model_package_group(ModelPackageGroupName="claims-p-1")["ModelPackageGroupArn"]
    environment = {
        "PATH": os.environ["PATH"],
        "SAGEMAKER_PROJECT_NAME": "claims",
        "SAGEMAKER_PROJECT_ID": "p-1",
        "SAGEMAKER_PROJECT_ARN": group,  # only its tags are read
        "SAGEMAKER_PIPELINE_NAME": "claims-p-1",
        "SAGEMAKER_PIPELINE_ROLE_ARN": bench.pipeline_role(),
        "MODEL_PACKAGE_GROUP_NAME": "claims-p-1",
        "ARTIFACT_BUCKET": BUCKET,
        "INPUT_DATA_URL": "synthetic",
        **cloud.environment(cloud.identity.root),
    }
    return Project(bench, folder, environment)


def definition(*steps: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"Name": "SourceCommit", "Type": "String", "DefaultValue": "unknown"},
        {"Name": "MaxDepth", "Type": "Integer", "DefaultValue": 4},
        {"Name": "Status", "Type": "String", "DefaultValue": "Pending", "EnumValues": ["Pending", "Approved"]},
    ]
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": list(steps)}


def preprocess(name: str, data: str, code: str) -> dict[str, Any]:
    """The step Preprocess on other data, under another name."""
    where = "/opt/ml/processing/input"
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", f"{where}/code/preprocess.py", "--base-dir", "/opt/ml"],
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "ProcessingInputs": [taken("code", code, f"{where}/code"), taken("raw", data, f"{where}/raw")],
        },
    }


@dataclass(frozen=True)
class RedBuild:
    """How the execution of all cases ended."""

    status: int
    printed: str
    states: dict[str, str]
    messages: dict[str, str]
    """What DescribeProcessingJob and Studio show as the job's exit message."""

    def of(self, step: str) -> tuple[str, str]:
        """The step's state, and the one line about it at the end of the build."""
        lines = [line for line in self.printed.splitlines() if line.startswith(f"Step {step} failed")]
        assert len(lines) == 1, self.printed
        return self.states[step], lines[0]


@pytest.fixture(scope="module")
def red_build(project: Project) -> RedBuild:
    bench = project.bench
    code = {"good": "s3://lab-data/code/good", "bug": "s3://lab-data/code/bug"}
    for module in ("preprocess", "baseline", "claims_contract", "failure", "fields", "records"):
        text = (BUILD_REPO / "steps" / f"{module}.py").read_text()
        bench.put(f"code/good/{module}.py", text)
        bench.put(f"code/bug/{module}.py", text.replace(BUG, f'{BUG}    claims["claim_amuont"] /= 100\n'))
    steps = []
    for name, content in DATA.items():
        bench.s3.put_object(Bucket=BUCKET, Key=f"raw/{name}/claims.csv", Body=content)
        steps.append(
            preprocess(name, f"s3://{BUCKET}/raw/{name}/claims.csv", code["bug" if name == "Raises" else "good"])
        )
    status, printed = project.make_pipeline(definition(*steps))
    started = re.search(r"^Started (arn:\S+)", printed, re.M)
    assert started, printed
    found = bench.steps(started[1])
    jobs = {
        each["ProcessingJobArn"]: bench.sagemaker.describe_processing_job(ProcessingJobName=each["ProcessingJobName"])
        for each in bench.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    }
    described = {name: jobs[step["Metadata"]["ProcessingJob"]["Arn"]] for name, step in found.items()}
    return RedBuild(
        status,
        printed,
        {name: step["StepStatus"] for name, step in found.items()},
        {name: job.get("ExitMessage", "") for name, job in described.items()},
    )


def test_the_build_is_red_and_shows_no_traceback_but_in_the_log_of_the_bug(red_build: RedBuild) -> None:
    assert red_build.status == 1
    before, _, after = red_build.printed.partition("Step Raises failed")
    assert "Traceback" not in before
    assert after.count("Traceback") == after.count("  | Traceback") > 0


def test_what_the_build_says_is_what_studio_shows(red_build: RedBuild) -> None:
    for step in set(DATA) - {"TooLarge"}:
        assert red_build.of(step)[1] == f"Step {step} failed: {red_build.messages[step]}"


def test_data_without_the_label_column(red_build: RedBuild, ended: Ended) -> None:
    ended(*red_build.of("WithoutLabel"))


def test_data_that_are_empty(red_build: RedBuild, ended: Ended) -> None:
    ended(*red_build.of("Empty"))


def test_data_with_one_class(red_build: RedBuild, ended: Ended) -> None:
    ended(*red_build.of("OneClass"))


def test_data_with_text_in_a_numeric_column(red_build: RedBuild, ended: Ended) -> None:
    ended(*red_build.of("TextInNumber"))


def test_data_that_cannot_be_read(red_build: RedBuild, ended: Ended) -> None:
    ended(*red_build.of("Unreadable"))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is counted where there is a /proc")
def test_data_too_large_for_the_instance(red_build: RedBuild, ended: Ended) -> None:
    state, line = red_build.of("TooLarge")
    lines = red_build.printed.splitlines()
    ended(state, "\n".join([line, *lines[lines.index(line) + 1 :][:2]]))


def test_a_step_script_that_raises(red_build: RedBuild, ended: Ended) -> None:
    ended(*red_build.of("Raises"))


# ---- definitions and parameters


def waiting_for(name: str, other: str) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": "no"}, "DependsOn": [other]}


def test_a_definition_with_a_cycle(project: Project, ended: Ended) -> None:
    before = project.pipelines()

    status, printed = project.make_pipeline(definition(waiting_for("First", "Second"), waiting_for("Second", "First")))

    ended(f"exit {status}", printed)
    assert project.pipelines() == before
    assert not (project.folder / "build" / "exports.env").exists()


def test_a_parameter_of_the_wrong_type(project: Project, ended: Ended) -> None:
    status, printed = project.make_pipeline(definition(waiting_for("First", "")), "MaxDepth=deep")

    ended(f"exit {status}", printed)


def test_a_parameter_outside_its_choices(project: Project, ended: Ended) -> None:
    status, printed = project.make_pipeline(definition(waiting_for("First", "")), "Status=Maybe")

    ended(f"exit {status}", printed)


def test_a_parameter_of_the_wrong_type_in_studio(project: Project, ended: Ended) -> None:
    name = project.bench.pipeline(
        [{"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
        [{"Name": "MaxDepth", "Type": "Integer", "DefaultValue": 4}],
    )

    with pytest.raises(ClientError) as refusal:
        project.bench.start(name, MaxDepth="deep")

    ended("refused", refusal.value.response["Error"]["Message"])
    executions = project.bench.sagemaker.list_pipeline_executions(PipelineName=name)
    assert executions["PipelineExecutionSummaries"] == []
