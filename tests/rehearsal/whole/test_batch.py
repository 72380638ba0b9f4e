"""A project whose stages have the mode batch: from approval to published answers, by schedule, and to its end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.inventory import billable
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.why import BUILD_REPO, TOOL, explain
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, archive
from tests.rehearsal.whole.company import Company, until
from tests.rehearsal.whole.releases_lab import Releases

GOLDEN = json.loads((REPOSITORY_ROOT / "deploy_repo" / "test" / "golden_records.json").read_text())
WORDS = json.loads((REPOSITORY_ROOT / "deploy_repo" / "test" / "answer.json").read_text())
INFERENCE = """
import json
import flask

def model_fn(model_dir):
    with open(model_dir + "/known.json") as file:
        return json.load(file)

def transform_fn(model, data, content_type, accept):
    predictions = []
    for record in json.loads(data)["records"]:
        found = [each for each in model if each["record"] == record]
        if not found:
            return flask.Response(json.dumps({"error": "no such claim"}), status=400, mimetype="application/json")
        predictions.append(found[0]["answer"])
    return json.dumps({"predictions": predictions}), accept
"""
"""A model that knows the golden records by heart, and refuses all others."""
SCHEDULE = "rate(15 minutes)"
STAGING_TESTS = f"""\
version: 0.2
env:
  exported-variables: [GOLDEN_RECORDS_PASSED, LATENCY_P50_MS, LATENCY_P95_MS, LATENCY_P99_MS, STAGING_SUMMARY]
phases:
  build:
    commands:
      - {sys.executable} -m pytest test
      - . exports/staging-test.env
"""


class Batches(Releases):
    """A project whose stages answer files."""

    def configure(self, clone: Path) -> None:
        (clone / "test" / "buildspec.yml").write_text(STAGING_TESTS)
        own = {"DeploymentMode": "batch"}
        for stage, more in (("staging", own), ("prod", {**own, "BatchSchedule": SCHEDULE})):
            (clone / f"{stage}-config.json").write_text(json.dumps({"Parameters": more, "Tags": {}}))

    def register(self, answer: str) -> str:
        """Register a model that knows the golden records."""
        key = f"{self.group}/models/{answer}/model.tar.gz"
        known = [{"record": each["record"], "answer": right(each)} for each in GOLDEN]
        body = archive({"code/inference.py": INFERENCE, "known.json": json.dumps(known)})
        self.company.engineer.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{self.bucket}/{key}", "Environment": CODE}
        return str(
            self.company.engineer.client("sagemaker").create_model_package(
                ModelPackageGroupName=self.group,
                ModelApprovalStatus="PendingManualApproval",
                InferenceSpecification={
                    "Containers": [container],
                    "SupportedContentTypes": ["application/json"],
                    "SupportedResponseMIMETypes": ["application/json"],
                },
            )["ModelPackageArn"]
        )

    def put(self, name: str, *records: dict[str, Any]) -> None:
        """Put a file into the input of production, one record a line."""
        lines = "".join(json.dumps({"records": [each]}) + "\n" for each in records)
        self.company.engineer.client("s3").put_object(
            Bucket=self.bucket, Key=f"{self.group}/batch/prod/input/{name}", Body=lines.encode()
        )

    def manifests(self) -> list[dict[str, Any]]:
        """What production has published, oldest first."""
        s3 = self.company.engineer.client("s3")
        listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.group}/batch/prod/published/")
        keys = [each["Key"] for each in listed.get("Contents", []) if each["Key"].endswith("/manifest.json")]
        found = [json.load(s3.get_object(Bucket=self.bucket, Key=key)["Body"]) for key in keys]
        return sorted(found, key=lambda each: str(each["published_at"]))

    def why(self, run: str) -> dict[str, Any]:
        """What `make why EXECUTION=` says of a run of production, once that has succeeded."""
        cloud, scientist = self.company.cloud, self.company.scientist
        arn = f"arn:aws:sagemaker:{cloud.region}:{cloud.account}:pipeline/{self.name}-prod/execution/{run}"
        describe = scientist.client("sagemaker").describe_pipeline_execution
        until(lambda: describe(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Succeeded")
        named = (f"SAGEMAKER_PROJECT_NAME={self.name}", f"SAGEMAKER_PROJECT_ID={self.id}")
        said: dict[str, Any] = json.loads(
            scientist.run("env", *named, *TOOL, "--json", "--execution", run, folder=BUILD_REPO)
        )
        return said

    def answers_of(self, manifest: dict[str, Any]) -> list[Any]:
        s3, (url,) = self.company.engineer.client("s3"), manifest["answers"]
        body = s3.get_object(Bucket=self.bucket, Key=url.removeprefix(f"s3://{self.bucket}/"))["Body"].read()
        return [each for line in body.decode().splitlines() for each in json.loads(line)["predictions"]]


def right(golden: dict[str, Any]) -> dict[str, Any]:
    """The answer that a golden record must get."""
    least, most = golden["probability"]
    return {WORDS["probability"]: (least + most) / 2, "decision": golden.get("decision") or WORDS["decisions"][0]}


def decided(position: int) -> list[dict[str, Any]]:
    """The golden records that get this decision."""
    return [each["record"] for each in GOLDEN if right(each)["decision"] == WORDS["decisions"][position]]


@pytest.fixture(scope="module")
def project(company: Company) -> Batches:
    made = Batches(company)
    made.put("claims.jsonl", *decided(0), decided(1)[0])
    return made


@pytest.fixture(scope="module")
def live(project: Batches) -> tuple[str, str]:
    """A version that was approved, tested in staging and brought into production; and the execution that did."""
    package = project.register("one")
    project.approve_version(package)
    (execution,) = project.deployments_of(package)
    project.approve(execution)
    assert project.ended(execution) == "Succeeded", project.actions(execution)
    return package, execution


def test_staging_answers_golden_records_and_refuses_a_bad_one_before_a_person_is_asked(
    project: Batches, live: tuple[str, str]
) -> None:
    question = project.question(live[0])
    assert f"{len(GOLDEN)} of {len(GOLDEN)} golden records right, 1 of 1 bad records refused clearly" in question


def test_an_approval_runs_the_version_over_the_files_and_publishes_what_passes_the_checks(
    project: Batches, live: tuple[str, str]
) -> None:
    (told,) = (
        output["executionResult"]["externalExecutionSummary"]
        for name, _, output in project.actions(live[1])
        if name == "RecordDeployment"
    )
    run = told.partition("run ")[2].partition(" of it began")[0]
    manifest = until(lambda: next((each for each in project.manifests() if each["run"] == run), None))
    count = len(decided(0)) + 1
    assert (manifest["model_package"], manifest["records"]) == (live[0], count)
    assert project.answers_of(manifest) == [right(each) for each in GOLDEN if each["record"] in decided(0)] + [
        right(next(each for each in GOLDEN if each["record"] == decided(1)[0]))
    ]
    said = project.why(run)
    assert said["failure"] is None
    assert said["success"]["line"] == f"The execution {run} succeeded and published the answers to {count} records"
    assert said["success"]["more"][0].endswith(f"/{run}/manifest.json")
    package = project.company.engineer.client("sagemaker").describe_model_package(ModelPackageName=live[0])
    assert package["ModelLifeCycle"]["StageStatus"] == "Live"


def test_the_schedule_runs_it_again(project: Batches, live: tuple[str, str]) -> None:
    runs = until(lambda: found if len(found := project.manifests()) > 1 else None)
    assert {each["model_package"] for each in runs} == {live[0]}
    assert len({each["run"] for each in runs}) == len(runs)


@pytest.mark.usefixtures("live")
def test_answers_that_are_not_as_they_must_be_are_not_published_and_people_are_told(project: Batches) -> None:
    # A file of its own: whatever a run under way has read already, it goes on with that, and leaves this to the next.
    project.put("more.jsonl", *(decided(1) * 20))  # batch-checks.json allows three quarters of these decisions
    mail = until(lambda: project.mailbox.find("published nothing"))
    run = mail["text"].rpartition("/")[2].strip().strip('"')
    steps = project.company.scientist.client("sagemaker").list_pipeline_execution_steps(
        PipelineExecutionArn=mail["text"].rpartition(" ")[2].strip().strip('"')
    )["PipelineExecutionSteps"]
    (why,) = (each["FailureReason"] for each in steps if "FailureReason" in each)
    assert "decisions are investigate, and batch-checks.json of the model-deploy repository allows 0.0 to 0.75" in why
    assert run not in {each["run"] for each in project.manifests()}
    explained = explain(project.company.scientist, project)
    assert explained is not None
    failure = explained.document["failure"]
    assert (failure["title"], failure["cause"]) == ("the batch runs of production", "answers not published")
    assert [each for each in failure["more"] if "decisions are investigate, and batch-checks.json" in each]


@pytest.mark.usefixtures("live")
def test_deleting_the_project_takes_pipelines_schedules_and_models(project: Batches) -> None:
    assert project.delete() == "DeleteCompleted"
    with pytest.raises(ClientError, match="does not exist"):
        project.company.engineer.client("sagemaker").describe_pipeline(PipelineName=f"{project.name}-prod")
    assert billable(project.company.engineer.client) == {}
