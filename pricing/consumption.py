"""What a project consumes, read from the templates and seeds of this clone: resources, actions, jobs, fleets."""

from __future__ import annotations

import ast
import json
import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import loads

from checks.template_file import EXAMPLES, Resource, Template
from pricing import PriceError

PROJECT = Path("cloudformation/project.yaml")
ENDPOINT = Path("deploy_repo/endpoint-config-template.yml")
MODE = "DeploymentMode"
KNOBS = Path("build_repo/pipelines/knobs.py")
PIPELINE = Path("build_repo/pipelines/pipeline.py")
STAGES = ("staging", "prod")
JOBS = {"ProcessingStep": "PROCESSING", "TrainingStep": "TRAINING"}
"""Steps that start a job on an instance, and what the knobs of that instance begin with."""
STEPS, IN_FILES = "StepScaling", "AsyncInferenceConfig"
FREE_STEPS = {"ConditionStep", "FailStep", "ModelStep"}


@dataclass(frozen=True)
class Action:
    """One action of a CodePipeline; `compute` is the compute type of its build, as CodeBuild's prices name it."""

    name: str
    provider: str
    compute: str = ""


@dataclass(frozen=True)
class Job:
    """Jobs of one kind that one execution of the SageMaker pipeline starts."""

    kind: str
    steps: int
    instance_type: str
    instances: int
    volume_gigabytes: int


@dataclass(frozen=True)
class Fleet:
    """The instances of a stage's endpoint, and how long two fleets run side by side when a version is deployed."""

    stage: str
    instance_type: str
    least: int
    most: int
    idle: int
    """How many autoscaling leaves while nobody asks: none of an asynchronous endpoint that may sleep."""
    both_seconds: int
    mode: str
    """In the words of DeploymentMode."""
    is_kept: bool
    """Whether it stays when no deployment needs it."""
    resources: Counter[str]
    """What the endpoint's stack holds, by type."""


def read_template(path: Path, parameters: dict[str, Any]) -> Template:
    """A template with its defaults, other parameters where given, and examples for the rest. Raises PriceError."""
    if not path.is_file():
        raise PriceError(f"{path} is missing: what a project costs is read from it. Run this from a full clone.")
    document = _document(path.read_text(encoding="utf-8"))
    defaults = {name: each["Default"] for name, each in document.get("Parameters", {}).items() if "Default" in each}
    texts = {name: _text(value) for name, value in (EXAMPLES | defaults | parameters).items()}
    return Template(path, texts, document)


def project(root: Path) -> Template:
    """The product's template as it is launched when nobody chooses anything."""
    return read_template(root / PROJECT, {})


def endpoint(root: Path, stage: str, mode: str = "") -> Template:
    """The template of a stage's endpoint, with the parameters of its configuration, or in another mode with them."""
    given = _config(root, stage)["Parameters"] | ({MODE: mode} if mode else {})
    names = {"SageMakerProjectName": "n", "SageMakerProjectId": "p-1", "StageName": stage, "EndpointName": f"n-{stage}"}
    return read_template(root / ENDPOINT, names | given)


def standing(template: Template) -> Counter[str]:
    """How many resources of each type a stack of the template has; step scaling is told from target tracking."""
    return Counter(_kind(each) for each in template.resources if _is_made(template, each))


def _kind(resource: Resource) -> str:
    return f"{resource.type} ({STEPS})" if resource.properties.get("PolicyType") == STEPS else resource.type


def actions(template: Template, pipeline: str) -> list[Action]:
    """The actions of one of the project's pipelines, in order."""
    builds = {template.name(each): each for each in template.of_type("AWS::CodeBuild::Project")}
    found = []
    for stage in template.resolve(template.resource(pipeline).properties["Stages"]):
        for action in stage["Actions"]:
            build = builds.get(action.get("Configuration", {}).get("ProjectName", ""))
            compute = template.resolve(build.properties["Environment"]["ComputeType"]) if build else ""
            compute = compute.lower().removeprefix("build_").replace("_", ".")
            found.append(Action(action["Name"], action["ActionTypeId"]["Provider"], compute))
    return found


def jobs(root: Path) -> list[Job]:
    """The jobs of one execution of the seed's SageMaker pipeline, none of them cached. Raises PriceError."""
    knobs = _knobs(root)
    called = Counter(_step(node) for node in ast.walk(_tree(root / PIPELINE)) if isinstance(node, ast.Call))
    called.pop("", None)
    unknown = sorted(set(called) - set(JOBS) - FREE_STEPS)
    if unknown:
        raise PriceError(
            f"{PIPELINE} has steps whose jobs are not estimated: {', '.join(unknown)}. Say in pricing/consumption.py "
            "which instances they start."
        )
    return [
        Job(
            kind=prefix.lower(),
            steps=called[step],
            instance_type=str(_knob(knobs, f"{prefix}_INSTANCE_TYPE")),
            instances=int(_knob(knobs, f"{prefix}_INSTANCE_COUNT")),
            volume_gigabytes=int(_knob(knobs, "VOLUME_SIZE_GB")),
        )
        for step, prefix in JOBS.items()
        if called[step]
    ]


def serving_types(root: Path) -> tuple[str, ...]:
    """The instance types that a registered model may be deployed on."""
    return tuple(_knob(_knobs(root), "SERVING_INSTANCE_TYPES"))


def modes(root: Path) -> tuple[str, ...]:
    """The ways in which the endpoint's template can serve a version."""
    return tuple(read_template(root / ENDPOINT, {}).document["Parameters"][MODE]["AllowedValues"])


def fleet(root: Path, stage: str, mode: str = "") -> Fleet:
    """The fleet of a stage, as its configuration has it; in another mode where one is given."""
    template = endpoint(root, stage, mode)
    is_kept = stage != "staging" or bool(_config(root, stage).get("KeepAfterTests", False))
    if template.parameters[MODE] == "batch":
        runs_on = template.parameters["BatchInstanceType"]
        return Fleet(stage, runs_on, 0, 0, 0, 0, "batch", is_kept, standing(template))
    config = template.resolve(template.of_type("AWS::SageMaker::EndpointConfig")[0].properties)
    (variant,) = config["ProductionVariants"]
    policy = template.resolve(template.of_type("AWS::SageMaker::Endpoint")[0].properties)
    targets = template.of_type("AWS::ApplicationAutoScaling::ScalableTarget")
    scaled = [template.resolve(each.properties) for each in targets if _is_made(template, each)]
    least = int(variant.get("InitialInstanceCount", 0))
    return Fleet(
        stage=stage,
        instance_type=str(variant.get("InstanceType", "")),
        least=least,
        most=max([least, *(int(each["MaxCapacity"]) for each in scaled)]),
        idle=min([least, *(int(each["MinCapacity"]) for each in scaled)]),
        both_seconds=_both_seconds(policy.get("DeploymentConfig"), least),
        mode="serverless" if "ServerlessConfig" in variant else "async" if IN_FILES in config else "realtime",
        is_kept=is_kept,
        resources=standing(template),
    )


def _both_seconds(deployment: dict[str, Any] | None, instances: int) -> int:
    """How long as many instances again as the fleet has are paid for while a version is deployed."""
    if not deployment:
        return 0
    if "RollingUpdatePolicy" in deployment:
        shift = deployment["RollingUpdatePolicy"]
        # Each batch is paid for twice while it bakes: all of them together are the fleet once.
        return int(shift["WaitIntervalInSeconds"])
    shift = deployment["BlueGreenUpdatePolicy"]
    routing = shift["TrafficRoutingConfiguration"]
    steps = 1
    if "LinearStepSize" in routing:
        steps = max(min(math.ceil(100 / int(routing["LinearStepSize"]["Value"])), instances) - 1, 1)
    return steps * int(routing["WaitIntervalInSeconds"]) + int(shift["TerminationWaitInSeconds"])


@cache
def _document(text: str) -> dict[str, Any]:
    """A template's text, parsed; the stages share one template."""
    return dict(loads(text))


def _config(root: Path, stage: str) -> dict[str, Any]:
    """A stage's configuration: `Parameters`, and what stands beside them."""
    path = root / "deploy_repo" / f"{stage}-config.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        dict(found["Parameters"])
    except FileNotFoundError as error:
        raise PriceError(f"{path} is missing: what the {stage} endpoint costs is read from it.") from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise PriceError(
            f"{path} cannot be read as a stage's configuration: {error}. 'make build' says more."
        ) from error
    return found


def _is_made(template: Template, resource: Resource) -> bool:
    return "Condition" not in resource.body or template.condition(str(resource.body["Condition"]))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PriceError(f"{path} is missing: what a training run costs is read from it.") from error
    except SyntaxError as error:
        raise PriceError(f"{path}, line {error.lineno}: it is not Python: {error.msg}.") from error


def _step(call: ast.Call) -> str:
    """The kind of step that a call makes; the seed's own kinds end in the SDK's names."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if not name.endswith("Step"):
        return ""
    return next((known for known in (*JOBS, *FREE_STEPS) if name.endswith(known)), name)


def _knobs(root: Path) -> dict[str, Any]:
    """The constants of the seed's knobs, read and not run."""
    found: dict[str, Any] = {}
    for node in _tree(root / KNOBS).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                continue
            found |= {target.id: value for target in node.targets if isinstance(target, ast.Name)}
    return found


def _knob(knobs: dict[str, Any], name: str) -> Any:  # noqa: ANN401 — a number, a text or several
    if name not in knobs:
        raise PriceError(f"{KNOBS} does not set {name} to a plain value: what a training run costs is read from it.")
    return knobs[name]
