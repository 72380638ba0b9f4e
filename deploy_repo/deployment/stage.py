"""The configuration of one stage: what a person wrote, checked, and completed with what the build found out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deployment import batch, challenger, contradictions, rendering
from deployment.contradictions import Values
from deployment.errors import RefusedError
from deployment.registry import Chosen
from deployment.settings import BuildSettings
from deployment.template import Parameter

RESERVED_TAG_PREFIXES = ("aws:", "sagemaker:")
VERSION_TAG = "model-package-version"
KEEP = "KeepAfterTests"
KEEP_TAG = "keep-after-tests"
"""Of the stack: the project takes down one that has `false` there when no deployment needs it any more."""


@dataclass(frozen=True)
class StageConfig:
    """A checked configuration file; parameters as the text that CloudFormation takes."""

    parameters: dict[str, str]
    tags: dict[str, str]
    is_kept: bool | None = None
    """Whether an endpoint that is only for tests stays when no deployment needs it any more."""

    def with_parameters(self, parameters: dict[str, str]) -> "StageConfig":
        """The same with parameters that the build has found out, over those that were written."""
        return replace(self, parameters={**self.parameters, **parameters})


def read(
    path: Path,
    template: dict[str, Parameter],
    resolved: frozenset[str],
    *,
    watched: bool = False,
    for_tests: bool = False,
    alarm_prefix: str = "",
) -> StageConfig:
    """Read and check a configuration file; `resolved` names the parameters that build.py sets.

    `watched` asks for traffic to move in a way that leaves the alarms time to roll a deployment back; the endpoint of a
    stage that is only `for_tests` is not kept after them unless the file says so; `alarm_prefix` is how the name of an
    alarm begins that the model's role may look at.

    Raises RefusedError with one line for each fault, naming file and key.
    """
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RefusedError(f"{path.name} is missing. Bring it back with `git checkout {path.name}`.") from error
    except ValueError as error:
        raise RefusedError(f"{path.name} is not valid JSON: {error}") from error
    if not isinstance(written, dict) or not isinstance(written.get("Parameters"), dict):
        raise RefusedError(f'{path.name} must have the form {{"Parameters": {{...}}, "Tags": {{...}}}}.')
    sections = ["Parameters", "Tags", *([KEEP] if for_tests else [])]
    allowed = f"{', '.join(sections[:-1])} and {sections[-1]}"
    faults = [f"{key}: unknown; only {allowed} may stand here" for key in written if key not in sections]
    is_kept = written.get(KEEP, False) if for_tests else None
    if for_tests and not isinstance(is_kept, bool):
        faults.append(f"{KEEP}: must be true or false, not {json.dumps(is_kept)}")
    parameters = _checked_parameters(written["Parameters"], template, resolved, faults)
    tags = _checked_tags(written.get("Tags", {}), faults)
    if not faults:
        values = Values(parameters, template)
        faults += contradictions.found(values, watched=watched, alarm_prefix=alarm_prefix)
        faults += challenger.contradictions(values, for_tests=for_tests)
    if faults:
        raise RefusedError("\n".join(f"{path.name}: {fault}" for fault in faults))
    return StageConfig(parameters, tags, is_kept)


def _checked_parameters(
    written: dict[str, Any], template: dict[str, Parameter], resolved: frozenset[str], faults: list[str]
) -> dict[str, str]:
    checked: dict[str, str] = {}
    for name, value in written.items():
        if name in resolved:
            faults.append(f"Parameters.{name}: set by build.py; remove it here")
        elif name not in template:
            known = ", ".join(sorted(template.keys() - resolved))
            faults.append(f"Parameters.{name}: unknown; endpoint-config-template.yml has {known}")
        elif (text := template[name].as_text(value)) is None:
            faults.append(f"Parameters.{name}: must be {template[name].expectation()}, not {json.dumps(value)}")
        else:
            checked[name] = text
    for name in template.keys() - resolved - written.keys():
        if template[name].default is None:
            faults.append(f"Parameters.{name}: missing; must be {template[name].expectation()}")
    return checked


def _checked_tags(written: object, faults: list[str]) -> dict[str, str]:
    if not isinstance(written, dict):
        faults.append(f"Tags: must be an object of texts, not {json.dumps(written)}")
        return {}
    for key, value in written.items():
        if key.startswith(RESERVED_TAG_PREFIXES) or key in (VERSION_TAG, KEEP_TAG):
            faults.append(f"Tags.{key}: this key is reserved; choose another")
        elif not isinstance(value, str):
            faults.append(f"Tags.{key}: must be text, not {json.dumps(value)}")
    return written


RESOLVED_PARAMETERS = batch.PARAMETERS | frozenset(
    {
        "SageMakerProjectName",
        "SageMakerProjectId",
        "StageName",
        "EndpointName",
        "ModelPackageName",
        "ModelExecutionRoleArn",
        "DataCaptureS3Uri",
        "AsyncS3Uri",
        "KmsKeyArn",
        "VpcSubnetIds",
        "VpcSecurityGroupIds",
        rendering.UPDATE_DIGEST,
    }
)


def export(
    config: StageConfig,
    stage_name: str,
    endpoint_name: str,
    chosen: Chosen,
    settings: BuildSettings,
    batch_checks: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, str]]:
    """The template configuration file for CodePipeline's CloudFormation action: every value is text.

    `batch_checks` is what batch.checks read.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html
    """
    return {
        "Parameters": {
            "SageMakerProjectName": settings.project_name,
            "SageMakerProjectId": settings.project_id,
            "StageName": stage_name,
            "EndpointName": endpoint_name,
            "ModelPackageName": chosen.arn,
            "ModelExecutionRoleArn": settings.model_execution_role_arn,
            "DataCaptureS3Uri": f"s3://{settings.artifact_bucket}/data-capture",
            "AsyncS3Uri": f"s3://{settings.artifact_bucket}/async",
            "KmsKeyArn": settings.kms_key_arn,
            "VpcSubnetIds": settings.vpc_subnet_ids,
            "VpcSecurityGroupIds": settings.vpc_security_group_ids,
            **batch.parameters(config.parameters, stage_name, settings, batch_checks or {}),
            **config.parameters,
        },
        "Tags": {
            **config.tags,
            "sagemaker:project-name": settings.project_name,
            "sagemaker:project-id": settings.project_id,
            "sagemaker:deployment-stage": stage_name,
            VERSION_TAG: str(chosen.version),
            **({} if config.is_kept is None else {KEEP_TAG: str(config.is_kept).lower()}),
        },
    }


def export_of_nothing(because: str) -> dict[str, dict[str, str]]:
    """What stands in for the configuration when there is nothing to deploy.

    CodeBuild fails on a missing artifact file, so there must be one. It holds a parameter the template does not have:
    should a pipeline without the Skip conditions hand it to CloudFormation, that refuses it before touching anything.
    """
    return {"Parameters": {"NothingToDeploy": because}}
