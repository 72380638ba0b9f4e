"""Is a pipeline's declaration one AWS accepts, and one that can be played here?

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
"""

from __future__ import annotations

import copy
from collections import Counter

from rehearsal.cloud.codepipeline.actions import action_for
from rehearsal.cloud.codepipeline.conditions import OPERATORS, VARIABLE_CHECK, VARIABLE_CHECK_KEYS
from rehearsal.cloud.codepipeline.references import check_references
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Document

MOST_STAGES = 50
MOST_ACTIONS = 50
"""Of one stage."""
MOST_ACTIONS_OF_ALL = 1000
"""Of a pipeline: https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""
FAILURE_RESULTS = ("ROLLBACK", "RETRY")
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-codepipeline-pipeline-failureconditions.html"""


def structure(message: str) -> AwsError:
    return AwsError("InvalidStructureException", message)


def bad_stage(message: str) -> AwsError:
    return AwsError("InvalidStageDeclarationException", message)


def bad_action(message: str) -> AwsError:
    return AwsError("InvalidActionDeclarationException", message)


def normalised(declaration: Document) -> Document:
    """The declaration as GetPipeline answers it: with every default AWS fills in."""
    full = copy.deepcopy(declaration)
    full.setdefault("executionMode", "SUPERSEDED")
    full.setdefault("pipelineType", "V2" if full.get("variables") else "V1")
    for stage in full["stages"]:
        for action in stage["actions"]:
            action.setdefault("runOrder", 1)
            action.setdefault("configuration", {})
            action.setdefault("inputArtifacts", [])
            action.setdefault("outputArtifacts", [])
    return full


def check(declaration: Document, region: str) -> None:
    """Raise AwsError for the first thing AWS refuses, NotImplementedHere for the first this cloud does not play."""
    _check_pipeline(declaration, region)
    _check_stages(declaration)
    for number, stage in enumerate(declaration["stages"]):
        _check_conditions(stage, declaration["pipelineType"], first=number == 0)
        for action in stage["actions"]:
            _check_action(stage["name"], action, region)
    _check_artifacts(declaration)
    check_references(declaration)


def _check_pipeline(declaration: Document, region: str) -> None:
    if "artifactStores" in declaration:
        if "artifactStore" in declaration:
            raise structure("Pipeline can have either artifactStore or artifactStores, but not both")
        raise NotImplementedHere(f"artifactStores (actions in regions other than {region})")
    if "artifactStore" not in declaration:
        raise structure("Pipeline must have an artifactStore or artifactStores")
    if declaration["executionMode"] == "PARALLEL":
        raise NotImplementedHere("executionMode PARALLEL")
    v2 = declaration["pipelineType"] == "V2"
    if declaration["executionMode"] != "SUPERSEDED" and not v2:
        raise structure(f"Execution mode {declaration['executionMode']} can only be used with V2 pipelines")
    if declaration.get("triggers"):
        raise NotImplementedHere("triggers of a pipeline (they belong to CodeStarSourceConnection sources)")
    variables = [variable["name"] for variable in declaration.get("variables", [])]
    if variables and not v2:
        raise structure("Pipeline variable can only be used with V2 pipelines")
    for name in repeated(variables):
        raise structure(f"Variable names must be unique. The following variable name is already in use: {name}")


def repeated(names: list[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name, times in Counter(names).items() if times > 1]


def _check_stages(declaration: Document) -> None:
    stages = declaration["stages"]
    if len(stages) < 2:
        raise structure(
            f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in a pipeline"
        )
    if len(stages) > MOST_STAGES:
        raise structure(f"Pipeline has {len(stages)} stages. There should be a maximum of {MOST_STAGES}")
    actions = sum(len(stage["actions"]) for stage in stages)
    if actions > MOST_ACTIONS_OF_ALL:
        raise structure(f"Pipeline has {actions} actions. There should be a maximum of {MOST_ACTIONS_OF_ALL}")
    for name in repeated([stage["name"] for stage in stages]):
        raise bad_stage(f"A pipeline cannot have two stages with the same name: {name}")
    for stage in stages:
        if not 1 <= len(stage["actions"]) <= MOST_ACTIONS:
            raise bad_stage(
                f"Stage {stage['name']} has {len(stage['actions'])} actions. A stage has 1 to {MOST_ACTIONS} actions"
            )
        if stage.get("blockers"):
            raise NotImplementedHere(f"blockers of stage {stage['name']}")
        for name in repeated([action["name"] for action in stage["actions"]]):
            raise bad_stage(f"A stage cannot have two actions with the same name: {name} in stage {stage['name']}")
    if any(action["actionTypeId"]["category"] != "Source" for action in stages[0]["actions"]):
        raise structure("Pipeline should start with a stage that only contains source actions")
    for stage in stages[1:]:
        for action in stage["actions"]:
            if action["actionTypeId"]["category"] == "Source":
                raise structure(
                    f"Only the first stage of a pipeline can contain source actions: {action['name']} in stage "
                    f"{stage['name']}"
                )


def _check_action(stage: str, action: Document, region: str) -> None:
    kind, name = action["actionTypeId"], action["name"]
    provider = action_for(kind)
    if provider is None:
        raise NotImplementedHere(
            f"action provider {kind['provider']} (category {kind['category']}, owner {kind['owner']}, version "
            f"{kind['version']}) of action {name} in stage {stage}"
        )
    if action.get("region", region) != region:
        raise NotImplementedHere(f"action {name} of stage {stage} in another region, {action['region']}")
    for member in ("commands", "outputVariables", "environmentVariables"):
        if action.get(member):
            raise bad_action(f"Action {name} can have {member} only with action provider Commands")
    if "timeoutInMinutes" in action and kind["category"] != "Approval":
        raise bad_action(f"Action {name} can have timeoutInMinutes only with action provider Manual")
    configuration, shape = action["configuration"], provider.shape
    for key in sorted(set(configuration) - shape.keys):
        raise bad_action(f"Action configuration for action '{name}' contains unknown configuration '{key}'")
    for key in sorted(shape.required - set(configuration)):
        raise bad_action(f"Action configuration for action '{name}' is missing required configuration '{key}'")
    for key, harmless in shape.refused.items():
        if key in configuration and configuration[key].lower() not in harmless:
            raise NotImplementedHere(f"{key} of {kind['provider']} action {name} in stage {stage}")
    for what, limits in (("input", shape.inputs), ("output", shape.outputs)):
        count = len(action[f"{what}Artifacts"])
        if count < limits[0]:
            raise bad_action(
                f"Action {name} declares {count} {what} artifacts which is less than the minimum count ({limits[0]})"
            )
        if count > limits[1]:
            raise bad_action(
                f"Action {name} declares {count} {what} artifacts which is more than the maximum count ({limits[1]})"
            )
    if any(artifact.get("files") for artifact in action["outputArtifacts"]):
        raise bad_action(f"Action {name} can have files of an output artifact only with action provider Commands")
    provider.check(action, stage)


def _check_artifacts(declaration: Document) -> None:
    """Artifacts are made once, and before they are used: in an earlier stage, or earlier in the stage by runOrder."""
    made: dict[str, tuple[int, int]] = {}
    for number, stage in enumerate(declaration["stages"]):
        for action in stage["actions"]:
            for artifact in action["outputArtifacts"]:
                if artifact["name"] in made:
                    raise bad_action(
                        "Output Artifact Bundle name must be unique within the pipeline. "
                        f"{artifact['name']} has been used more than once."
                    )
                made[artifact["name"]] = (number, action["runOrder"])
    for number, stage in enumerate(declaration["stages"]):
        for action in stage["actions"]:
            for artifact in action["inputArtifacts"]:
                if made.get(artifact["name"], (number, action["runOrder"])) >= (number, action["runOrder"]):
                    raise bad_action(
                        f"Input Artifact Bundle {artifact['name']} in action {action['name']} is not declared as "
                        "Output Artifact Bundle in any of the preceding actions"
                    )


def _check_conditions(stage: Document, pipeline_type: str, *, first: bool = False) -> None:
    name = stage["name"]
    if "onFailure" in stage:
        _check_failure(stage, pipeline_type, first=first)
    for when, results in (("beforeEntry", ("SKIP", "FAIL")), ("onSuccess", ("FAIL", "ROLLBACK"))):
        if when not in stage:
            continue
        if pipeline_type != "V2":
            raise bad_stage(f"Stage conditions can only be used with V2 pipelines: {when} of stage {name}")
        for condition in stage[when]["conditions"]:
            result = condition.get("result", "")
            if result not in results:
                raise bad_stage(f"The condition {when} of stage {name} can have result {' or '.join(results)}")
            if result == "ROLLBACK" and first:
                raise bad_stage(f"The source stage {name} cannot be rolled back")
            if not condition.get("rules"):
                raise bad_stage(f"The condition {when} of stage {name} has no rules")
            for rule in repeated([rule["name"] for rule in condition["rules"]]):
                raise bad_stage(f"A condition cannot have two rules with the same name: {rule} in stage {name}")
            for rule in condition["rules"]:
                _check_rule(name, rule)


def _check_failure(stage: Document, pipeline_type: str, *, first: bool) -> None:
    """What a stage may do when it fails.

    AWS's guide says that the result of a condition engages when its rules are *not* met, its API that the result of a
    failure condition engages when they *are*: conditions on failure are not played until that is settled.
    https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureConditions.html
    """
    name, failure = stage["name"], stage["onFailure"]
    if pipeline_type != "V2":
        raise bad_stage(f"Stage conditions can only be used with V2 pipelines: onFailure of stage {name}")
    if failure.get("conditions"):
        raise NotImplementedHere(f"conditions of onFailure of stage {name}")
    result, retry = failure.get("result"), failure.get("retryConfiguration", {})
    if result not in FAILURE_RESULTS:
        raise NotImplementedHere(f"result {result} of onFailure of stage {name}")
    if result == "ROLLBACK" and first:
        raise bad_stage(f"The source stage {name} cannot be rolled back")
    if retry and result != "RETRY":
        raise bad_stage(f"onFailure of stage {name} can have a retryConfiguration only with result RETRY")
    if result == "RETRY" and "retryMode" not in retry:
        raise NotImplementedHere(f"onFailure of stage {name} with result RETRY and without a retryMode")


def _check_rule(stage: str, rule: Document) -> None:
    provider = rule["ruleTypeId"]["provider"]
    if provider != VARIABLE_CHECK:
        raise NotImplementedHere(f"rule provider {provider} of rule {rule['name']} in stage {stage}")
    for member in ("commands", "inputArtifacts", "roleArn", "region", "timeoutInMinutes"):
        if rule.get(member):
            raise NotImplementedHere(f"{member} of rule {rule['name']} in stage {stage}")
    configuration = rule.get("configuration", {})
    for key in sorted(set(configuration) - VARIABLE_CHECK_KEYS):
        raise bad_stage(f"Rule configuration for rule '{rule['name']}' contains unknown configuration '{key}'")
    for key in sorted(VARIABLE_CHECK_KEYS - set(configuration)):
        raise bad_stage(f"Rule configuration for rule '{rule['name']}' is missing required configuration '{key}'")
    if configuration["Operator"] not in OPERATORS:
        raise bad_stage(
            f"Rule configuration for rule '{rule['name']}' has an invalid value '{configuration['Operator']}' for "
            f"Operator; valid values are {', '.join(OPERATORS)}"
        )
