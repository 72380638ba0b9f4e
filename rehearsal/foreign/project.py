"""A project of somebody else's template: launched by the data scientist, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.foreign.offer import Offer
from rehearsal.foreign.template import ForeignTemplateError
from rehearsal.person import Person
from rehearsal.progress import Progress
from rehearsal.watch import wait_until

LAUNCH_SECONDS = 1800.0
OVER = ("CREATE_COMPLETE", "CREATE_FAILED", "DELETE_COMPLETE")


@dataclass
class Launch:
    """One launch. `outputs` are the stack's."""

    name: str
    id: str
    stack: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


def launch(
    offer: Offer, name: str, parameters: Mapping[str, str], scientist: Person, engineer: Person, progress: Progress
) -> Launch:
    """Create the project, telling what of its stack is made. Raises ForeignTemplateError with the reason it failed."""
    sagemaker = scientist.client("sagemaker")
    made = sagemaker.create_project(
        ProjectName=name,
        ServiceCatalogProvisioningDetails={
            "ProductId": offer.product,
            "ProvisioningArtifactId": offer.artifact,
            "ProvisioningParameters": [{"Key": key, "Value": value} for key, value in parameters.items()],
        },
    )
    launched = Launch(name, made["ProjectId"])
    progress.say(f"project {name} ({launched.id}) is being created")
    told: set[tuple[str, str]] = set()
    cloudformation = engineer.client("cloudformation")

    def created() -> dict[str, Any] | None:
        described: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
        details = described.get("ServiceCatalogProvisionedProductDetails", {})
        launched.stack = f"SC-{described['ProjectArn'].split(':')[4]}-{details.get('ProvisionedProductId')}"
        for line in _news(cloudformation, launched.stack, told):
            progress.say(line)
        if described["ProjectStatus"] == "CreateFailed":
            raise ForeignTemplateError(f"The launch failed: {details.get('ProvisionedProductStatusMessage')}")
        return details if described["ProjectStatus"] == "CreateCompleted" else None

    wait_until(created, "the creation of the project", LAUNCH_SECONDS)
    stack = cloudformation.describe_stacks(StackName=launched.stack)["Stacks"][0]
    launched.outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    return launched


def _news(cloudformation: Any, stack: str, told: set[tuple[str, str]]) -> Iterator[str]:  # noqa: ANN401 - boto3
    """A line for every resource of the stack that came to an end since the last look."""
    try:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    except cloudformation.exceptions.ClientError:
        return  # not there yet
    for event in reversed(events):
        known = (event["LogicalResourceId"], event["ResourceStatus"])
        if known not in told and known[1] in OVER and event["ResourceType"] != "AWS::CloudFormation::Stack":
            told.add(known)
            yield f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatus']}"


def resources(engineer: Person, launched: Launch) -> list[dict[str, Any]]:
    """What the project's stack holds, as CloudFormation lists it."""
    pages = engineer.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=launched.stack)
    return [resource for page in pages for resource in page["StackResourceSummaries"]]


def pipelines(engineer: Person, launched: Launch) -> list[str]:
    """The project's CodePipelines."""
    held = resources(engineer, launched)
    return [each["PhysicalResourceId"] for each in held if each["ResourceType"] == "AWS::CodePipeline::Pipeline"]


def described(engineer: Person, launched: Launch) -> list[str]:
    """What a user wants to know of a project that stands: its outputs, how to clone its code, what its pipelines do."""
    lines = [f"output {name}: {value}" for name, value in launched.outputs.items()]
    codecommit, codepipeline = engineer.client("codecommit"), engineer.client("codepipeline")
    held = resources(engineer, launched)
    listed = {each["repositoryId"]: each["repositoryName"] for each in codecommit.list_repositories()["repositories"]}
    for resource in held:
        if resource["ResourceType"] == "AWS::CodeCommit::Repository" and resource["PhysicalResourceId"] in listed:
            found = codecommit.get_repository(repositoryName=listed[resource["PhysicalResourceId"]])
            lines.append(f"git clone {found['repositoryMetadata']['cloneUrlHttp']}")
    for name in pipelines(engineer, launched):
        stages = codepipeline.get_pipeline(name=name)["pipeline"]["stages"]
        lines.append(f"pipeline {name}: {' > '.join(stage['name'] for stage in stages)}")
    return lines
