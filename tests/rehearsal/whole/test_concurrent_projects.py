"""Twenty projects in one account, five of them at work at the same time: nothing of one is another's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.isolation import belongings, granted, reached
from tests.rehearsal.whole.light_seeds import WORD, lighten
from tests.waiting import until

PROJECTS = 20
AT_WORK = 5
AT_A_TIME = 4
OVER = ("Succeeded", "Failed", "Stopped", "Superseded")


@dataclass
class Project:
    company: Company
    name: str
    id: str
    stack: str
    resources: list[tuple[str, str]] = field(default_factory=list)
    package: str = ""

    def client(self, service: str) -> Any:
        return self.company.engineer.client(service)

    @property
    def word(self) -> str:
        """What its model answers, and no other project's."""
        return f"model-of-{self.name}"

    @property
    def group(self) -> str:
        return f"{self.name}-{self.id}"

    def pipeline(self, kind: str) -> str:
        return f"sagemaker-{self.group}-{kind}"

    def executions(self, kind: str) -> list[dict[str, Any]]:
        """Of one of its pipelines, the newest first."""
        listed: list[dict[str, Any]] = self.client("codepipeline").list_pipeline_executions(
            pipelineName=self.pipeline(kind)
        )["pipelineExecutionSummaries"]
        return listed

    def resource(self, kind: str, logical: str) -> str:
        return next(name for found, name in self.resources if found == f"AWS::{kind}" and logical in name)

    def role(self, logical: str) -> Any:
        """Clients of one of its roles."""
        arn = self.client("iam").get_role(RoleName=self.resource("IAM::Role", logical))["Role"]["Arn"]
        credentials = self.company.cloud.identity.session_of(arn, "a-program")
        return lambda service: self.company.cloud.client(service, credentials)

    # ---- its people

    def push(self) -> None:
        """Make it a model of its own."""
        scientist = self.company.scientist
        clone = scientist.home / self.name
        url = self.client("codecommit").get_repository(repositoryName=self.pipeline("modelbuild"))
        scientist.git("clone", "--quiet", url["repositoryMetadata"]["cloneUrlHttp"], str(clone))
        (clone / WORD).write_text(self.word)
        scientist.git("add", WORD, folder=clone)
        scientist.git("commit", "--quiet", "--message", f"Answer {self.word}", folder=clone)
        scientist.git("push", "--quiet", "origin", "main", folder=clone)

    def approve(self) -> None:
        """Approve its first version as soon as that is registered."""

        def registered() -> str | None:
            listed = self.client("sagemaker").list_model_packages(ModelPackageGroupName=self.group)
            newest = self.executions("modelbuild")[0]
            assert newest["status"] not in ("Failed", "Stopped"), newest
            packages = listed["ModelPackageSummaryList"]
            return str(packages[0]["ModelPackageArn"]) if packages else None

        self.package = until(registered)
        self.company.approver.client("sagemaker").update_model_package(
            ModelPackageArn=self.package, ModelApprovalStatus="Approved"
        )

    def until_asked(self) -> None:
        """Wait for the question before production: staging serves the approved version then."""

        def asks() -> bool:
            newest = self.executions("modeldeploy")[0]
            assert newest["status"] not in ("Failed", "Stopped"), newest
            states = self.client("codepipeline").get_pipeline_state(name=self.pipeline("modeldeploy"))["stageStates"]
            stage = next(each for each in states if each["stageName"] == "ApproveProduction")
            return bool(stage["actionStates"][0].get("latestExecution", {}).get("token"))

        until(asks)

    def answer(self) -> str:
        """What its staging endpoint predicts."""
        body = json.dumps({"records": [{}]})
        answered = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=f"{self.name}-staging", Body=body, ContentType="application/json"
        )
        return str(json.loads(answered["Body"].read())["predictions"][0])


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    settings = CloudSettings(tmp_path_factory.mktemp("company"), ENVIRONMENTS, speed=120.0)
    with new_cloud(settings) as cloud:
        company = Company(cloud, settle(cloud))
        lighten(company)
        yield company


@pytest.fixture(scope="module")
def projects(company: Company) -> list[Project]:
    """Twenty launched projects, their first executions over."""

    def launch(number: int) -> Project:
        described = company.launch(f"p{number}")
        assert described["ProjectStatus"] == "CreateCompleted", described
        record = described["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
        return Project(company, f"p{number}", described["ProjectId"], record)

    with ThreadPoolExecutor(AT_A_TIME) as several:
        launched = list(several.map(launch, range(PROJECTS)))
    cloudformation = company.engineer.client("cloudformation")
    for project in launched:
        stack = f"SC-{company.cloud.account}-{project.stack}"
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
            found = page["StackResourceSummaries"]
            project.resources += [(each["ResourceType"], each["PhysicalResourceId"]) for each in found]
        for kind in ("modelbuild", "modeldeploy"):
            until(lambda of=project, kind=kind: of.executions(kind)[0]["status"] in OVER)
    return launched


@pytest.fixture(scope="module")
def at_work(projects: list[Project]) -> list[Project]:
    """Five of them, whose models are built and approved at the same time, up to the question before production."""
    working = projects[::4]
    assert len(working) == AT_WORK

    def work(project: Project) -> None:
        project.push()
        project.approve()
        project.until_asked()

    with ThreadPoolExecutor(AT_WORK) as together:
        list(together.map(work, working))
    return working


def test_no_two_projects_share_a_name(projects: list[Project]) -> None:
    assert len({project.id for project in projects}) == PROJECTS
    counted = Counter(resource for project in projects for resource in project.resources)
    assert [resource for resource, times in counted.items() if times > 1] == []
    sizes = {len(project.resources) for project in projects}
    assert len(sizes) == 1, "every launch makes the same"
    assert sizes.pop() > 40


def test_every_project_has_its_own_model_in_staging(at_work: list[Project]) -> None:
    assert {each.name: each.answer() for each in at_work} == {each.name: each.word for each in at_work}
    for each in at_work:
        config = each.client("sagemaker").describe_endpoint(EndpointName=f"{each.name}-staging")["EndpointConfigName"]
        variant = each.client("sagemaker").describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
        model = each.client("sagemaker").describe_model(ModelName=variant["ModelName"])
        container = model.get("PrimaryContainer") or model["Containers"][0]
        assert container["ModelPackageName"] == each.package
        assert f"/{each.group}/" in each.package


def test_every_event_started_its_own_pipeline_only(projects: list[Project], at_work: list[Project]) -> None:
    started = {
        each.name: (len(each.executions("modelbuild")), len(each.executions("modeldeploy"))) for each in projects
    }
    assert started == {each.name: (2, 2) if each in at_work else (1, 1) for each in projects}
    for each in at_work:
        newest = each.executions("modeldeploy")[0]["pipelineExecutionId"]
        execution = each.client("codepipeline").get_pipeline_execution(
            pipelineName=each.pipeline("modeldeploy"), pipelineExecutionId=newest
        )["pipelineExecution"]
        variables = {one["name"]: one["resolvedValue"] for one in execution["variables"]}
        assert variables["MODEL_PACKAGE_ARN"] == each.package


def table(project: Project, of: Project) -> dict[str, set[str]]:
    """By role of a project, what it may do to everything that belongs to another, or to itself."""
    cloud, iam = project.company.cloud, project.client("iam")

    def names(kind: str, owner: Project) -> list[str]:
        return [name for found, name in owner.resources if found == f"AWS::{kind}"]

    def arn(role: str) -> str:
        return str(iam.get_role(RoleName=role)["Role"]["Arn"])

    theirs = belongings(
        cloud.account,
        cloud.region,
        of.name,
        of.id,
        [arn(each) for each in names("IAM::Role", of)],
        names("Lambda::Function", of),
    )
    tags = {"sagemaker:project-name": project.name, "sagemaker:project-id": project.id}
    return {role: reached(cloud, arn(role), granted(iam, role), theirs, tags) for role in names("IAM::Role", project)}


def test_a_project_s_roles_reach_what_is_theirs_and_nothing_of_another_project(projects: list[Project]) -> None:
    one, other = projects[:2]
    own = table(one, one)
    assert len(own) > 12
    assert [role for role, may in own.items() if not may] == [], "the table must ask for what roles have"
    asked = {row.split(":")[0] for may in own.values() for row in may}
    assert asked >= {"s3", "sagemaker", "codepipeline", "codebuild", "codecommit", "cloudformation", "logs", "lambda",
                     "application-autoscaling", "cloudwatch", "iam", "sns"}  # fmt: skip
    assert {role: may for role, may in table(one, other).items() if may} == {}


def test_a_projects_roles_can_touch_nothing_of_another(at_work: list[Project]) -> None:
    for own, other in zip(at_work, [*at_work[1:], at_work[0]], strict=True):
        jobs, tests, events = own.role("PipelineExecution"), own.role("StagingTest"), own.role("EventRules")
        write(jobs("s3"), own)
        invoke(tests("sagemaker-runtime"), own)
        for attempt, client in (
            (write, jobs("s3")),
            (invoke, tests("sagemaker-runtime")),
            (start, events("codepipeline")),
        ):
            with pytest.raises(ClientError) as refused:
                attempt(client, other)
            assert refused.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), attempt


def write(s3: Any, of: Project) -> None:
    s3.put_object(Bucket=of.resource("S3::Bucket", of.id), Key=f"{of.group}/x", Body=b"x")


def invoke(runtime: Any, of: Project) -> None:
    runtime.invoke_endpoint(EndpointName=f"{of.name}-staging", Body=b'{"records": []}', ContentType="application/json")


def start(codepipeline: Any, of: Project) -> None:
    codepipeline.start_pipeline_execution(name=of.pipeline("modeldeploy"))
