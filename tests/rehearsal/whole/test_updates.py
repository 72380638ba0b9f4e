"""A project is brought to a newer version in place, while its production endpoint serves."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.person import REPOSITORY_ROOT
from rehearsal.watch import StoryError
from service_catalog.project_update import LaunchedProject
from service_catalog.seed_update import SeedUpdates
from service_catalog.target import find_target
from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.further_releases import Template
from tests.rehearsal.whole.releases_lab import Releases
from tests.waiting import until

FIRST, BAD, GOOD = "1.0.0", "1.1.0", "1.2.0"
FORBIDDEN = """
  NobodyMayMakeThis:
    Type: AWS::SQS::Queue
    DependsOn: [CheckVersionFunction, ModelBuildProject]
"""
"""Comes last in an update, and the launch role makes no queues."""


class Callers:
    """People who call an endpoint all the time. Everything they are answered with is kept, failures too."""

    def __init__(self, company: Company, endpoint: str) -> None:
        self._runtime = company.scientist.client("sagemaker-runtime")
        self._endpoint = endpoint
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._call, daemon=True)
        self.answers: list[str] = []
        self.failures: list[Exception] = []

    def __enter__(self) -> Callers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _call(self) -> None:
        body = json.dumps({"records": [1]})
        while not self._over.wait(0.05):
            try:
                answer = self._runtime.invoke_endpoint(
                    EndpointName=self._endpoint, Body=body, ContentType="application/json"
                )
                self.answers.append(json.loads(answer["Body"].read())["predictions"][0])
            except Exception as failure:  # whatever a caller would see
                self.failures.append(failure)

    def heard_since(self, count: int) -> bool:
        """Whether more came after so many answers."""
        return len(self.answers) > count + 3


@pytest.fixture(scope="module")
def template(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """Three releases: the one that projects are launched from, one that no account takes, and one that is better."""
    template = Template(tmp_path_factory.mktemp("clone"))
    template.release(FIRST, "What projects are launched from.")
    template.change("cloudformation/functions/check_version.py", 'is approved"', 'is approved, says release 1.1.0"')
    template.change("cloudformation/project.yaml", "\nOutputs:\n", f"{FORBIDDEN}\nOutputs:\n")
    template.release(BAD, "A queue.")
    template.change("cloudformation/functions/check_version.py", "release 1.1.0", "release 1.2.0")
    template.change("cloudformation/project.yaml", FORBIDDEN, "")
    template.change("cloudformation/project.yaml", "TimeoutInMinutes: 240", "TimeoutInMinutes: 241")
    template.change("build_repo/README.md", "# Model build\n", "# Model build, improved\n")
    (template.root / "build_repo" / "NEWS.md").write_text("News\n")
    template.release(GOOD, "No queue, and a better beginning of model-build.")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in company.engineer.environment().items():
            environment.setenv(name, value)
        yield template


class Held:
    """What a project holds that is its people's, and what serves."""

    def __init__(self, project: Releases) -> None:
        client = project.company.engineer.client
        self.commits = {
            kind: client("codecommit").get_branch(repositoryName=f"{project.prefix}-{kind}", branchName="main")[
                "branch"
            ]["commitId"]
            for kind in ("modelbuild", "modeldeploy")
        }
        listed = client("sagemaker").list_model_packages(ModelPackageGroupName=project.group)["ModelPackageSummaryList"]
        self.versions = {each["ModelPackageArn"]: each["ModelApprovalStatus"] for each in listed}
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=project.bucket)
        self.objects = {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", [])}
        self.endpoint = client("sagemaker").describe_endpoint(EndpointName=f"{project.name}-prod")
        del self.endpoint["ResponseMetadata"]
        self.executions = [each["pipelineExecutionId"] for each in project.executions()]
        self.roles = sorted(
            each["RoleName"] for each in client("iam").list_roles(PathPrefix="/sagemaker-projects/")["Roles"]
        )


def update(company: Company, project: Releases, version: str) -> str:
    """Update as the data scientist, from the clone; what the command says."""
    verb = ("update-project", project.name, "--version", version, "--poll-seconds", "0.2")
    return company.scientist.run(sys.executable, "-m", "service_catalog", *verb, folder=REPOSITORY_ROOT)


def launched_from(company: Company, project: Releases) -> str:
    """The name of the version that the project stands on."""
    found = company.scientist.client("sagemaker").describe_project(ProjectName=project.name)
    chosen = found["ServiceCatalogProvisioningDetails"]
    described = company.scientist.client("servicecatalog").describe_product(Id=chosen["ProductId"])
    names = {each["Id"]: each["Name"] for each in described["ProvisioningArtifacts"]}
    return str(names[chosen["ProvisioningArtifactId"]])


def function(company: Company, project: Releases) -> Any:
    """The function that looks at a version before production."""
    functions = company.engineer.client("lambda")
    named = [each for page in functions.get_paginator("list_functions").paginate() for each in page["Functions"]]
    return next(each for each in named if "CheckVersion" in each["FunctionName"] and tagged(functions, each, project))


def tagged(functions: Any, found: Any, project: Releases) -> bool:
    tags = functions.list_tags(Resource=found["FunctionArn"])["Tags"]
    return bool(tags["sagemaker:project-id"] == project.id)


def build_timeout(company: Company, project: Releases) -> int:
    found = company.engineer.client("codebuild").batch_get_projects(names=[f"{project.prefix}-modelbuild"])
    return int(found["projects"][0]["timeoutInMinutes"])


def propose(company: Company, project: Releases, template: Template) -> list[str]:
    """Propose the newest seeds as the data scientist, from a clone of the template; what is said."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as terminal:
        for name, value in company.scientist.environment().items():
            terminal.setenv(name, value)
        target = find_target()
        SeedUpdates(target, template.root, LaunchedProject(target, project.name), said.append).propose(GOOD)
    return said


def proposed_and_taken(company: Company, project: Releases, template: Template) -> None:
    """The newer seed reaches a repository in which somebody has worked: as a pull request that keeps their work."""
    scientist, codecommit, repository = (
        company.scientist,
        company.scientist.client("codecommit"),
        f"{project.prefix}-modelbuild",
    )
    clone = scientist.home / "build"
    url = codecommit.get_repository(repositoryName=repository)["repositoryMetadata"]["cloneUrlHttp"]
    scientist.git("clone", "--quiet", url, str(clone))
    (clone / "README.md").write_text("# Ours\n")
    scientist.git("commit", "--quiet", "--all", "--message", "Ours", folder=clone)
    scientist.git("push", "--quiet", "origin", "main", folder=clone)

    said = propose(company, project, template)

    branch = f"seed-update/{GOOD}"
    assert said == [
        f"modelbuild: branch {branch} changes 1 files",
        f"  README.md was changed here and in the seed. Yours is kept, the seed's is beside it: README.md.seed-{GOOD}",
        "modelbuild: pull request 1 asks to take it into main",
        "modeldeploy: has that seed already",
    ]
    request = codecommit.get_pull_request(pullRequestId="1")["pullRequest"]
    assert request["title"] == f"Take over the seed of release {GOOD}"
    for words in ("became since 1.0.0", "- README.md was changed here", "a better beginning", "A queue.", "- NEWS.md"):
        assert words in request["description"]
    assert codecommit.get_file(repositoryName=repository, filePath="README.md")["fileContent"] == b"# Ours\n"
    assert propose(company, project, template)[0].startswith(f"modelbuild: branch {branch} waits in pull request 1. To")

    codecommit.merge_pull_request_by_three_way(pullRequestId="1", repositoryName=repository)

    held = {
        path: codecommit.get_file(repositoryName=repository, filePath=path)["fileContent"]
        for path in ("README.md", "NEWS.md")
    }
    assert held == {"README.md": b"# Ours\n", "NEWS.md": b"News\n"}
    scientist.git("push", "--quiet", "origin", "--delete", branch, folder=clone)
    assert propose(company, project, template)[0] == "modelbuild: has that seed already"
    project.stop_builds()


def test_an_update_keeps_everything_that_is_the_projects_while_production_serves_and_a_bad_one_is_taken_back(
    company: Company, template: Template
) -> None:
    template.publish(FIRST)
    project = Releases(company, WhenProjectIsDeleted="delete-everything")
    assert launched_from(company, project) == FIRST
    project.release("one")
    code, before = function(company, project)["CodeSha256"], Held(project)
    with Callers(company, f"{project.name}-prod") as callers:
        until(lambda: callers.heard_since(0))
        for number in (BAD, GOOD):
            template.publish(number)

        with pytest.raises(StoryError) as refused:
            update(company, project, BAD)

        assert "ended as UpdateFailed" in str(refused.value)
        assert "NobodyMayMakeThis (AWS::SQS::Queue): " in str(refused.value)
        assert "sqs:CreateQueue" in str(refused.value)
        assert function(company, project)["CodeSha256"] == code, "taken back"
        assert vars(Held(project)) == vars(before)
        heard = len(callers.answers)

        said = update(company, project, GOOD)

        assert f"updating {project.name} to {GOOD}" in said
        assert "WhenProjectIsDeleted=delete-everything" in said
        assert vars(Held(project)) == vars(before), "nothing of it is touched, and no pipeline is started"
        assert function(company, project)["CodeSha256"] != code
        assert build_timeout(company, project) == 241
        until(lambda: callers.heard_since(heard))
    assert callers.failures == []
    assert set(callers.answers) == {"one"}
    described = company.scientist.client("sagemaker").describe_project(ProjectName=project.name)
    assert described["ProjectStatus"] == "UpdateCompleted"
    assert launched_from(company, project) == GOOD
    assert "has that version already" in update(company, project, GOOD)

    proposed_and_taken(company, project, template)
    project.release("two")

    looked = {
        name: output["executionResult"].get("externalExecutionSummary", "")
        for name, _, output in project.actions(project.last())
    }
    assert looked["CheckVersion"] == "Version 2 is approved, says release 1.2.0"
    assert project.delete() == "DeleteCompleted"
    assert project.work() == {"repositories": False, "models": False, "data": False}, "as was asked for at the launch"
