"""A project whose stages are asynchronous: tested through files, asked through a queue, asleep when nobody asks."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.inventory import billable
from rehearsal.mailbox import Mailbox
from rehearsal.people import settle
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.whole import golden_model
from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.light_seeds import lighten
from tests.rehearsal.whole.project_lab import OVER, Project
from tests.waiting import until

ASYNCHRONOUS = {"DeploymentMode": "async", "EndpointInstanceCount": 2, "EndpointMaxInstanceCount": 2}
ALWAYS_AWAKE = {"AsyncLeastInstanceCount": 2}
"""Without scaling: an endpoint that is being scaled at the moment of its deployment cannot be updated, as on AWS."""
REAL_TESTS = f"""\
version: 0.2
env:
  exported-variables: [GOLDEN_RECORDS_PASSED, LATENCY_P50_MS, LATENCY_P95_MS, STAGING_SUMMARY]
phases:
  build:
    commands:
      - {sys.executable} -m pytest test --junitxml=reports/staging-tests.xml
      - . exports/staging-test.env
reports:
  staging-tests:
    files: [staging-tests.xml]
    base-directory: reports
"""
QUICK_LIMITS = {"warm_up_requests": 1, "measured_requests": 3}
"""How long this machine takes is not what is tested here."""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with new_cloud(CloudSettings(tmp_path_factory.mktemp("async"), ENVIRONMENTS, speed=240.0)) as cloud:
        published = Company(cloud, settle(cloud))
        lighten(published)
        yield published


@pytest.fixture(scope="module")
def project(company: Company) -> Project:
    """Launched, and both stages asynchronous by one word; the tests of staging are the repository's own."""
    found = Project(company)
    scientist = company.scientist
    clone = scientist.home / found.name
    described = company.engineer.client("codecommit").get_repository(repositoryName=f"{found.prefix}-modeldeploy")
    scientist.git("clone", "--quiet", described["repositoryMetadata"]["cloneUrlHttp"], str(clone))
    for stage, more in (("staging", {}), ("prod", {"TrafficRouting": "CANARY", "TrafficWaitSeconds": 600})):
        path = clone / f"{stage}-config.json"
        config = json.loads(path.read_text())
        config["Parameters"] = {
            **ASYNCHRONOUS,
            **ALWAYS_AWAKE,
            "TrafficRouting": "ALL_AT_ONCE",
            "TerminationWaitSeconds": 120,
            **more,
        }
        path.write_text(json.dumps(config))
    (clone / "test" / "buildspec.yml").write_text(REAL_TESTS)
    limits = clone / "test" / "latency-limits.json"
    written = json.loads(limits.read_text())
    written["async"] = {**dict.fromkeys(written["async"], 600_000), **QUICK_LIMITS}
    limits.write_text(json.dumps(written))
    scientist.git("commit", "--quiet", "--all", "--message", "Serve from a queue", folder=clone)
    scientist.git("push", "--quiet", "origin", "main", folder=clone)
    return found


class Caller:
    """A program that asks production, with the rights that the deploy repository's README names and no others."""

    def __init__(self, project: Project) -> None:
        self.endpoint, self.bucket = f"{project.name}-prod", project.bucket
        cloud = project.company.cloud
        account, home = f"{cloud.region}:{cloud.account}", f"arn:aws:s3:::{project.bucket}/async/{self.endpoint}"
        rights = {
            "sagemaker:InvokeEndpointAsync": [f"arn:aws:sagemaker:{account}:endpoint/{self.endpoint}"],
            "s3:PutObject": [f"{home}/input/*"],
            "s3:GetObject": [f"{home}/output/*", f"{home}/failure/*"],
        }
        statements = [{"Effect": "Allow", "Action": each, "Resource": rights[each]} for each in rights]
        iam = cloud.client("iam", cloud.identity.root)
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(
            RoleName="claims-desk", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName="claims-desk", PolicyName="ask", PolicyDocument=policy)
        credentials = cloud.identity.session_of(role, "claims-desk")
        self._s3, self._runtime = (cloud.client(service, credentials) for service in ("s3", "sagemaker-runtime"))
        self.waiting: list[dict[str, str]] = []
        self.heard: Counter[str] = Counter()
        self.asked = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._ask_without_pause, daemon=True)

    def ask(self, body: str = '{"records": [{"claim": "any"}]}') -> dict[str, str]:
        """Hand one request in; where its answer or the reason of its failure will be."""
        key = f"async/{self.endpoint}/input/{uuid4().hex}.json"
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=body.encode())
        queued = self._runtime.invoke_endpoint_async(
            EndpointName=self.endpoint, InputLocation=f"s3://{self.bucket}/{key}", ContentType="application/json"
        )
        found = {kind: str(queued[f"{kind}Location"]) for kind in ("Output", "Failure")}
        self.waiting.append(found)
        self.asked += 1
        return found

    def file(self, url: str) -> str | None:
        bucket, key = url.removeprefix("s3://").split("/", 1)
        try:
            body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError:  # AccessDenied, as of everything that is not there: it may not list
            return None
        return body.decode()

    def collect(self) -> int:
        """Read what has come, in the order of the requests; how many wait still."""
        while self.waiting:
            answer = self.file(self.waiting[0]["Output"])
            failure = None if answer else self.file(self.waiting[0]["Failure"])
            if answer is failure is None:
                break
            self.heard[json.loads(answer)["predictions"][0]["decision"] if answer else str(failure)] += 1
            del self.waiting[0]
        return len(self.waiting)

    def __enter__(self) -> Caller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _ask_without_pause(self) -> None:
        while not self._ending.is_set():
            self.ask()
            self._ending.wait(0.5)


def approve(project: Project, package: str) -> str:
    """Approve a version in the registry and then its deployment; the execution that brought it to production."""
    before = {each["pipelineExecutionId"] for each in executions(project)}
    sagemaker = project.company.approver.client("sagemaker")
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    [execution] = until(lambda: {each["pipelineExecutionId"] for each in executions(project)} - before)
    project.approve(execution)
    assert project.ended(execution) == "Succeeded", project.actions(execution)
    return str(execution)


def let_it_sleep(project: Project) -> None:
    """Push what lets production scale to zero from the next deployment on."""
    scientist = project.company.scientist
    clone = scientist.home / project.name
    path = clone / "prod-config.json"
    config = json.loads(path.read_text())
    for name in ALWAYS_AWAKE:
        del config["Parameters"][name]
    path.write_text(json.dumps(config))
    before = len(executions(project))
    scientist.git("commit", "--quiet", "--all", "--message", "Sleep when nobody asks", folder=clone)
    scientist.git("push", "--quiet", "origin", "main", folder=clone)
    until(lambda: len(executions(project)) > before)
    until(lambda: all(each["status"] in OVER for each in executions(project)))


def executions(project: Project) -> list[dict[str, Any]]:
    listed = project.company.engineer.client("codepipeline").list_pipeline_executions(
        pipelineName=f"{project.prefix}-modeldeploy"
    )
    return list(listed["pipelineExecutionSummaries"])


def summary(project: Project, execution: str) -> str:
    """What the staging tests said to the approver."""
    found = {name: output for name, _, output in project.actions(execution)}
    return str(found["TestStaging"]["outputVariables"]["STAGING_SUMMARY"])


def asleep(project: Project) -> bool:
    found = project.company.engineer.client("sagemaker").describe_endpoint(EndpointName=f"{project.name}-prod")
    [variant] = found["ProductionVariants"]
    return found["EndpointStatus"] == "InService" and variant["CurrentInstanceCount"] == 0


def test_an_asynchronous_project_is_tested_asked_and_changed_through_files_sleeps_wakes_and_goes(
    project: Project,
) -> None:
    company = project.company
    engineer, region = company.engineer.client, company.cloud.region
    topics = f"arn:aws:sns:{region}:{company.cloud.account}:{project.prefix}-async"
    successes, errors = (
        Mailbox(engineer, company.cloud.account, region, f"{topics}-{each}") for each in ("success", "error")
    )

    first = approve(project, golden_model.register(project, "first"))
    told = summary(project, first)
    golden = len(json.loads((golden_model.TESTS / "golden_records.json").read_text()))
    assert f"{golden} of {golden} golden records right" in told
    assert f"metrics of {golden} held-out records as evaluated" in told
    assert "latency p50" in told

    caller = Caller(project)
    answered = caller.ask()
    until(lambda: caller.collect() == 0)
    assert caller.heard == {"first": 1}
    until(lambda: successes.find("Completed", answered["Output"], caller.endpoint))
    refused = caller.ask('{"records": "none"')
    reason = str(until(lambda: caller.file(refused["Failure"])))
    assert "error (4" in reason or "error (5" in reason
    until(lambda: errors.find("Failed", caller.endpoint))
    until(lambda: caller.collect() == 0)
    caller.heard.clear()
    caller.asked = 0

    let_it_sleep(project)
    with caller:
        until(lambda: caller.collect() >= 0 and caller.heard["first"] > 2)
        approve(project, golden_model.register(project, "second"))
        until(lambda: caller.collect() >= 0 and caller.heard["second"] > 2)
    until(lambda: caller.collect() == 0)
    assert set(caller.heard) == {"first", "second"}
    assert sum(caller.heard.values()) == caller.asked, "no request is lost"

    until(lambda: asleep(project))
    caller.heard.clear()
    caller.ask()
    until(lambda: caller.collect() == 0)
    assert caller.heard == {"second": 1}

    assert project.delete() == "DeleteCompleted"
    left = [name for names in billable(engineer).values() for name in names]
    assert [each for each in left if project.name in each or project.id in each] == []
    assert [each for each in engineer("sns").list_topics()["Topics"] if project.id in str(each)] == []
    kept = engineer("s3").list_objects_v2(Bucket=project.bucket, Prefix=f"async/{caller.endpoint}/")
    assert kept["KeyCount"] > 0, "requests and answers are the user's"
