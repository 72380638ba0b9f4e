"""Deleting a project in any state it may be in."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from answers import STACK_ID, CloudFormationEar
from fake_aws import REGION, Document, FakeAws, RefusedError
from moto.sns.models import sns_backends
from scene import (
    GROUP,
    NOON,
    PREFIX,
    PRODUCTION,
    STAGING,
    Builds,
    Clock,
    CodePipelines,
    Context,
    SageMaker,
    Stacks,
    done,
    running,
    waits_for_approval,
)

import clean_up
import custom_resource

BUILD, DEPLOY = f"{PREFIX}-modelbuild", f"{PREFIX}-modeldeploy"
PRODUCTION_STACK, STAGING_STACK = f"{PREFIX}-deploy-prod", f"{PREFIX}-deploy-staging"
PROJECTS = [f"{PREFIX}-modelbuild", f"{PREFIX}-modeldeploy", f"{PREFIX}-testing"]
LOG_GROUP = f"/aws/sagemaker-projects/{PREFIX}-functions"
BUCKET = "sagemaker-project-p-abc123-123456789012"
ENDPOINT_LOGS = [f"/aws/sagemaker/Endpoints/{name}" for name in (STAGING, PRODUCTION)]


class Project:
    """A whole project, and what deleting it comes to."""

    def __init__(
        self,
        account: FakeAws,
        clock: Clock,
        pipelines: CodePipelines,
        builds: Builds,
        stacks: Stacks,
        sagemaker: SageMaker,
        ear: CloudFormationEar,
    ) -> None:
        self.account, self.clock, self.ear = account, clock, ear
        self.pipelines, self.builds, self.stacks, self.sagemaker = pipelines, builds, stacks, sagemaker
        self.s3 = account.client("s3")
        self.codecommit = account.client("codecommit")
        self.logs = account.client("logs")
        self.logs.create_log_group(logGroupName=LOG_GROUP)
        self.topic = account.client("sns").create_topic(Name=f"{PREFIX}-notifications")["TopicArn"]
        self.own_stack = stacks.stack(STACK_ID, "DELETE_IN_PROGRESS")
        self.handed_over: list[Document] = []
        account.play("lambda", Invoke=self._invoke)

    def _invoke(self, request: Document) -> Document:
        assert request["InvocationType"] == "Event"
        self.handed_over.append(json.loads(request["Payload"]))
        return {"StatusCode": 202}

    def launch(self) -> Project:
        """Everything a launched project has, at rest."""
        self.pipelines.executions.update({BUILD: [], DEPLOY: []})
        for project in PROJECTS:
            self.builds.build(project, complete=True)
        self.stacks.stack(PRODUCTION_STACK, endpoint=PRODUCTION)
        self.stacks.stack(STAGING_STACK, endpoint=STAGING)
        self.sagemaker.serve(PRODUCTION, 1)
        self.sagemaker.serve(STAGING, 1)
        self.sagemaker.run_pipeline(status="Succeeded")
        self.sagemaker.register(1)
        self.sagemaker.register(2)
        for name in ENDPOINT_LOGS:
            self.logs.create_log_group(logGroupName=name)
        for name in (BUILD, DEPLOY):
            self.codecommit.create_repository(repositoryName=name)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for number in (1, 2):
            self.s3.put_object(Bucket=BUCKET, Key="data/claims.csv", Body=b"claims %d" % number)
        self.s3.put_object(Bucket=BUCKET, Key="data/gone.csv", Body=b"gone")
        self.s3.delete_object(Bucket=BUCKET, Key="data/gone.csv")
        self.s3.create_multipart_upload(Bucket=BUCKET, Key="data/halfway.csv")
        return self

    def request(self, kind: str = "Delete", policy: str = "keep-code-models-data", **more: Any) -> Document:
        properties = {
            "ServiceToken": Context(self.clock).invoked_function_arn,
            "ServiceTimeout": "3600",
            "BuildPipeline": BUILD,
            "DeployPipeline": DEPLOY,
            "BuildProjects": PROJECTS,
            "SageMakerPipeline": GROUP,
            "BatchPipelines": [PRODUCTION, STAGING],
            "ProductionStack": PRODUCTION_STACK,
            "StagingStack": STAGING_STACK,
            "ModelPackageGroup": GROUP,
            "Bucket": BUCKET,
            "EndpointLogs": ENDPOINT_LOGS,
            "Repositories": [BUILD, DEPLOY],
            "NotificationTopic": self.topic,
            "WhenProjectIsDeleted": policy,
            "ProjectName": "fraud",
        }
        return self.ear.request(kind, properties, **more)

    def delete(self, policy: str = "keep-code-models-data", event: Document | None = None) -> None:
        """Delete the project as CloudFormation asks the function to."""
        clean_up.handler(event or self.request(policy=policy), Context(self.clock))

    def delete_everything(self) -> None:
        self.delete("delete-everything")

    def reports(self) -> list[str]:
        """What the log group holds by CleanUp's own writing, Lambda's deliveries aside."""
        streams = self.logs.describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in self.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"])[
                "events"
            ]
        ]

    @property
    def repositories(self) -> set[str]:
        """The repositories that are there."""
        found = set()
        for name in (BUILD, DEPLOY):
            with contextlib.suppress(self.codecommit.exceptions.RepositoryDoesNotExistException):
                found.add(self.codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["repositoryName"])
        return found

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Subject and text of what people were sent."""
        sent = sns_backends["123456789012"][REGION].topics[self.topic].sent_notifications
        return [(subject, text) for _, text, subject, _, _ in sent]

    def only_message(self) -> tuple[str, str]:
        (message,) = self.messages
        return message

    def assert_gone(self) -> None:
        """Nothing is left that runs or costs more than storage."""
        assert self.ear.only_answer()["Status"] == "SUCCESS"
        assert not {PRODUCTION_STACK, STAGING_STACK} & set(self.stacks.stacks)
        assert not self.sagemaker.pipelines
        statuses = {each["status"] for found in self.pipelines.executions.values() for each in found}
        assert not statuses & {"InProgress", "Stopping"}
        assert all(build["buildComplete"] for found in self.builds.builds.values() for build in found)


@pytest.fixture
def project(
    account: FakeAws,
    clock: Clock,
    pipelines: CodePipelines,
    builds: Builds,
    stacks: Stacks,
    sagemaker: SageMaker,
    ear: CloudFormationEar,
) -> Project:
    return Project(account, clock, pipelines, builds, stacks, sagemaker, ear)


# ---- when nothing is to be done


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_creating_and_updating_it_does_nothing(project: Project, kind: str) -> None:
    project.launch()
    clean_up.handler(project.request(kind), Context(project.clock))
    assert project.ear.only_answer()["Status"] == "SUCCESS"
    assert project.account.calls == []


@pytest.mark.parametrize(
    "status",
    [
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    ],
)
def test_an_upgrade_that_is_taken_back_leaves_production_alone(project: Project, status: str) -> None:
    """An upgrade adds this resource to an older project and fails: CloudFormation deletes the resource again."""
    project.launch()
    project.own_stack["StackStatus"] = status
    project.delete_everything()
    assert project.ear.only_answer()["Status"] == "SUCCESS"
    assert {PRODUCTION_STACK, STAGING_STACK} <= set(project.stacks.stacks)
    assert project.messages == []
    assert project.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_a_stack_that_cannot_be_looked_at_is_no_reason_to_delete_production(project: Project) -> None:
    project.launch()
    denied = "User: x is not authorized to perform: cloudformation:DescribeStacks"

    def refuse(_: Document) -> Document:
        raise RefusedError("AccessDenied", denied)

    project.account.play("cloudformation", DescribeStacks=refuse)
    project.delete()
    assert project.ear.only_answer()["Status"] == "FAILED"
    assert denied in project.ear.only_answer()["Reason"]
    assert {PRODUCTION_STACK, STAGING_STACK} <= set(project.stacks.stacks)


# ---- what goes and what stays


def test_production_goes_first_then_staging_and_the_users_work_stays(project: Project) -> None:
    project.launch()
    project.delete()
    project.assert_gone()
    assert [each["StackName"] for each in project.account.asked("DeleteStack")] == [PRODUCTION_STACK, STAGING_STACK]
    assert project.s3.get_object(Bucket=BUCKET, Key="data/claims.csv")["Body"].read() == b"claims 2"
    assert len(project.sagemaker.packages) == 2
    assert project.repositories == {BUILD, DEPLOY}


def test_the_stacks_are_deleted_with_the_role_they_were_created_with(project: Project) -> None:
    project.launch()
    project.delete()
    assert all(set(each) == {"StackName"} for each in project.account.asked("DeleteStack"))


def test_people_are_told_what_was_removed_what_was_kept_and_how_to_delete_that(project: Project) -> None:
    project.launch()
    project.delete()
    subject, text = project.only_message()
    assert subject == "Project fraud was deleted, some things were kept"
    removed, kept = text.split("Kept, because")
    assert all(name in removed for name in (PRODUCTION_STACK, STAGING_STACK, f"SageMaker pipeline {GROUP}"))
    assert f"model group {GROUP} with 2 versions" in kept
    assert f"s3://{BUCKET}" in kept
    for name in (BUILD, DEPLOY):
        assert f"aws codecommit delete-repository --repository-name {name}" in kept
    assert f"aws sagemaker delete-model-package-group --model-package-group-name {GROUP}" in kept
    assert "object_versions.delete()" in kept
    for name in (*ENDPOINT_LOGS, LOG_GROUP):
        assert f"aws logs delete-log-group --log-group-name {name}" in kept
    assert "with this report in it. What is in it is deleted after 365 days" in kept


def test_the_report_is_in_the_log_before_cloudformation_is_answered(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is the end of the function's role."""
    project.launch()
    at_the_answer: list[list[str]] = []
    succeed = custom_resource.succeed

    def answered(event: Document) -> None:
        at_the_answer.append(project.reports())
        succeed(event)

    monkeypatch.setattr(custom_resource, "succeed", answered)
    project.delete_everything()
    subject, text = project.only_message()
    assert at_the_answer == [[f"{subject}\n\n{text}"]]


def test_a_second_deletion_adds_its_report_to_the_first(project: Project) -> None:
    project.launch()
    project.delete()
    project.delete_everything()
    first, second = project.reports()
    assert "some things were kept" in first
    assert "only a log was kept" in second


def test_a_report_that_cannot_be_written_does_not_hold_up_the_deletion(project: Project) -> None:
    project.launch()
    project.logs.delete_log_group(logGroupName=LOG_GROUP)
    project.delete()
    project.assert_gone()
    project.only_message()


def test_a_subject_is_short_for_the_longest_project_name(project: Project) -> None:
    project.launch()
    event = project.request()
    event["ResourceProperties"]["ProjectName"] = "f" * 32
    project.delete(event=event)
    subject, _ = project.only_message()
    assert len(subject) < 100


def test_a_message_that_cannot_be_sent_does_not_hold_up_the_deletion(project: Project) -> None:
    project.launch()
    event = project.request()
    event["ResourceProperties"]["NotificationTopic"] = f"{project.topic}-gone"
    project.delete(event=event)
    project.assert_gone()


def test_deleting_everything_deletes_every_version_upload_model_and_repository(project: Project) -> None:
    project.launch()
    project.delete_everything()
    project.assert_gone()
    assert project.s3.list_buckets()["Buckets"] == []
    assert project.sagemaker.packages == {}
    assert not project.sagemaker.group_exists
    assert project.repositories == set()
    subject, text = project.only_message()
    assert {each["logGroupName"] for each in project.logs.describe_log_groups()["logGroups"]} == {LOG_GROUP}
    assert subject == "Project fraud was deleted, only a log was kept"
    assert "with 4 object versions" in text  # two of claims.csv, gone.csv, and its delete marker
    assert f"model group {GROUP} with 2 versions" in text
    assert "Nothing was kept" not in text
    assert f"Kept is only the log of the project's functions, {LOG_GROUP}" in text
    assert "/aws/sagemaker/TrainingJobs and /aws/sagemaker/ProcessingJobs" in text


def test_a_large_bucket_is_emptied_a_thousand_versions_at_a_time(project: Project) -> None:
    project.launch()
    there = [{"Key": f"many/{number}", "VersionId": "1"} for number in range(2500)]

    def delete(request: Document) -> None:
        objects = request["Delete"]["Objects"]
        assert len(objects) <= 1000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
        there[:] = [each for each in there if each not in objects]

    project.account.play(
        "s3",
        ListObjectVersions=lambda _: {"Versions": there[:1000], "IsTruncated": len(there) > 1000},
        DeleteObjects=delete,
        ListMultipartUploads=lambda _: {},
        DeleteBucket=lambda _: {},
    )
    project.delete_everything()
    project.assert_gone()
    assert there == []
    assert "with 2500 object versions" in project.only_message()[1]


def test_data_that_cannot_be_deleted_are_named(project: Project) -> None:
    project.launch()

    def refuse(request: Document) -> Document:
        key = request["Delete"]["Objects"][0]["Key"]
        return {"Errors": [{"Key": key, "Code": "AccessDenied", "Message": "Access Denied"}]}

    project.account.play("s3", DeleteObjects=refuse)
    project.delete_everything()
    answer = project.ear.only_answer()
    assert answer["Status"] == "FAILED"
    assert f"the bucket {BUCKET}" in answer["Reason"]
    assert "data/claims.csv" in answer["Reason"]


def test_models_and_data_are_not_deleted_while_an_endpoint_is_left(project: Project) -> None:
    project.launch()
    project.stacks.deletes = lambda _: "DELETE_FAILED"
    project.delete_everything()
    assert project.ear.only_answer()["Status"] == "FAILED"
    assert len(project.sagemaker.packages) == 2
    assert project.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


# ---- states


def test_a_project_without_any_part_is_deleted(project: Project) -> None:
    """A launch that failed early, taken back by CloudFormation."""
    project.sagemaker.group_exists = False
    project.own_stack["StackStatus"] = "ROLLBACK_IN_PROGRESS"
    project.delete_everything()
    project.assert_gone()
    assert project.messages == []


def test_a_launch_that_failed_says_only_of_the_bucket_that_it_was_kept(project: Project) -> None:
    """Repositories and model group are taken back by CloudFormation itself."""
    project.launch()
    project.own_stack["StackStatus"] = "ROLLBACK_IN_PROGRESS"
    project.delete()
    project.assert_gone()
    subject, text = project.only_message()
    assert subject == "Project fraud was taken back, some things were kept"
    assert f"s3://{BUCKET}" in text
    assert "delete-repository" not in text
    assert "delete-model-package-group" not in text
    assert LOG_GROUP not in text, "CloudFormation takes it back"


def test_deleting_twice_is_deleting_once(project: Project) -> None:
    project.launch()
    project.delete_everything()
    project.delete_everything()
    assert [each["Status"] for each in project.ear.answers] == ["SUCCESS", "SUCCESS"]
    assert len(project.messages) == 1  # the second time there is nothing to tell


def test_a_build_that_runs_and_the_training_it_started_are_stopped(project: Project) -> None:
    project.launch()
    project.pipelines.execution(BUILD, done("Source"), running("Build", "BuildTrainRegister"))
    build = project.builds.build(PROJECTS[0])
    project.sagemaker.run_pipeline()
    project.delete()
    project.assert_gone()
    _, text = project.only_message()
    assert f"the build {build}" in text
    assert f"of the SageMaker pipeline {GROUP}" in text


def test_an_approval_that_waits_is_abandoned_and_says_why(project: Project) -> None:
    project.launch()
    waiting = project.pipelines.execution(DEPLOY, waits_for_approval())
    project.delete()
    project.assert_gone()
    stop = project.pipelines.stopped()[waiting]
    assert stop["abandon"] is True
    assert stop["reason"] == "The project is being deleted"


def test_an_execution_that_somebody_told_to_end_its_actions_first_is_abandoned(project: Project) -> None:
    project.launch()
    ending = project.pipelines.execution(DEPLOY, waits_for_approval(), status="Stopping")
    project.delete()
    project.assert_gone()
    assert project.pipelines.stopped()[ending]["abandon"] is True


def test_no_stack_is_touched_before_everything_that_could_change_it_stopped(project: Project) -> None:
    project.launch()
    project.pipelines.execution(DEPLOY, running("DeployStaging", provider="CloudFormation"))
    project.delete()
    project.assert_gone()
    names = [name for name, _ in project.account.calls]
    assert names.index("DeleteStack") > names.index("StopPipelineExecution")
    last_look = (
        names.index("DeleteStack") - 1 - names[names.index("DeleteStack") - 1 :: -1].index("ListPipelineExecutions")
    )
    assert last_look > names.index("StopPipelineExecution")


def test_an_execution_that_starts_while_another_is_stopped_is_stopped_too(project: Project) -> None:
    project.launch()
    project.pipelines.execution(DEPLOY, waits_for_approval())
    project.clock.after(1.0, lambda: project.pipelines.execution(DEPLOY, running("Source")))
    project.delete()
    project.assert_gone()
    assert len(project.pipelines.stopped()) == 2


def test_an_execution_that_waits_behind_hundreds_of_newer_ones_is_found(project: Project) -> None:
    project.launch()
    waiting = project.pipelines.execution(DEPLOY, waits_for_approval())
    for _ in range(250):
        project.pipelines.execution(DEPLOY, status="Superseded")
    project.delete()
    project.assert_gone()
    assert waiting in project.pipelines.stopped()


def test_builds_of_long_ago_are_not_read_through(project: Project) -> None:
    project.launch()
    for _ in range(450):
        project.builds.build(PROJECTS[0], complete=True)
    project.delete()
    pages = [each for each in project.account.asked("ListBuildsForProject") if each["projectName"] == PROJECTS[0]]
    assert len(pages) == 1


def test_the_end_of_a_step_is_waited_for_after_its_execution_stopped(project: Project) -> None:
    project.launch()
    execution = project.sagemaker.run_pipeline()
    project.delete()
    project.assert_gone()
    assert execution["step"] == "Stopped"


def test_a_batch_run_is_stopped_before_its_pipeline_goes_with_its_stack(project: Project) -> None:
    project.launch()
    execution = project.sagemaker.run_pipeline(PRODUCTION)
    project.delete()
    assert execution["step"] == "Stopped"
    names = [name for name, _ in project.account.calls]
    assert names.index("StopPipelineExecution") < names.index("DeleteStack")


def test_an_update_is_cancelled_and_its_rollback_waited_for(project: Project) -> None:
    project.launch()
    project.stacks.stacks[PRODUCTION_STACK]["StackStatus"] = "UPDATE_IN_PROGRESS"
    project.delete()
    project.assert_gone()
    assert [each["StackName"] for each in project.account.asked("CancelUpdateStack")] == [PRODUCTION_STACK]


def test_an_update_that_ends_while_it_is_being_cancelled_is_no_failure(project: Project) -> None:
    project.launch()
    stack = project.stacks.stacks[STAGING_STACK]
    stack["StackStatus"] = "UPDATE_IN_PROGRESS"

    def too_late(_: Document) -> Document:
        stack["StackStatus"] = "UPDATE_COMPLETE"
        raise RefusedError("ValidationError", "CancelUpdateStack cannot be called from current stack status")

    project.account.play("cloudformation", CancelUpdateStack=too_late)
    project.delete()
    project.assert_gone()


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "CREATE_IN_PROGRESS",
        "DELETE_FAILED",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_ROLLBACK_FAILED",
    ],
)
def test_a_stack_is_deleted_from_any_state_that_allows_it(project: Project, status: str) -> None:
    project.launch()
    project.stacks.stacks[PRODUCTION_STACK]["StackStatus"] = status
    project.delete()
    project.assert_gone()


@pytest.mark.parametrize(
    ("status", "then"),
    [
        ("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"),
    ],
)
def test_a_stack_in_the_middle_of_something_is_waited_for(project: Project, status: str, then: str) -> None:
    project.launch()
    stack = project.stacks.stacks[PRODUCTION_STACK]
    stack["StackStatus"] = status
    project.stacks.becomes(stack, then, 120.0)
    project.delete()
    project.assert_gone()


def test_an_endpoint_in_the_middle_of_a_canary_is_waited_for(project: Project) -> None:
    """SageMaker deletes no endpoint that is being updated, so the first deletion of its stack fails."""
    project.launch()
    project.sagemaker.serve(PRODUCTION, 2, "Updating")
    project.stacks.deletes = lambda stack: (
        "DELETE_FAILED"
        if stack["StackName"] == PRODUCTION_STACK and project.sagemaker.endpoints[PRODUCTION]["status"] == "Updating"
        else "DELETE_COMPLETE"
    )
    project.clock.after(400.0, lambda: project.sagemaker.serve(PRODUCTION, 2))
    project.delete()
    project.assert_gone()
    assert len([each for each in project.account.asked("DeleteStack") if each["StackName"] == PRODUCTION_STACK]) == 2


def test_a_stack_that_cannot_be_deleted_is_reported_with_its_resource_and_the_other_one_goes(project: Project) -> None:
    project.launch()
    stack = project.stacks.stacks[PRODUCTION_STACK]
    stack["resources"][0].update(
        ResourceStatus="DELETE_FAILED", ResourceStatusReason="AccessDenied: sagemaker:DeleteEndpoint"
    )
    project.stacks.deletes = lambda each: "DELETE_FAILED" if each is stack else "DELETE_COMPLETE"
    project.delete()
    answer = project.ear.only_answer()
    assert answer["Status"] == "FAILED"
    assert f"The stack {PRODUCTION_STACK} cannot be deleted. Endpoint (AWS::SageMaker::Endpoint" in answer["Reason"]
    assert "AccessDenied: sagemaker:DeleteEndpoint" in answer["Reason"]
    assert "delete the project once more" in answer["Reason"]
    assert answer["Reason"].count(f"The stack {PRODUCTION_STACK}") == 1
    assert set(project.stacks.stacks) == {STACK_ID, PRODUCTION_STACK}
    assert GROUP in project.sagemaker.pipelines  # what else is there stays until the endpoint is gone


def stuck(kind: str, name: str) -> Document:
    return {
        "LogicalResourceId": kind.rpartition(":")[2],
        "PhysicalResourceId": f"arn:aws:sagemaker:{REGION}:123456789012:{name}",
        "ResourceType": kind,
        "ResourceStatus": "DELETE_FAILED",
        "ResourceStatusReason": "AccessDenied: sagemaker:DeleteModel",
        "Timestamp": NOON,
    }


def test_a_model_that_somebody_deleted_by_hand_does_not_keep_the_endpoint_s_stack(project: Project) -> None:
    """The stack's role may delete what has the project's tag, and what is not there has none."""
    project.launch()
    stack = project.stacks.stacks[PRODUCTION_STACK]
    stack["resources"] = [stuck("AWS::SageMaker::Model", "model/Model-1a2b")]

    def deletes(each: Document) -> str:
        retained = project.account.asked("DeleteStack")[-1].get("RetainResources")
        return "DELETE_FAILED" if each is stack and retained != ["Model"] else "DELETE_COMPLETE"

    project.stacks.deletes = deletes
    project.delete()
    project.assert_gone()
    _, text = project.only_message()
    assert "Could not be removed, because it was deleted by hand before" in text
    assert "aws sagemaker delete-model --model-name Model-1a2b" in text


def test_an_endpoint_is_never_left_with_its_model(project: Project) -> None:
    project.launch()
    stack = project.stacks.stacks[PRODUCTION_STACK]
    stack["resources"][0]["ResourceStatus"] = "DELETE_FAILED"
    stack["resources"].append(stuck("AWS::SageMaker::Model", "model/Model-1a2b"))
    project.stacks.deletes = lambda each: "DELETE_FAILED" if each is stack else "DELETE_COMPLETE"
    project.delete()
    assert project.ear.only_answer()["Status"] == "FAILED"
    assert not any("RetainResources" in each for each in project.account.asked("DeleteStack"))


def test_a_protected_stack_is_reported_at_once(project: Project) -> None:
    project.launch()
    project.stacks.stacks[PRODUCTION_STACK]["EnableTerminationProtection"] = True
    project.delete()
    assert "TerminationProtection is enabled" in project.ear.only_answer()["Reason"]


def test_a_stack_that_comes_back_while_the_other_is_deleted_is_deleted_again(project: Project) -> None:
    """An action abandoned between deleting a stack and creating it anew may still create it."""
    project.launch()

    def deletes(stack: Document) -> str:
        if stack["StackName"] == STAGING_STACK:
            project.clock.after(
                0.5, lambda: project.stacks.becomes(project.stacks.stack(PRODUCTION_STACK), "CREATE_COMPLETE")
            )
        return "DELETE_COMPLETE"

    project.stacks.deletes = deletes
    project.delete()
    project.assert_gone()


# ---- time and accidents


def test_what_takes_longer_than_an_invocation_is_handed_over(project: Project) -> None:
    project.launch()
    waiting = project.pipelines.execution(DEPLOY, waits_for_approval())
    stack = project.stacks.stacks[PRODUCTION_STACK]
    stack["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS"
    project.stacks.becomes(stack, "UPDATE_ROLLBACK_COMPLETE", 2000.0)
    project.delete()
    assert project.ear.answers == []
    for invocations in range(1, 4):
        if project.ear.answers:
            break
        assert len(project.handed_over) == invocations
        project.delete(event=project.handed_over[-1])
    assert len(project.handed_over) == 2
    project.assert_gone()
    # The report is whole, whichever invocation did what.
    _, text = project.only_message()
    assert waiting in text
    assert PRODUCTION_STACK in text


def test_cloudformation_gets_its_answer_before_it_stops_listening(project: Project) -> None:
    project.launch()
    project.stacks.stacks[PRODUCTION_STACK]["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS"
    began = project.clock.now
    project.delete()
    while not project.ear.answers:
        project.delete(event=project.handed_over[-1])
    assert project.ear.only_answer()["Status"] == "FAILED"
    assert f"the stack {PRODUCTION_STACK} to be deleted" in project.ear.only_answer()["Reason"]
    assert project.clock.now - began < 3600


def test_a_hand_over_that_fails_is_answered(project: Project) -> None:
    project.launch()
    project.stacks.stacks[PRODUCTION_STACK]["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS"

    def refuse(_: Document) -> Document:
        raise RefusedError("AccessDeniedException", "not authorized to perform: lambda:InvokeFunction")

    project.account.play("lambda", Invoke=refuse)
    project.delete()
    assert "lambda:InvokeFunction" in project.ear.only_answer()["Reason"]


def test_a_refused_call_is_answered_with_what_was_refused(project: Project) -> None:
    project.launch()

    def refuse(_: Document) -> Document:
        raise RefusedError("AccessDeniedException", "User: x is not authorized")

    project.account.play("codebuild", ListBuildsForProject=refuse)
    project.delete()
    answer = project.ear.only_answer()
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("AWS refused ListBuildsForProject: AccessDeniedException: User: x")


def test_an_accident_is_answered_too(project: Project) -> None:
    event = project.request()
    del event["ResourceProperties"]["BuildPipeline"]
    project.delete(event=event)
    assert project.ear.only_answer()["Status"] == "FAILED"
    assert "BuildPipeline" in project.ear.only_answer()["Reason"]
