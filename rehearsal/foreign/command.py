"""`python -m rehearsal up --template FILE`: its options, and what it does with a cloud that has just been started."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.foreign import project, roles, scan, seeds
from rehearsal.foreign.follow import Follower
from rehearsal.foreign.offer import Publisher
from rehearsal.foreign.project import Launch
from rehearsal.foreign.template import PROJECT_PARAMETERS, ForeignTemplateError, Template, read
from rehearsal.foreign.values import Values
from rehearsal.people import STUDIO_ROLE, People
from rehearsal.person import Person
from rehearsal.progress import Progress

PROJECT_NAME = "rehearsed"
NOT_YET = "p-000000000000"
"""Stands for the project's id before SageMaker makes it."""
ONLY_WITH = ("seed", "parameter", "fill", "account_template", "launch_role")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that `up` has for a template of somebody else's."""
    group = parser.add_argument_group("up --template: launch a project template that is not this repository's")
    group.add_argument("--template", type=Path, metavar="FILE", help="the template, in YAML or JSON")
    group.add_argument(
        "--seed",
        action="append",
        default=[],
        metavar="KEY=FOLDER",
        help="what lies under a key that the template takes code from: a folder to be packed, or a zip file; again for "
        "every key",
    )
    group.add_argument("--project-name", default=PROJECT_NAME, metavar="NAME", help=f"the project ({PROJECT_NAME})")
    group.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; again for each",
    )
    group.add_argument(
        "--fill",
        action="append",
        default=[],
        metavar="PLACEHOLDER=VALUE",
        help="words of the template that whoever publishes it replaces, as AWSDEFAULT___CODE_STAGING_BUCKET___",
    )
    group.add_argument(
        "--account-template",
        type=Path,
        metavar="FILE",
        help="a template deployed in the account first: roles that the template names and AWS does not make",
    )
    group.add_argument(
        "--launch-role",
        default=roles.LAUNCH_ROLE,
        metavar="NAME",
        help=f"the role the project is launched with ({roles.LAUNCH_ROLE})",
    )


class Wish:
    """What was asked for, checked as far as it can be without a cloud."""

    def __init__(self, chosen: argparse.Namespace, account: str, region: str) -> None:
        """Raises ForeignTemplateError for anything that is wrong with it."""
        self.template = read(chosen.template, chosen.fill)
        self.name: str = chosen.project_name
        self.launch_role: str = chosen.launch_role
        self.account_template: Path | None = chosen.account_template
        self.account_text = _account_text(self.account_template)
        self.parameters = _parameters(self.template, chosen.parameter)
        defaults = {
            name: declared["Default"] for name, declared in self.template.parameters.items() if "Default" in declared
        }
        self.values = Values(
            self.template.document,
            {
                **defaults,
                **self.parameters,
                "SageMakerProjectName": self.name,
                "SageMakerProjectId": NOT_YET,
                "AWS::AccountId": account,
                "AWS::Region": region,
                "AWS::Partition": "aws",
                "AWS::URLSuffix": "amazonaws.com",
                "AWS::StackName": f"SC-{account}-pp-0000000000000",
            },
        )
        self.seeds = seeds.chosen(chosen.seed, self.template, self.values)


def _account_text(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is not text in UTF-8"
        raise ForeignTemplateError(f"The template {file} cannot be read: {why}.") from problem


def _parameters(template: Template, given: Iterable[str]) -> dict[str, str]:
    own = [name for name in template.parameters if name not in PROJECT_PARAMETERS]
    found: dict[str, str] = {}
    problems = []
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            problems.append(f"--parameter {each} must be NAME=VALUE.")
        elif name in PROJECT_PARAMETERS:
            problems.append(f"--parameter {each}: SageMaker fills {name} in; --project-name names the project.")
        elif name not in own:
            problems.append(f"--parameter {each}: {template.file} has no parameter {name}; it has: {', '.join(own)}.")
        found[name] = value
    for name in own:
        if "Default" not in template.parameters[name] and name not in found:
            problems.append(f"{template.file}: parameter {name} has no default; give it with --parameter {name}=VALUE.")
    if problems:
        raise ForeignTemplateError(*problems)
    return found


def check_options(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    """End with a message when the options do not go together."""
    if chosen.template and chosen.verb != "up":
        parser.error("--template goes with the verb up: python -m rehearsal up --template FILE")
    if not chosen.template:
        for name in ONLY_WITH:
            if getattr(chosen, name) != parser.get_default(name):
                parser.error(f"--{name.replace('_', '-')} goes with --template FILE")


def play(wish: Wish, cloud: Cloud, people: People, progress: Progress) -> Launch:
    """Publish the template and launch a project of it. Raises ForeignTemplateError with a line for each problem."""
    engineer = Person("platform-engineer", cloud, people.platform_engineer)
    scientist = Person("data-scientist", cloud, people.data_scientist)
    iam = engineer.client("iam")
    progress.say("the account gets the roles that AWS's project templates name")
    roles.make(iam)
    roles.attach(iam, STUDIO_ROLE, roles.STUDIO_POLICIES)
    if wish.account_template:
        deploy_first(wish, engineer, progress)
    publisher = Publisher(engineer, cloud.account, cloud.region)
    url = publisher.put_template(wish.template)
    scan.check(wish.template, wish.values, cloud, engineer.client("cloudformation"), url)
    launch_role = require_roles(wish, iam, cloud.account)
    publisher.put_seeds(wish.seeds)
    for seed in wish.seeds:
        progress.say(f"seed {seed.source} lies at s3://{seed.bucket}/{seed.key}")
    try:
        offer = publisher.offer(wish.template, url, launch_role, people.studio_role_arn)
        progress.say(f"{wish.template.file.name} is on offer in Service Catalog, launched as {wish.launch_role}")
        return project.launch(offer, wish.name, wish.parameters, scientist, engineer, progress)
    except ClientError as problem:
        raise ForeignTemplateError(f"{wish.template.file}: {problem.response['Error']['Message']}") from problem


def deploy_first(wish: Wish, engineer: Person, progress: Progress) -> None:
    """Deploy what the account must have beforehand."""
    cloudformation = engineer.client("cloudformation")
    name = "account"
    try:
        cloudformation.create_stack(
            StackName=name, TemplateBody=wish.account_text, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    except ClientError as problem:
        raise ForeignTemplateError(f"{wish.account_template}: {problem.response['Error']['Message']}") from problem
    except Exception as problem:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [each for each in events if each["ResourceStatus"].endswith("FAILED")][-1]
        raise ForeignTemplateError(
            f"{wish.account_template}: {failed['LogicalResourceId']}: {failed['ResourceStatusReason']}"
        ) from problem
    progress.say(f"{wish.account_template} is deployed as the stack {name}")


def require_roles(wish: Wish, iam: Any, account: str) -> str:  # noqa: ANN401 - boto3
    """The launch role's ARN. Raises ForeignTemplateError for a role that is named and is not there."""
    listed = iam.get_paginator("list_roles").paginate()
    there: dict[str, str] = {role["RoleName"]: role["Arn"] for page in listed for role in page["Roles"]}
    lines = [
        f"{place} names the role {arn}, which is not there. --account-template FILE makes what a template expects."
        for arn, place in scan.roles_named(wish.template, wish.values, account).items()
        if arn not in there.values()
    ]
    if wish.launch_role not in there:
        lines.append(f"--launch-role {wish.launch_role}: the account has no such role.")
    if lines:
        raise ForeignTemplateError(*lines)
    return there[wish.launch_role]


def launch_project(wish: Wish, cloud: Cloud, people: People, progress: Progress) -> None:
    """Publish, launch and tell what the user needs. Raises ForeignTemplateError, StoryError when it takes too long."""
    launched = play(wish, cloud, people, progress)
    progress.say(f"project {launched.name} ({launched.id}) stands", style="green")
    engineer = Person("platform-engineer", cloud, people.platform_engineer)
    for line in project.described(engineer, launched):
        progress.say(f"  {line}")
    follower = Follower(engineer, project.pipelines(engineer, launched), progress)
    cloud.background("following the project", follower.follow, cloud.stopping)
