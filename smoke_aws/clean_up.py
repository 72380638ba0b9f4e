"""Takes away everything that the story made on AWS, whatever came of it, and names what is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.clock import Patience
from rehearsal.inventory import billable
from rehearsal.scene import Project
from rehearsal.watch import StoryError, wait_until
from service_catalog.bucket_removal import remove
from service_catalog.errors import PublishError, code_of
from service_catalog.target import Target
from service_catalog.teardown import Teardown
from smoke_aws.before import Before, log_groups, queues
from smoke_aws.people import remove_roles

DELETION_SECONDS = 3600
LAST_LOOK_SECONDS = 300
ATTEMPTS = 2
SHARED_LOGS = tuple(f"/aws/sagemaker/{kind}Jobs" for kind in ("Processing", "Training", "Transform"))
"""Log groups that SageMaker makes once for all jobs of an account."""
GONE = {"ResourceNotFound", "ValidationException", "RepositoryDoesNotExistException"}


class CleanUp:
    """Each part is tried, whatever became of the others; what went wrong is kept for people."""

    def __init__(
        self,
        target: Target,
        client: Callable[[str], Any],
        project: Project,
        before: Before,
        say: Callable[[str], None],
        patience: Patience,
    ) -> None:
        """`client` acts as somebody with administrator's rights; the project is found by its name."""
        self._target = target
        self._client = client
        self._project = project
        self._before = before
        self._say = say
        self._patience = Patience(poll_seconds=patience.poll_seconds)
        self._never = threading.Event()  # a clean-up is not ended because the story was
        self.problems: list[str] = []

    def run(self, as_launcher: Callable[[str], Any] | None = None) -> list[str]:
        """Take everything away. Returns what is left or went wrong, in words; nothing when all is gone.

        `as_launcher` acts as whoever launched the project, who may also delete it.
        """
        self._try("delete the project", lambda: self._delete_project(as_launcher or self._client))
        self._try("delete its repositories", self._delete_repositories)
        self._try("delete its models", self._delete_models)
        self._try("delete its bucket", self._delete_buckets)
        self._try("delete its logs", self._delete_logs)
        self._try("delete the mailbox", self._delete_mailboxes)
        self._try("take the catalog down", self._take_down)
        self._try("delete the data scientist's role", self._delete_roles)
        left = self._try("look whether anything is left", lambda: list(self._left())) or []
        return [*self.problems, *left]

    def _try(self, what: str, part: Callable[[], Any]) -> Any:  # noqa: ANN401 - of any part
        self._say(f"clean-up: {what}")
        try:
            return part()
        except (ClientError, BotoCoreError, PublishError, StoryError) as problem:
            self.problems.append(f"Could not {what}: {problem}")
            self._say(self.problems[-1])
            return None

    # ---- the project

    def _delete_project(self, client: Callable[[str], Any]) -> None:
        if not self._find():
            return
        for attempt in range(1, ATTEMPTS + 1):
            status = self._settled()
            if status == "DeleteCompleted":
                return
            client("sagemaker").delete_project(ProjectName=self._project.name)
            status = self._settled(begun="Delete")
            if status == "DeleteCompleted":
                return
            self._say(f"attempt {attempt} ended in {status}")
        raise StoryError(f"the project {self._project.name} is {status}; its stack in CloudFormation says why")

    def _find(self) -> bool:
        """Whether there is or was the project; fills in its id, the newest one's where the story did not get so far."""
        if self._project.id:
            return True
        pages = (
            self._client("sagemaker")
            .get_paginator("list_projects")
            .paginate(NameContains=self._project.name, SortBy="CreationTime", SortOrder="Ascending")
        )
        for page in pages:
            for each in page["ProjectSummaryList"]:
                if each["ProjectName"] == self._project.name:
                    self._project.id = each["ProjectId"]
        return bool(self._project.id)

    def _settled(self, begun: str = "") -> str:
        """The project's status once nothing is in progress, and a deletion that was asked for has begun."""

        def status() -> str | None:
            try:
                described = self._client("sagemaker").describe_project(ProjectName=self._project.name)
            except ClientError as error:
                if code_of(error) in GONE:
                    return "DeleteCompleted"
                raise
            found = str(described["ProjectStatus"])
            return found if "Pending" not in found and "InProgress" not in found and begun in found else None

        found: str = self._wait(status, f"the end of what happens to {self._project.name}", DELETION_SECONDS)
        return found

    # ---- what it kept

    def _delete_repositories(self) -> None:
        if self._project.id:
            codecommit = self._client("codecommit")
            for name in (self._project.build_pipeline, self._project.deploy_pipeline):
                codecommit.delete_repository(repositoryName=name)

    def _delete_models(self) -> None:
        if not self._project.id:
            return
        sagemaker, group = self._client("sagemaker"), self._project.group
        try:
            sagemaker.describe_model_package_group(ModelPackageGroupName=group)
        except ClientError as error:
            if code_of(error) in GONE:
                return
            raise
        pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
        for arn in [each["ModelPackageArn"] for page in pages for each in page["ModelPackageSummaryList"]]:
            sagemaker.delete_model_package(ModelPackageName=arn)
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)

    def _delete_buckets(self) -> None:
        if self._project.id:
            s3 = self._client("s3")
            for each in s3.list_buckets()["Buckets"]:
                if self._project.id in each["Name"]:
                    remove(s3, each["Name"], self._target.account, self._say)

    def _delete_logs(self) -> None:
        logs = self._client("logs")
        for name in [each for each in log_groups(logs) if self._of_the_story(each)]:
            logs.delete_log_group(logGroupName=name)

    def _of_the_story(self, log_group: str) -> bool:
        if log_group in self._before.log_groups:
            return False
        named = self._project.id and self._project.id in log_group
        return bool(named or log_group in SHARED_LOGS or f"/{self._project.name}-" in log_group)

    def _delete_mailboxes(self) -> None:
        sqs = self._client("sqs")
        for url in [each for each in queues(sqs) if each not in self._before.queues]:
            sqs.delete_queue(QueueUrl=url)

    # ---- what publishing left, and the people

    def _take_down(self) -> None:
        Teardown(self._target, self._say, self._patience.poll_seconds).remove()

    def _delete_roles(self) -> None:
        remove_roles(self._client("iam"))

    # ---- the end

    def _left(self) -> Iterator[str]:
        """What is there still, after some minutes: AWS goes on listing for a while what is deleted."""

        def nothing() -> bool:
            return not list(self._still_there())

        try:
            self._wait(nothing, "an empty account", LAST_LOOK_SECONDS)
        except StoryError:
            yield from self._still_there()

    def _still_there(self) -> Iterator[str]:
        for kind, names in billable(self._client).items():
            yield f"Left, and costs money: {kind} {', '.join(names)}"
        if self._project.id:
            tag = {"Key": "sagemaker:project-id", "Values": [self._project.id]}
            pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=[tag])
            for page in pages:
                yield from (f"Left: {each['ResourceARN']}" for each in page["ResourceTagMappingList"])

    def _wait(self, question: Callable[[], Any], what: str, seconds: float) -> Any:  # noqa: ANN401 - the answer
        return wait_until(question, what, seconds, self._never, self._patience)
