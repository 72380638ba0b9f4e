"""What a project costs is worked out from the templates and seeds as they are, at the prices of one table."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from checks.template_file import PROJECT, Template
from pricing import PriceError, Prices, consumption
from pricing import __main__ as command
from pricing.estimate import Part, estimate

ROOT = Path(__file__).resolve().parents[2]
READ = (
    consumption.PROJECT,
    consumption.ENDPOINT,
    consumption.KNOBS,
    consumption.PIPELINE,
    *(Path(f"deploy_repo/{stage}-config.json") for stage in consumption.STAGES),
)
Change = Callable[[str, str, str], None]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that the estimate reads, to be changed."""
    for each in READ:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / each, tmp_path / each)
    return tmp_path


@pytest.fixture
def change(clone: Path) -> Change:
    """Replace words in a file of the clone; they have to be there."""

    def replaced(name: str, old: str, new: str) -> None:
        text = (clone / name).read_text()
        assert old in text, f"{name} no longer says {old!r}"
        (clone / name).write_text(text.replace(old, new))

    return replaced


def dollars(part: Part, words: str) -> float:
    return sum(line.dollars for line in part.lines if words in line.what)


def test_the_launch_form_says_what_the_choices_cost() -> None:
    document = Template(PROJECT, {}).document
    summary = estimate(ROOT).summary

    wrong = f"Write this into cloudformation/project.yaml: {summary}"
    assert summary in " ".join(str(document["Description"]).split()), wrong
    assert summary in " ".join(str(document["Parameters"]["WhenProjectIsDeleted"]["Description"]).split()), wrong


def test_a_month_of_an_endpoint_is_its_instances_and_its_alarms(clone: Path) -> None:
    hosting = Prices.read().of("sagemaker-hosting:ml.m5.large").price
    config = json.loads((clone / "deploy_repo/prod-config.json").read_text())["Parameters"]
    production = estimate(clone).endpoints["prod"]

    instances = config["EndpointInstanceCount"] * 730 * hosting
    assert dollars(production, "instances") == pytest.approx(instances)
    assert dollars(production, "cloudwatch:alarm") == pytest.approx(0.4), "two of its own and two of autoscaling"
    assert f"${config['EndpointMaxInstanceCount'] * 730 * hosting:.2f}" in production.note


def test_staging_costs_by_the_hour_of_use_unless_it_is_kept(clone: Path, change: Change) -> None:
    used = estimate(clone)
    change("deploy_repo/staging-config.json", '"KeepAfterTests": false', '"KeepAfterTests": true')
    kept = estimate(clone)

    assert (used.endpoints["staging"].every, kept.endpoints["staging"].every) == ("hour", "month")
    assert kept.endpoints["staging"].dollars == pytest.approx(730 * used.endpoints["staging"].dollars)
    assert "staging $0.12 an hour of use" in used.summary
    assert "staging about $84 (" in kept.summary
    assert used.endpoints["prod"] == kept.endpoints["prod"]


def test_more_instances_of_another_type_cost_more(clone: Path, change: Change) -> None:
    before = estimate(clone).endpoints["staging"]
    change("deploy_repo/staging-config.json", "ml.m5.large", "ml.m5.xlarge")
    change("deploy_repo/staging-config.json", '"EndpointInstanceCount": 1', '"EndpointInstanceCount": 3')

    after = estimate(clone).endpoints["staging"]
    assert dollars(after, "instances") == pytest.approx(6 * dollars(before, "instances"))


def test_an_endpoint_that_autoscales_has_two_alarms_more(clone: Path, change: Change) -> None:
    change("deploy_repo/staging-config.json", '"KeepAfterTests": false', '"KeepAfterTests": true')
    before = dollars(estimate(clone).endpoints["staging"], "cloudwatch:alarm")
    change("deploy_repo/staging-config.json", '"EndpointMaxInstanceCount": 1', '"EndpointMaxInstanceCount": 2')

    assert dollars(estimate(clone).endpoints["staging"], "cloudwatch:alarm") == pytest.approx(before + 0.2)


def test_an_asynchronous_endpoint_that_sleeps_costs_its_alarms_and_hours_awake(clone: Path, change: Change) -> None:
    change("deploy_repo/prod-config.json", '"Parameters": {', '"Parameters": {"DeploymentMode": "async",')
    production = estimate(clone).endpoints["prod"]
    hosting = Prices.read().of("sagemaker-hosting:ml.m5.large").price

    assert production.title == "The prod endpoint, async"
    assert dollars(production, "instances") == 0
    assert production.dollars == pytest.approx(0.5), "three alarms of its own and two of target tracking"
    assert f"it sleeps; ${hosting:.3f} for each hour of an instance that is awake" in production.note
    change("deploy_repo/prod-config.json", '"Parameters": {', '"Parameters": {"AsyncLeastInstanceCount": 1,')
    assert dollars(estimate(clone).endpoints["prod"], "instances") == pytest.approx(730 * hosting)


def test_a_longer_bake_makes_a_deployment_dearer(clone: Path, change: Change) -> None:
    before = dollars(estimate(clone).deployment, "second fleet of prod")
    change("deploy_repo/prod-config.json", '"TerminationWaitSeconds": 300', '"TerminationWaitSeconds": 1200')

    assert dollars(estimate(clone).deployment, "second fleet of prod") == pytest.approx(before * 2), "15 minutes more"


def test_a_training_run_is_as_many_jobs_as_the_pipeline_has_steps(clone: Path) -> None:
    counts = {job.kind: (job.steps, job.instance_type) for job in consumption.jobs(clone)}

    assert counts == {"processing": (2, "ml.m5.large"), "training": (1, "ml.m5.large")}


def test_a_bigger_machine_in_the_knobs_makes_a_run_dearer(clone: Path, change: Change) -> None:
    before = dollars(estimate(clone).training, "training jobs")
    change(
        "build_repo/pipelines/knobs.py",
        'TRAINING_INSTANCE_TYPE = "ml.m5.large"',
        'TRAINING_INSTANCE_TYPE = "ml.m5.xlarge"',
    )

    assert dollars(estimate(clone).training, "training jobs") == pytest.approx(2 * before)


def test_an_approval_is_not_charged_and_every_other_action_is(clone: Path) -> None:
    pipeline = next(line for line in estimate(clone).deployment.lines if line.what == "CodePipeline")
    actions = consumption.actions(consumption.project(clone), "DeployPipeline")

    minutes = 43  # 1 source, 2 builds of 4, 2 stacks of 15, 4 functions
    assert pipeline.amount == f"{len(actions)} actions, {minutes} minutes"
    assert pipeline.dollars == pytest.approx(minutes * 0.002)


def test_a_larger_build_machine_in_the_template_is_seen(clone: Path, change: Change) -> None:
    before = dollars(estimate(clone).training, "build BuildTrainRegister")
    change("cloudformation/project.yaml", "ComputeType: BUILD_GENERAL1_SMALL", "ComputeType: BUILD_GENERAL1_MEDIUM")

    assert dollars(estimate(clone).training, "build BuildTrainRegister") == pytest.approx(2 * before)


@pytest.mark.parametrize("kind", consumption.serving_types(ROOT))
def test_every_type_that_the_registered_model_may_run_on_has_a_price(kind: str) -> None:
    assert Prices.read().of(f"sagemaker-hosting:{kind}").price > 0


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "deploy_repo/prod-config.json",
            "ml.m5.large",
            "ml.p9.huge",
            "no price of sagemaker-hosting:ml.p9.huge in us-east-1",
        ),
        ("deploy_repo/prod-config.json", '"Parameters"', '"Other"', "cannot be read as a stage's configuration"),
        ("build_repo/pipelines/pipeline.py", "ConditionStep(", "TransformStep(", "not estimated: TransformStep"),
        ("build_repo/pipelines/pipeline.py", "def gate", "def gate gate", "pipeline.py, line"),
        ("build_repo/pipelines/knobs.py", "VOLUME_SIZE_GB = 30", "VOLUME_SIZE_GB = f()", "does not set VOLUME_SIZE_GB"),
        (
            "cloudformation/project.yaml",
            "Type: AWS::SNS::TopicPolicy",
            "Type: AWS::EC2::NatGateway",
            "does not say what AWS::EC2::NatGateway costs for being there",
        ),
        (
            "cloudformation/project.yaml",
            "Owner: AWS, Provider: Lambda",
            "Owner: AWS, Provider: StepFunctions",
            "how long the action DecideDeployment of the provider StepFunctions takes",
        ),
    ],
)
def test_what_the_table_does_not_know_is_told_by_name(
    clone: Path, change: Change, name: str, old: str, new: str, told: str
) -> None:
    change(name, old, new)

    with pytest.raises(PriceError) as caught:
        estimate(clone)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", READ)
def test_a_missing_file_is_told_by_name(clone: Path, name: Path) -> None:
    (clone / name).unlink()

    with pytest.raises(PriceError, match=rf"{name.name} is missing"):
        estimate(clone)


def test_a_region_with_prices_of_its_own_is_counted_with_them() -> None:
    near, far = estimate(ROOT, "us-east-1"), estimate(ROOT, "eu-west-1")

    ratio = far.endpoints["staging"].lines[0].dollars / near.endpoints["staging"].lines[0].dollars
    assert ratio == pytest.approx(0.128 / 0.115)
    assert "eu-west-1" in far.summary


def test_a_region_without_prices_is_refused_with_those_that_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--region", "ap-south-2"]) == 1

    printed = capsys.readouterr()
    assert "holds no prices of the region ap-south-2, but of eu-west-1, us-east-1" in printed.err
    assert printed.out == ""


def test_the_tables_sum_is_the_sum_of_its_lines_and_old_prices_are_told() -> None:
    found = estimate(ROOT)
    console = Console(width=120, record=True, file=io.StringIO())

    old = replace(found, prices=replace(found.prices, date=found.prices.date - timedelta(days=4000)))
    command.show(old, console, max_age=3000)
    text = console.export_text()

    assert "days old. Look them up anew" in text
    for part in found.parts:
        assert f"{part.dollars:.2f}" in text
        assert part.dollars == pytest.approx(sum(line.dollars for line in part.lines))


def test_production_is_told_in_every_mode_that_the_template_has(clone: Path) -> None:
    found = estimate(clone)

    assert list(found.other_modes) == ["serverless", "async", "batch"]
    assert [part.every for part in found.other_modes.values()] == ["month", "month", "run"]
    assert found.other_modes["serverless"].dollars < 1, "nothing is charged while nobody asks"
    assert found.other_modes["async"].dollars < 1, "it sleeps"
    assert "each hour of an instance that is awake" in found.other_modes["async"].note
    assert 0 < found.other_modes["batch"].dollars < 0.1, "one transform job of some minutes"

    config = json.loads((clone / "deploy_repo" / "prod-config.json").read_text())
    mode = json.dumps(config | {"Parameters": config["Parameters"] | {"DeploymentMode": "serverless"}})
    (clone / "deploy_repo" / "prod-config.json").write_text(mode)

    assert list(estimate(clone).other_modes) == ["realtime", "async", "batch"]
    assert estimate(clone).other_modes["realtime"].dollars > 100


def test_without_a_price_serverless_is_not_compared_and_that_is_said() -> None:
    prices = Prices.read()
    known = {name: item for name, item in prices.items.items() if name != "sagemaker-serverless"}
    found = estimate(ROOT, prices=replace(prices, items=known))
    console = Console(width=120, record=True, file=io.StringIO())
    command.show(found, console)

    assert list(found.other_modes) == ["async", "batch"]
    assert "Serverless endpoints are not compared" in console.export_text()


def test_prices_of_today_are_not_called_old() -> None:
    found = estimate(ROOT)
    console = Console(width=120, record=True, file=io.StringIO())
    command.show(found, console, max_age=100_000)

    assert "days old" not in console.export_text()


def test_the_command_line_tells_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0

    printed = capsys.readouterr().out
    for words in ("An idle project", "A training run", "A deployment", "The staging endpoint", "The prod endpoint"):
        assert words in printed
