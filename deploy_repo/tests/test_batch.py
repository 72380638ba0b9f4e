"""A stage that answers files: what may be written for it, what the build makes of that, and how its runs are read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import build
from deployment import batch, batch_run, modes, production, served
from deployment.batch_run import BatchStage
from deployment.errors import RefusedError

from .conftest import CONFIGURATIONS, ENVIRONMENT, ROOT, client, load
from .fake_registry import BUCKET, GROUP, Registry
from .rendered import MODES, Rendering

OF_PROJECT = {"BATCH_ROLE_ARN": "arn:aws:iam::123456789012:role/batch", "CHECK_BATCH_FUNCTION_ARN": "arn:function"}


@pytest.fixture
def write(checkout: Path) -> Callable[..., None]:
    """Gives a stage of the checkout the mode batch, with further parameters."""
    (checkout / "test").mkdir()
    for name in ("batch-checks.json", "test/answer.json"):
        (checkout / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")

    def write(stage_name: str, **parameters: object) -> None:
        content = {"Parameters": {"DeploymentMode": "batch", **parameters}}
        (checkout / f"{stage_name}-config.json").write_text(json.dumps(content), encoding="utf-8")

    return write


def run(checkout: Path, registry: Registry, **changes: str) -> None:
    build.main(checkout, {**ENVIRONMENT, **OF_PROJECT, **changes}, registry.client)


# ---- what may be written


def test_a_stage_of_mode_batch_is_given_its_folder_and_who_runs_and_checks_it(
    checkout: Path, registry: Registry, write: Callable[..., None]
) -> None:
    registry.register()
    write("staging")
    write("prod", BatchSchedule="rate(1 day)")
    run(checkout, registry)
    staging, prod = (load(checkout / f"{each}-config-export.json")["Parameters"] for each in ("staging", "prod"))
    assert prod["BatchS3Uri"] == f"s3://{BUCKET}/{GROUP}/batch/prod"
    assert (prod["BatchRoleArn"], prod["CheckBatchFunctionArn"]) == tuple(OF_PROJECT.values())
    assert json.loads(prod["BatchChecks"])["shares"] == load(ROOT / "batch-checks.json")["shares"]
    assert json.loads(staging["BatchChecks"]) == {
        "answer": load(ROOT / "test" / "answer.json"),
        "shares": {},  # golden records have shares of their own
    }


def test_an_endpoint_is_given_nothing_of_it(checkout: Path, registry: Registry, write: Callable[..., None]) -> None:
    registry.register()
    write("prod")
    run(checkout, registry)
    assert not batch.PARAMETERS & load(checkout / "staging-config-export.json")["Parameters"].keys()


def test_a_project_that_is_older_than_the_mode_cannot_have_it(
    checkout: Path, registry: Registry, write: Callable[..., None]
) -> None:
    write("prod")
    with pytest.raises(RefusedError, match=r"prod-config\.json: .* launched from a release without that mode"):
        run(checkout, registry, BATCH_ROLE_ARN="")


@pytest.mark.parametrize("routing", ["CANARY", "LINEAR", "ROLLING"])
def test_batch_has_no_traffic_that_moves(
    checkout: Path, registry: Registry, write: Callable[..., None], routing: str
) -> None:
    write("prod", TrafficRouting=routing)
    with pytest.raises(RefusedError, match=f"TrafficRouting: is {routing}, but batch has no traffic that moves"):
        run(checkout, registry)


def test_what_batch_has_no_use_for_is_named(
    checkout: Path, registry: Registry, write: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    registry.register()
    named = {
        "EndpointInstanceCount": 2,
        "EndpointMaxInstanceCount": 4,
        "EnableDataCapture": True,
        "TrafficWaitSeconds": 9,
    }
    alarms = {"ServerErrorsAlarmCount": 3, "AsyncLeastInstanceCount": 1, "ServerlessMaxConcurrency": 2}
    write("prod", **named, **alarms)
    run(checkout, registry)
    told = capsys.readouterr().out
    (line,) = (each for each in told.splitlines() if "has no use for" in each)
    assert {each.strip(" .") for each in line.partition("has no use for")[2].split(",")} == {*named, *alarms}


def test_only_batch_has_a_use_for_its_own_parameters() -> None:
    own = {"BatchInstanceType", "BatchSchedule"}
    assert {mode: own & set(unused) for mode, unused in modes.UNUSED.items()} == {
        "realtime": own,
        "serverless": own,
        "async": own,
        "batch": set(),
    }


@pytest.mark.parametrize("schedule", ["daily", "rate()", "every(1 day)"])
def test_a_schedule_is_a_rate_or_a_time(
    checkout: Path, registry: Registry, write: Callable[..., None], schedule: str
) -> None:
    write("prod", BatchSchedule=schedule)
    with pytest.raises(RefusedError, match="BatchSchedule: must be text"):
        run(checkout, registry)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must have the form"),
        ('{"shares": {}, "more": 1}', "must have the form"),
        (
            '{"shares": {"maybe": [0, 1]}}',
            "shares.maybe: is no decision of test/answer.json, which has pay, investigate",
        ),
        ('{"shares": {"pay": [0.9, 0.1]}}', "shares.pay: must be the least and the most share"),
        ('{"shares": {"pay": [0, 2]}}', "shares.pay: must be"),
        ('{"shares": {"pay": [0, true]}}', "shares.pay: must be"),
        ('{"shares": {"pay": 1}}', "shares.pay: must be"),
    ],
)
def test_checks_that_cannot_be_meant_are_refused(
    checkout: Path, registry: Registry, write: Callable[..., None], written: str, said: str
) -> None:
    write("prod")
    (checkout / "batch-checks.json").write_text(written, encoding="utf-8")
    with pytest.raises(RefusedError) as refusal:
        run(checkout, registry)
    assert str(refusal.value).startswith("batch-checks.json")
    assert said in str(refusal.value)


def test_checks_that_are_missing_are_asked_for(checkout: Path, registry: Registry, write: Callable[..., None]) -> None:
    write("prod")
    (checkout / "batch-checks.json").unlink()
    with pytest.raises(RefusedError, match=r"git checkout batch-checks\.json"):
        run(checkout, registry)


# ---- what lives already


def test_an_endpoint_and_batch_runs_do_not_become_each_other(
    checkout: Path, registry: Registry, write: Callable[..., None]
) -> None:
    package = registry.register()
    registry.serve(package)
    write("prod")
    with pytest.raises(RefusedError, match=r"is an endpoint .*batch would delete it") as refusal:
        run(checkout, registry)
    assert "delete the stack sagemaker-fraud-p-abc123-deploy-prod first" in str(refusal.value)
    registry.run_batch(package)
    run(checkout, registry)
    (checkout / "prod-config.json").write_text((CONFIGURATIONS / "prod-config.json").read_text(encoding="utf-8"))
    with pytest.raises(RefusedError, match="fraud-prod answers files, and DeploymentMode realtime would end its runs"):
        run(checkout, registry)


def test_what_batch_runs_use_is_what_production_serves(registry: Registry) -> None:
    package = registry.register()
    registry.run_batch(package)
    assert production.look(registry.sagemaker, "fraud-prod", GROUP).clause == "fraud-prod serves version 1"
    found = served.describe(registry.sagemaker, "fraud-prod")
    assert found is not None
    assert (found.mode, found.status, found.model_package_arn) == ("batch", "InService", package)


def test_who_may_not_look_at_pipelines_sees_none_of_them(registry: Registry) -> None:
    """In a project that is older than the mode."""
    registry.refuses["DescribePipeline"] = "AccessDeniedException"
    assert served.describe(registry.sagemaker, "fraud-prod") is None


# ---- what is deployed


def test_a_stage_of_mode_batch_has_a_pipeline_and_nothing_of_an_endpoint() -> None:
    assert Rendering(**MODES["batch"]).resources().keys() == {"Model", "BatchPipeline", "BatchRule"}
    without = Rendering(DeploymentMode="batch").resources()
    assert without.keys() == {"Model", "BatchPipeline"}
    for mode in ("realtime", "serverless", "async"):
        assert not {"BatchPipeline", "BatchRule"} & Rendering(**MODES[mode]).resources().keys()


def test_a_run_asks_the_model_of_the_stack_and_checks_before_it_publishes() -> None:
    definition = _definition()
    (transform, check) = definition["Steps"][1]["Arguments"]["IfSteps"]
    assert transform["Arguments"]["ModelName"] == "<Model.ModelName>"
    assert check["DependsOn"] == [transform["Name"]]
    assert check["Name"] == batch_run.CHECKING_STEP
    assert definition["Parameters"][0]["Name"] == batch_run.INPUT
    assert "VolumeKmsKeyId" not in transform["Arguments"]["TransformResources"]


def test_a_project_s_key_encrypts_the_volume_and_the_answers_of_a_run() -> None:
    (transform, _) = _definition(KmsKeyArn="arn:aws:kms:key")["Steps"][1]["Arguments"]["IfSteps"]
    assert transform["Arguments"]["TransformResources"]["VolumeKmsKeyId"] == "arn:aws:kms:key"
    assert transform["Arguments"]["TransformOutput"]["KmsKeyId"] == "arn:aws:kms:key"


def _definition(**parameters: object) -> dict[str, Any]:
    properties = Rendering(**{**MODES["batch"], **parameters}).resources()["BatchPipeline"]
    found: dict[str, Any] = json.loads(properties["PipelineDefinition"]["PipelineDefinitionBody"])
    return found


# ---- how a run is read


class FakeStage:
    """SageMaker and S3 of a stage, with one run that ends as it is told."""

    def __init__(self, status: str, steps: list[dict[str, Any]]) -> None:
        self.status, self.steps = status, steps
        self.objects: dict[str, bytes] = {}
        self.started: list[dict[str, Any]] = []
        self._looks = 0

    def describe_pipeline(self, PipelineName: str) -> dict[str, Any]:  # noqa: N803
        parameters = [{"Name": "Input", "DefaultValue": f"s3://{BUCKET}/{PipelineName}/batch/staging/input/"}]
        return {"PipelineDefinition": json.dumps({"Parameters": parameters})}

    def start_pipeline_execution(self, **request: Any) -> dict[str, Any]:
        self.started.append(request)
        return {"PipelineExecutionArn": "arn:run"}

    def describe_pipeline_execution(self, **_: str) -> dict[str, Any]:
        self._looks += 1
        return {"PipelineExecutionStatus": self.status if self._looks > 1 else "Executing"}

    def list_pipeline_execution_steps(self, **_: str) -> dict[str, Any]:
        return {"PipelineExecutionSteps": self.steps}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.objects[f"s3://{Bucket}/{Key}"] = Body

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        content = self.objects[f"s3://{Bucket}/{Key}"]

        class Body:
            @staticmethod
            def read() -> bytes:
                return content

        return {"Body": Body}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_run, "POLL_SECONDS", 0.0)


def stage_of(fake: FakeStage) -> BatchStage:
    return BatchStage(fake, fake, "fraud-staging")


def published(manifest: str) -> list[dict[str, Any]]:
    output = {"Name": "Manifest", "Value": manifest}
    return [{"StepName": "CheckAndPublish", "Metadata": {"Lambda": {"OutputParameters": [output]}}}]


def test_files_of_a_test_lie_beside_the_input_of_the_stage() -> None:
    fake = FakeStage("Succeeded", [])
    stage_of(fake).start({"golden.jsonl": [[{"claim": 1}], [{"claim": 2}, {"claim": 3}]]})
    [(url, content)] = fake.objects.items()
    assert url.startswith(f"s3://{BUCKET}/fraud-staging/batch/staging/tests/")
    assert [json.loads(line)["records"] for line in content.splitlines()] == [
        [{"claim": 1}],
        [{"claim": 2}, {"claim": 3}],
    ]
    [request] = fake.started
    assert request["PipelineParameters"] == [{"Name": "Input", "Value": url.removesuffix("golden.jsonl")}]


def test_what_a_run_published_is_read_by_the_name_of_the_file() -> None:
    fake = FakeStage("Succeeded", published("s3://b/published/manifest.json"))
    fake.objects["s3://b/published/manifest.json"] = json.dumps(
        {"answers": ["s3://b/published/one.jsonl.out"]}
    ).encode()
    fake.objects["s3://b/published/one.jsonl.out"] = b'{"predictions": [1, 2]}\n{"predictions": [3]}\n'
    assert stage_of(fake).ended("arn:run").answers == {"one.jsonl": [1, 2, 3]}


def test_a_run_that_failed_says_which_step_and_why() -> None:
    fake = FakeStage("Failed", [{"StepName": "Transform", "FailureReason": "ClientError: See job logs"}])
    found = stage_of(fake).ended("arn:run")
    assert (found.status, found.reason, found.answers) == ("Failed", "Transform: ClientError: See job logs", {})


def test_a_run_that_does_not_end_is_given_up_before_the_build_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_run, "LONGEST_SECONDS", -1)
    fake = FakeStage("Succeeded", [])
    with pytest.raises(RefusedError, match="The run arn:run takes longer than"):
        stage_of(fake).ended("arn:run")


def test_the_names_the_staging_tests_go_by_are_those_of_aws() -> None:
    """What they call exists, with the members that they name."""
    model = client("sagemaker").meta.service_model
    for operation, member in (
        ("StartPipelineExecution", "PipelineParameters"),
        ("DescribePipelineExecution", "PipelineExecutionArn"),
        ("ListPipelineExecutionSteps", "PipelineExecutionArn"),
    ):
        assert member in model.operation_model(operation).input_shape.members
