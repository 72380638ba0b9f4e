"""What people do about a fault brings the execution they follow to its good end; what nobody saw is not passed over."""

from __future__ import annotations

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codebuild import CodeBuild
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.person import Person
from rehearsal.progress import Progress
from rehearsal.remedies import Remedies
from rehearsal.watch import PipelineWatch, StoryError
from tests.rehearsal.codepipeline.pipeline_lab import Lab, ScriptedBuilds, build, stage
from tests.rehearsal.faults.conftest import Faulty
from tests.rehearsal.faults.deployment_lab import PIPELINE, PROVIDERS, SERVICES, Project
from tests.rehearsal.faults.test_build_timeout import BUILDSPEC, with_builder
from tests.rehearsal.sagemaker.hosting import Hosting
from tests.waiting import until

BROKEN = StoryError("jo: `git push` failed with 1:\nerror: RPC failed; curl 18 transfer closed")


class Company:
    """Somebody who may do everything, and what they do about faults."""

    def __init__(self, cloud: Cloud) -> None:
        self.person = Person("jo", cloud, cloud.identity.root)
        self.progress = Progress()
        self.remedies = Remedies(cloud.faults, self.person, self.person, self.progress)

    def watch(self, pipeline: str, execution: str) -> PipelineWatch:
        clients = [self.person.client(name) for name in ("codepipeline", "sagemaker", "codebuild", "logs")]
        return PipelineWatch(*clients, self.progress, pipeline, execution, helper=self.remedies)


def test_a_stage_that_failed_by_a_timeout_is_retried(faulty: Faulty) -> None:
    lab = with_builder(Lab(faulty(["build-timeout"], [CodeBuild, CodeCommit, CodePipeline])))
    company = Company(lab.cloud)
    lab.commit({"buildspec.yml": BUILDSPEC}, "Build me")
    declaration = lab.declaration("slow", stage("Build", build()))
    company.watch(declaration["name"], lab.create(declaration)).until_succeeded()
    company.remedies.confirm()


def test_another_failure_than_the_promised_one_stays_a_failure(faulty: Faulty) -> None:
    lab = with_builder(Lab(faulty(["git-network", "build-timeout"], [CodeBuild, CodeCommit, CodePipeline])))
    company = Company(lab.cloud)
    lab.cloud.faults.strikes("build-timeout", "some other build")
    lab.commit({"buildspec.yml": BUILDSPEC.replace("echo installing", "exit 3")}, "Break me")
    declaration = lab.declaration("broken", stage("Build", build()))
    with pytest.raises(StoryError, match="COMMAND_EXECUTION_ERROR"):
        company.watch(declaration["name"], lab.create(declaration)).until_succeeded()


def test_an_object_that_is_gone_is_restored_and_its_version_deployed(faulty: Faulty) -> None:
    project = Project(faulty(["object-gone"], SERVICES, PROVIDERS, speed=600))
    company = Company(project.cloud)
    project.approve(project.register("one"))
    [execution] = until(project.executions)
    project.say_yes()
    company.watch(PIPELINE, execution["pipelineExecutionId"]).until_succeeded()
    company.remedies.confirm()
    assert project.served() == "one"


def test_each_endpoint_that_is_maintained_is_waited_for_and_its_stage_retried_though_it_is_gone_by_then(
    faulty: Faulty,
) -> None:
    lab = Lab(faulty(["endpoint-maintenance"], [ScriptedBuilds, CodeCommit, CodePipeline, Hosting]))
    company = Company(lab.cloud)
    for name in ("staging", "prod"):
        lab.cloud.faults.strikes("endpoint-maintenance", f"claims-{name}")
        lab.builds.script(name, status="FAILED", message=f"Cannot update in-progress endpoint claims-{name}")
    declaration = lab.declaration(
        "maintained",
        stage("Staging", build(project="staging")),
        stage("Production", build(project="prod")),
    )
    company.watch(declaration["name"], lab.create(declaration)).until_succeeded()
    company.remedies.confirm()


def test_a_stage_that_fails_in_the_same_words_again_stays_a_failure(faulty: Faulty) -> None:
    lab = Lab(faulty(["endpoint-maintenance"], [ScriptedBuilds, CodeCommit, CodePipeline, Hosting]))
    company = Company(lab.cloud)
    lab.cloud.faults.strikes("endpoint-maintenance", "claims-prod")
    for _ in range(2):
        lab.builds.script("prod", status="FAILED", message="Cannot update in-progress endpoint claims-prod")
    declaration = lab.declaration("again", stage("Production", build(project="prod")))
    with pytest.raises(StoryError, match="in-progress endpoint"):
        company.watch(declaration["name"], lab.create(declaration)).until_succeeded()


def test_of_two_equal_questions_the_first_is_answered_and_the_second_followed(faulty: Faulty) -> None:
    project = Project(faulty(["duplicated-event"], SERVICES, PROVIDERS, speed=600))
    company = Company(project.cloud)
    project.approve(project.register("one"))
    until(lambda: len(project.executions()) == 2)
    first, second = (each["pipelineExecutionId"] for each in project.executions())
    watch = company.watch(PIPELINE, first)
    approval = watch.until(lambda: watch.waiting_approval(watch.execution_id), "the question")
    assert watch.execution_id == second
    watch.answer(approval, "read")
    watch.until_succeeded()
    company.remedies.confirm()
    assert project.endpoint_changes() == ["CREATE_COMPLETE"]
    assert project.served() == "one"


def test_a_second_copy_that_comes_when_the_first_asks_already_changes_nothing(faulty: Faulty) -> None:
    project = Project(faulty(["duplicated-event"], SERVICES, PROVIDERS, speed=600))
    company = Company(project.cloud)
    package = project.register("one")
    given = [{"name": "MODEL_PACKAGE_ARN", "value": package}]
    assert project.cloud.faults.strikes("duplicated-event", f"the approval of {package}")
    first = project.lab.start(PIPELINE, variables=given)
    project.lab.token(PIPELINE)
    second = project.lab.start(PIPELINE, variables=given)
    watch = company.watch(PIPELINE, first)
    approval = watch.until(lambda: watch.waiting_approval(watch.execution_id), "the second question")
    assert (watch.execution_id, watch.status_of(first)) == (second, "Succeeded")
    watch.answer(approval, "read")
    watch.until_succeeded()
    company.remedies.confirm()
    assert project.endpoint_changes() == ["CREATE_COMPLETE"]


def test_a_second_copy_that_stops_because_the_first_does_the_work_leaves_one_question(faulty: Faulty) -> None:
    project = Project(faulty(["duplicated-event"], SERVICES, PROVIDERS, speed=600))
    company = Company(project.cloud)
    package = project.register("one")
    given = [{"name": "MODEL_PACKAGE_ARN", "value": package}]
    assert project.cloud.faults.strikes("duplicated-event", f"the approval of {package}")
    first = project.lab.start(PIPELINE, variables=given)
    project.lab.token(PIPELINE)
    second = project.lab.start(PIPELINE, variables=given)
    reason = f"Nothing to do: execution {first} deploys version 1 already"
    company.person.client("codepipeline").stop_pipeline_execution(
        pipelineName=PIPELINE, pipelineExecutionId=second, abandon=True, reason=reason
    )
    watch = company.watch(PIPELINE, second)
    approval = watch.until(lambda: watch.waiting_approval(watch.execution_id), "the only question")
    assert watch.execution_id == first
    watch.answer(approval, "read")
    watch.until_succeeded()
    company.remedies.confirm()
    assert project.served() == "one"


def test_git_is_run_once_more_for_each_broken_connection_and_for_nothing_else(faulty: Faulty) -> None:
    cloud = faulty(["git-network"])
    remedies = Company(cloud).remedies
    assert not remedies.again(BROKEN), "nothing has struck"
    cloud.faults.strikes("git-network", "a clone", part="clone")
    assert not remedies.again(StoryError("jo: `git push` failed with 1:\n! [rejected] main -> main"))
    assert [remedies.again(BROKEN), remedies.again(BROKEN)] == [True, False]
    cloud.faults.strikes("git-network", "a push", part="push")
    assert [remedies.again(BROKEN), remedies.again(BROKEN)] == [True, False]
    remedies.confirm()


def test_a_fault_whose_promise_nobody_saw_is_not_passed_over(faulty: Faulty) -> None:
    cloud = faulty(["build-timeout"])
    remedies = Company(cloud).remedies
    remedies.confirm()  # nothing has struck: whoever plays the story says that
    cloud.faults.strikes("build-timeout", "a build that nobody follows")
    with pytest.raises(StoryError, match="build-timeout struck, and nobody saw what is promised then"):
        remedies.confirm()
