"""CloudFormation as deploy action.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
"""

from __future__ import annotations

import json
from typing import Any

from rehearsal.cloud.codepipeline.actions import stacks
from rehearsal.cloud.codepipeline.actions.base import Action, ActionFailed, Job, Shape
from rehearsal.cloud.codepipeline.actions.template_files import parameter_overrides, read_file, template_configuration
from rehearsal.cloud.codepipeline.artifacts import StoreProblem, zipped
from rehearsal.cloud.codepipeline.variables import REFERENCE
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Document
from rehearsal.cloud.service_calls import CODEPIPELINE_STACK_POLICY, CODEPIPELINE_STACK_TAGS

CAPABILITIES = frozenset({"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"})
DEPLOYING = ("CREATE_UPDATE", "REPLACE_ON_FAILURE")
MOST_OVERRIDES = 1024
"""Bytes of JSON: https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html"""
NOT_PLAYED = ("CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE")


class CloudFormationDeploy(Action):
    """Creates, updates, replaces or deletes a stack, with the role it is given."""

    shape = Shape(
        categories=frozenset({"Deploy"}),
        provider="CloudFormation",
        required=frozenset({"ActionMode", "StackName"}),
        optional=frozenset(
            {
                "Capabilities",
                "OutputFileName",
                "ParameterOverrides",
                "RoleArn",
                "TemplateConfiguration",
                "TemplatePath",
                "ChangeSetName",
            }
        ),
        inputs=(0, 10),
        outputs=(0, 1),
    )

    def check(self, declaration: Document, stage: str) -> None:
        """What each ActionMode needs. Raises AwsError naming what is missing."""
        configuration, name = declaration["configuration"], declaration["name"]
        mode = configuration["ActionMode"]
        if mode in NOT_PLAYED:
            raise NotImplementedHere(f"ActionMode {mode} of CloudFormation action {name}")
        if mode not in (*DEPLOYING, "DELETE_ONLY"):
            raise self._invalid(name, f"has an invalid value '{mode}' for ActionMode")
        needed = ["RoleArn", "TemplatePath"] if mode in DEPLOYING else ["RoleArn"]
        for key in needed:
            if key not in configuration:
                raise self._invalid(name, f"is missing required configuration '{key}' for ActionMode {mode}")
        inputs = {artifact["name"] for artifact in declaration["inputArtifacts"]}
        for key in ("TemplatePath", "TemplateConfiguration"):
            artifact, separator, path = configuration.get(key, "").partition("::")
            if key in configuration and not (artifact and separator and path):
                raise self._invalid(name, f"has '{configuration[key]}' for {key}, which is not Artifact::File")
            if key in configuration and artifact not in inputs:
                raise self._invalid(name, f"refers to artifact '{artifact}' in {key}, which is not an input artifact")
        unknown = {item for item in configuration.get("Capabilities", "").split(",") if item} - CAPABILITIES
        if unknown:
            raise self._invalid(name, f"has unknown Capabilities: {', '.join(sorted(unknown))}")
        if declaration["outputArtifacts"] and "OutputFileName" not in configuration:
            raise self._invalid(name, "is missing 'OutputFileName', without which its output artifact is never made")
        overrides = configuration.get("ParameterOverrides", "")
        if len(overrides.encode()) > MOST_OVERRIDES:
            raise self._invalid(name, f"has ParameterOverrides of more than {MOST_OVERRIDES} bytes")
        if overrides and not REFERENCE.search(overrides):
            try:
                parameter_overrides(overrides)
            except ActionFailed as problem:
                raise self._invalid(name, problem.message) from problem

    @staticmethod
    def _invalid(action: str, what: str) -> AwsError:
        return AwsError("InvalidActionDeclarationException", f"Action configuration for action '{action}' {what}")

    def run(self, job: Job) -> None:
        client = job.cloud.client("cloudformation", job.credentials)
        name, role = job.configuration["StackName"], job.configuration["RoleArn"]
        if job.configuration["ActionMode"] == "DELETE_ONLY":
            stacks.delete(job, client, name, role)
            job.run.summary = f"Stack {name} is deleted"
            return
        arguments = self._arguments(job)
        stack = stacks.describe(client, name)
        if stack and job.configuration["ActionMode"] == "REPLACE_ON_FAILURE" and stack["StackStatus"] in stacks.FAILED:
            stacks.delete(job, client, name, role)
            stack = None
        self._require_tagging(job, arguments)
        stack = stacks.update(job, client, stack, arguments) if stack else stacks.create(job, client, arguments)
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        job.run.variables = outputs
        job.run.external_id = stack["StackId"]
        self._write_outputs(job, outputs)

    @staticmethod
    def _arguments(job: Job) -> dict[str, Any]:
        """What CreateStack and UpdateStack have in common.

        AWS hands CloudFormation a signed URL of the template; so the stack's role needs no access to the bucket, and
        neither does it here.
        """
        configuration = job.configuration
        settings = template_configuration(job, configuration.get("TemplateConfiguration", ""))
        overrides = parameter_overrides(configuration.get("ParameterOverrides", "{}"), job)
        parameters = {**settings.parameters, **overrides}
        arguments: dict[str, Any] = {
            "StackName": configuration["StackName"],
            "TemplateBody": read_file(job, configuration["TemplatePath"]),
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Capabilities": [item for item in configuration.get("Capabilities", "").split(",") if item],
            "Tags": [{"Key": key, "Value": value} for key, value in settings.tags.items()],
            "RoleARN": configuration["RoleArn"],
        }
        if settings.stack_policy:
            arguments["StackPolicyBody"] = json.dumps(settings.stack_policy)
        return arguments

    @staticmethod
    def _require_tagging(job: Job, arguments: dict[str, Any]) -> None:
        """Tags and a stack policy are rights of their own."""
        arn = f"arn:aws:cloudformation:{job.cloud.region}:{job.cloud.account}:stack/{arguments['StackName']}/*"
        tags = {tag["Key"]: tag["Value"] for tag in arguments["Tags"]}
        context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        try:
            if tags:
                context["aws:TagKeys"] = list(tags)
                job.cloud.identity.require_service_calls(job.credentials, CODEPIPELINE_STACK_TAGS, arn, context)
            if "StackPolicyBody" in arguments:
                job.cloud.identity.require_service_calls(job.credentials, CODEPIPELINE_STACK_POLICY, arn)
        except AwsError as problem:
            raise ActionFailed(problem.message, "PermissionError") from problem

    @staticmethod
    def _write_outputs(job: Job, outputs: dict[str, str]) -> None:
        declared = job.run.declaration["outputArtifacts"]
        if not declared:
            return
        artifact = job.new_artifact(declared[0]["name"])
        try:
            job.store.put(artifact, zipped({job.configuration["OutputFileName"]: json.dumps(outputs)}))
        except StoreProblem as problem:
            raise ActionFailed(problem.message, problem.code) from problem
        job.run.outputs = [artifact]
