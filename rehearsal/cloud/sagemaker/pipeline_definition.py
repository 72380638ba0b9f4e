"""A pipeline definition, read and checked as CreatePipeline and UpdatePipeline do.

https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/ (the published schema is
older than what AWS's SDK writes; where they differ, the SDK's output is followed). Types of arguments are looked at
here (`step_arguments.py`); the rest of them the call that the step makes checks when it starts, as on AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.errors import NotImplementedHere
from rehearsal.cloud.sagemaker import pipeline_quotas as quotas
from rehearsal.cloud.sagemaker.conditions import check
from rehearsal.cloud.sagemaker.expressions import EXECUTION_VARIABLES, Reference, malformed, references
from rehearsal.cloud.sagemaker.pipeline_members import (
    InvalidDefinition,
    cache_config,
    depends_on,
    listed,
    members,
    output_parameters,
    property_files,
    retry_policies,
)
from rehearsal.cloud.sagemaker.pipeline_parameters import Parameter, declared, values_of
from rehearsal.cloud.sagemaker.step_arguments import misfits

VERSION = "2020-12-01"
TOP_LEVEL = {"Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps"}
STEP_MEMBERS = {
    "Name",
    "Type",
    "Arguments",
    "DependsOn",
    "DisplayName",
    "Description",
    "CacheConfig",
    "RetryPolicies",
    "PropertyFiles",
}
ARGUMENTS = {"Condition": {"Conditions", "IfSteps", "ElseSteps"}, "Fail": {"ErrorMessage"}}
"""Of the steps that make no call, whose arguments nobody else would check."""
LAMBDA_MEMBERS = {"FunctionArn", "OutputParameters"}
PLAYED = ("Processing", "Training", "Transform", "Model", "RegisterModel", "Condition", "Fail", "Lambda")
KNOWN_TYPES = {
    *PLAYED,
    *("Tuning", "AutoML", "Callback", "EMR", "EMRServerless", "Endpoint"),
    *("EndpointConfig", "InferenceComponent", "QualityCheck", "ClarifyCheck", "NotebookJob", "MonitorBatchTransform"),
}
CACHED = ("Processing", "Training", "Transform")
"""Of the played types. https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-caching.html"""
RETRIED = ("Processing", "Training", "Transform", "Model", "RegisterModel")
"""Of the played types. https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html"""
LAMBDA_OUTPUT = re.compile(r"^OutputParameters\['([^']*)'\]$")
NAME = re.compile(r"^[A-Za-z0-9\-_]{1,64}$")


@dataclass(frozen=True)
class Step:
    """One step, wherever it stands: `branch` names the condition step and the outcome that lets it run."""

    name: str
    type: str
    arguments: dict[str, Any]
    depends_on: frozenset[str]
    branch: tuple[str, bool] | None = None
    display_name: str | None = None
    description: str | None = None
    cache: dict[str, Any] = field(default_factory=dict)
    retries: tuple[dict[str, Any], ...] = ()
    property_files: dict[str, dict[str, str]] = field(default_factory=dict)
    function_arn: Any = None
    outputs: tuple[dict[str, str], ...] = ()
    """Of Lambda steps."""


@dataclass(frozen=True)
class Definition:
    """All that an execution needs to know."""

    parameters: dict[str, Parameter]
    steps: dict[str, Step]
    experiment: dict[str, Any] | None

    def values(self, given: list[dict[str, str]]) -> dict[str, Any]:
        """Parameter values of one execution. Raises AwsError for unknown, missing and unfitting ones."""
        return values_of(self.parameters, given)


def parse(text: str) -> Definition:
    """Read and check a definition. Raises InvalidDefinition, or NotImplementedHere for step types not played."""
    try:
        document = json.loads(text)
    except ValueError as problem:
        raise InvalidDefinition(f"It is not valid JSON: {problem}.") from None
    if not isinstance(document, dict):
        raise InvalidDefinition("Expecting start of Json Object.")
    unknown = sorted(set(document) - TOP_LEVEL)
    if unknown:
        raise InvalidDefinition(f"Unknown properties: [{', '.join(unknown)}].")
    if document.get("Version") != VERSION:
        raise InvalidDefinition(f"Version '{document.get('Version')}' is not supported; it must be '{VERSION}'.")
    if document.get("MlflowConfig"):
        raise NotImplementedHere("MlflowConfig of a pipeline definition")
    quotas.check_metadata(document.get("Metadata"))
    parameters = declared(listed("Parameters", document.get("Parameters")))
    if not document.get("Steps"):
        raise InvalidDefinition("Steps must contain at least one step.")
    steps: dict[str, Step] = {}
    for step in _steps(document["Steps"], None):
        if step.name in steps:
            raise InvalidDefinition(f"Step names must be unique: [{step.name}] is used more than once.")
        steps[step.name] = step
    quotas.at_most(quotas.STEPS, steps, "steps", "a pipeline")
    _refuse_too_many(steps)
    steps = {name: _with_dependencies(step, parameters, steps) for name, step in steps.items()}
    _refuse_cycles(steps)
    return Definition(parameters, steps, document.get("PipelineExperimentConfig"))


def _refuse_too_many(steps: dict[str, Step]) -> None:
    """Files and functions that a pipeline can have so many of, in whichever of its steps."""
    files: list[str] = []
    gets: list[Any] = []
    for step in steps.values():
        files += step.property_files
        gets += quotas.json_gets([own_arguments(step), step.function_arn])
        quotas.at_most(quotas.PROPERTY_FILES, files, f"property files up to step [{step.name}]", "a pipeline")
        quotas.at_most(quotas.JSON_GETS, gets, f"Std:JsonGet functions up to step [{step.name}]", "a pipeline")


def _steps(items: Any, branch: tuple[str, bool] | None) -> Iterator[Step]:  # noqa: ANN401 - JSON
    if not isinstance(items, list):
        raise InvalidDefinition("Expecting start of Json Array for steps.")
    for item in items:
        step = _step(item, branch)
        yield step
        if step.type == "Condition":
            yield from _steps(item["Arguments"].get("IfSteps", []), (step.name, True))
            yield from _steps(item["Arguments"].get("ElseSteps", []), (step.name, False))


def _step(item: Any, branch: tuple[str, bool] | None) -> Step:  # noqa: ANN401 - JSON
    if not isinstance(item, dict):
        raise InvalidDefinition("Expecting start of Json Object for a step.")
    name, kind = item.get("Name", ""), item.get("Type")
    if not isinstance(name, str) or not NAME.match(name):
        raise InvalidDefinition(f"Step name '{name}' must match {NAME.pattern}.")
    if kind not in KNOWN_TYPES:
        raise InvalidDefinition(f"Type '{kind}' of step [{name}] is not a step type.")
    if kind not in PLAYED:
        raise NotImplementedHere(f"Step type {kind} (step {name})")
    members(f"step [{name}]", item, STEP_MEMBERS | (LAMBDA_MEMBERS if kind == "Lambda" else set()))
    if kind == "Lambda" and not item.get("FunctionArn"):
        raise InvalidDefinition(f"Step [{name}] has no FunctionArn.")
    if not isinstance(item.get("Arguments"), dict):
        raise InvalidDefinition(f"Step [{name}] has no Arguments.")
    if kind in ARGUMENTS:
        members(f"Arguments of step [{name}]", item["Arguments"], ARGUMENTS[kind])
    misfit = next(misfits(kind, item["Arguments"]), None)
    if misfit:
        raise InvalidDefinition(f"Model validation failed - step [{name}]: {misfit}.")
    conditions = listed(f"Conditions of step [{name}]", item["Arguments"].get("Conditions"))
    quotas.at_most(quotas.CONDITIONS, conditions, "conditions", f"step [{name}]")
    for condition in conditions:
        check(name, condition)
    for branch_steps in ("IfSteps", "ElseSteps") if kind == "Condition" else ():
        held = listed(f"{branch_steps} of step [{name}]", item["Arguments"].get(branch_steps))
        quotas.at_most(quotas.BRANCH_STEPS, held, f"steps in {branch_steps}", f"step [{name}]")
    cache = cache_config(name, item.get("CacheConfig"))
    retries = retry_policies(name, item.get("RetryPolicies"))
    if cache and kind not in CACHED:
        raise InvalidDefinition(f"Step [{name}] of type {kind} cannot have a CacheConfig.")
    if retries and kind not in RETRIED:
        raise InvalidDefinition(f"Step [{name}] of type {kind} cannot have RetryPolicies.")
    return Step(
        name,
        kind,
        item["Arguments"],
        depends_on(name, item.get("DependsOn")),
        branch,
        item.get("DisplayName"),
        item.get("Description"),
        cache,
        retries,
        property_files(name, item.get("PropertyFiles")),
        item.get("FunctionArn"),
        output_parameters(name, item.get("OutputParameters")),
    )


def own_arguments(step: Step) -> dict[str, Any]:
    """A step's arguments without the steps that a condition carries in its own."""
    if step.type != "Condition":
        return step.arguments
    return {key: value for key, value in step.arguments.items() if key not in ("IfSteps", "ElseSteps")}


def _with_dependencies(step: Step, parameters: dict[str, Parameter], steps: dict[str, Step]) -> Step:
    needed = set(step.depends_on)
    for name in sorted(needed - set(steps)):
        raise InvalidDefinition(f"Step [{step.name}] depends on step [{name}], which is not defined.")
    wrong = next(malformed([own_arguments(step), step.function_arn]), None)
    if wrong:
        raise InvalidDefinition(f"Step [{step.name}]: {wrong}")
    for reference in references([own_arguments(step), step.function_arn]):
        _check_reference(step, reference, parameters, steps)
        if reference.kind == "Steps":
            needed.add(reference.name)
    if step.branch:
        needed.add(step.branch[0])
    return Step(**{**step.__dict__, "depends_on": frozenset(needed)})


def _check_reference(
    step: Step, reference: Reference, parameters: dict[str, Parameter], steps: dict[str, Step]
) -> None:
    where = f"Step [{step.name}] refers to '{reference.text}'"
    if reference.kind == "Parameters":
        if reference.name not in parameters:
            raise InvalidDefinition(f"{where}, but parameter [{reference.name}] is not defined.")
    elif reference.kind == "Execution":
        if reference.name not in EXECUTION_VARIABLES:
            raise InvalidDefinition(f"{where}, which is not an execution variable.")
    elif reference.kind == "Steps":
        if reference.name not in steps:
            raise InvalidDefinition(f"{where}, but step [{reference.name}] is not defined.")
        file = reference.property_file
        if file and file not in steps[reference.name].property_files:
            raise InvalidDefinition(f"{where}, but step [{reference.name}] has no property file [{file}].")
        output = LAMBDA_OUTPUT.match(reference.path)
        if output and output[1] not in (each["OutputName"] for each in steps[reference.name].outputs):
            raise InvalidDefinition(f"{where}, but step [{reference.name}] has no output parameter [{output[1]}].")
        if steps[reference.name].type == "Fail":
            raise InvalidDefinition(f"{where}, but a Fail step has no properties.")
    else:
        raise InvalidDefinition(f"{where}, which is neither a parameter, an execution variable nor a step's property.")


def _refuse_cycles(steps: dict[str, Step]) -> None:
    done: set[str] = set()
    while len(done) < len(steps):
        ready = {name for name, step in steps.items() if name not in done and step.depends_on <= done}
        if not ready:
            raise InvalidDefinition(f"The steps depend on each other in a cycle: [{', '.join(set(steps) - done)}].")
        done |= ready
