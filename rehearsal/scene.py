"""Where the story plays: its people, their project, and what several acts do there.

Everybody speaks to the cloud as people do (boto3, git, HTTP, the project's own commands); nothing here looks inside
it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.mailbox import Mailbox
from rehearsal.own_model import CLAIMS, OwnModel
from rehearsal.people import People
from rehearsal.person import REPOSITORY_ROOT, Person
from rehearsal.progress import Progress
from rehearsal.remedies import Remedies
from rehearsal.watch import Answer, PipelineWatch, StoryError, wait_until
from rehearsal.world import World

PROJECT_NAME = CLAIMS.project
DENIED = ("AccessDenied", "AccessDeniedException")


def must(condition: object, sentence: str) -> None:
    """Raise StoryError with the sentence unless the condition holds."""
    if not condition:
        raise StoryError(sentence)


class Milestone:
    """Something that an act brings about and that another, played beside it, waits for."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._reached = threading.Event()
        self._problem: BaseException | None = None

    def reach(self) -> None:
        self._reached.set()

    def give_up(self, problem: BaseException) -> None:
        """It will not come about, because of this: let nobody wait."""
        if not self._reached.is_set():
            self._problem = problem
            self._reached.set()

    def wait(self) -> None:
        """Wait until it is reached. Raises StoryError when it never will be."""
        self._reached.wait()
        if self._problem is not None:
            raise StoryError(f"the story ended before {self._what}: {self._problem}") from self._problem


@dataclass
class Project:
    """What later acts know of the launched project."""

    name: str
    id: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    package_versions: list[str] = field(default_factory=list)
    asking: str = ""
    """The execution of the deploy pipeline that asked a person before the first version came into production."""

    @property
    def prefix(self) -> str:
        return f"sagemaker-{self.name}-{self.id}"

    @property
    def build_pipeline(self) -> str:
        return f"{self.prefix}-modelbuild"

    @property
    def deploy_pipeline(self) -> str:
        return f"{self.prefix}-modeldeploy"

    @property
    def group(self) -> str:
        return f"{self.name}-{self.id}"

    def endpoint(self, stage: str) -> str:
        return f"{self.name}-{stage}"

    def stack(self, stage: str) -> str:
        return f"{self.prefix}-deploy-{stage}"


class Scene:
    """The people, the project and their common doings."""

    def __init__(self, cloud: World, people: People, progress: Progress, own: OwnModel | None = None) -> None:
        self.progress = progress
        self.questions = own.questions if own else CLAIMS
        self.template = own.template(cloud.folder_for("people", "template")) if own else REPOSITORY_ROOT
        """Where the template is published from."""
        self.cloud = cloud
        self.studio_role_arn = people.studio_role_arn
        self.approver_role_arn = people.approver_role_arn
        self.engineer = Person("platform-engineer", cloud, people.platform_engineer)
        self.scientist = Person("data-scientist", cloud, people.data_scientist)
        self.approver = Person("approver", cloud, people.approver)
        self.remedies = Remedies(cloud.faults, self.scientist, self.engineer, progress)
        """What people do when a fault that was switched on has struck."""
        self.scientist.once_more = self.remedies.again
        self.project = Project(self.questions.project)
        self.mailbox: Mailbox | None = None
        self.second_version = Milestone("version 2 was registered")
        self.second_shift = Milestone("production began to shift to version 2")
        self.second_live = Milestone("version 2 was live in production")
        self.milestones = (self.second_version, self.second_shift, self.second_live)

    @property
    def build_folder(self) -> Path:
        """The data scientist's clone of model-build."""
        return self.scientist.home / "model-build"

    def wait_until(self, question: Callable[[], Answer | None], what: str, seconds: float = 300.0) -> Answer:
        """Ask until there is an answer. Raises StoryError naming what never came; at once when the cloud is stopped."""
        return wait_until(question, what, seconds, self.cloud.stopping, self.cloud.patience)

    # ---- pipelines

    def watch(self, pipeline: str, execution: str, sagemaker_pipeline: str = "") -> PipelineWatch:
        """Follow an execution as the data scientist; the approver answers what it asks."""
        person = self.scientist
        return PipelineWatch(
            person.client("codepipeline"),
            person.client("sagemaker"),
            person.client("codebuild"),
            person.client("logs"),
            self.progress,
            pipeline,
            execution,
            sagemaker_pipeline,
            self.remedies,
            self.cloud.stopping,
            self.cloud.patience,
            answering=self.approver.client("codepipeline"),
        )

    def latest_execution(self, pipeline: str) -> str:
        listed = self.scientist.client("codepipeline").list_pipeline_executions(pipelineName=pipeline, maxResults=1)
        must(listed["pipelineExecutionSummaries"], f"{pipeline} was never started")
        return str(listed["pipelineExecutionSummaries"][0]["pipelineExecutionId"])

    def next_execution(self, pipeline: str, earlier: str, why: str) -> str:
        """The execution that follows `earlier`, once it has started."""
        return self.wait_until(lambda: newest if (newest := self.latest_execution(pipeline)) != earlier else None, why)

    def watch_build(self, execution: str) -> PipelineWatch:
        """Follow a build and the SageMaker pipeline that it starts."""
        return self.watch(self.project.build_pipeline, execution, self.project.group)

    def newest_steps(self) -> list[dict[str, Any]]:
        """The steps of the newest execution of the SageMaker pipeline."""
        sagemaker = self.scientist.client("sagemaker")
        newest = sagemaker.list_pipeline_executions(PipelineName=self.project.group)["PipelineExecutionSummaries"][0]
        steps: list[dict[str, Any]] = sagemaker.list_pipeline_execution_steps(
            PipelineExecutionArn=newest["PipelineExecutionArn"], SortOrder="Ascending"
        )["PipelineExecutionSteps"]
        return steps

    def push(self, message: str) -> str:
        """Commit and push the data scientist's edits of model-build; the build's execution that follows."""
        pipeline = self.project.build_pipeline
        earlier = self.latest_execution(pipeline)
        self.scientist.git("commit", "--quiet", "--all", "--message", message, folder=self.build_folder)
        self.scientist.git("push", "--quiet", "origin", "main", folder=self.build_folder)
        return self.next_execution(pipeline, earlier, "a build for the push")

    # ---- the registry

    def packages(self) -> list[dict[str, Any]]:
        """Summaries of the project's model versions, newest first."""
        listed: list[dict[str, Any]] = self.scientist.client("sagemaker").list_model_packages(
            ModelPackageGroupName=self.project.group, SortBy="CreationTime", SortOrder="Descending"
        )["ModelPackageSummaryList"]
        return listed

    def describe_package(self, arn: str) -> dict[str, Any]:
        described: dict[str, Any] = self.scientist.client("sagemaker").describe_model_package(ModelPackageName=arn)
        return described

    def newest_package(self) -> dict[str, Any]:
        listed = self.packages()
        must(listed, f"no model package was registered in {self.project.group}")
        return self.describe_package(listed[0]["ModelPackageArn"])

    def metrics(self, package: dict[str, Any]) -> dict[str, object]:
        """The figures an approver reads, from the file the registry points at."""
        uri = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        document = json.loads(self.scientist.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
        measured = document["binary_classification_metrics"]
        return {name: round(measured[name]["value"], 3) for name in ("accuracy", "recall", "auc", "top_decile_lift")}

    def decide(self, arn: str, status: str, because: str) -> PipelineWatch:
        """The approver approves or rejects a version in the registry; the deployment that this starts."""
        pipeline = self.project.deploy_pipeline
        before = self.latest_execution(pipeline)
        self.approver.client("sagemaker").update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=because
        )
        decided = f"{status.lower()} version {arn.rpartition('/')[2]}"
        self.progress.say(f"{decided}: {because}")
        return self.watch(pipeline, self.next_execution(pipeline, before, f"a deployment after a person {decided}"))

    def refused(self, person: Person, what: str, attempt: Callable[[Person], object]) -> str:
        """What AWS answers a person who may not do this. Raises StoryError when it lets them."""
        try:
            attempt(person)
        except ClientError as error:
            must(error.response["Error"]["Code"] in DENIED, f"{person.name} must be denied {what}, not told: {error}")
            told = str(error.response["Error"]["Message"])
            self.progress.say(f"denied: the {person.name} may not {what}")
            return told
        raise StoryError(f"the {person.name} was allowed to {what}")

    # ---- production

    def until_asked(self, watch: PipelineWatch) -> None:
        """Follow until the pipeline asks a person before production."""
        watch.until(lambda: watch.waiting_approval(watch.execution_id), "the question before production")

    def say_yes(self, watch: PipelineWatch) -> None:
        """Let the execution that asks go on to production. Raises StoryError when it does not ask."""
        approval = watch.waiting_approval(watch.execution_id)
        if approval is None:
            raise StoryError(
                f"execution {watch.execution_id} of {watch.pipeline} waits for no approval: {watch.status()}"
            )
        watch.answer(approval, "Figures and staging tests read")
        self.progress.say("the approver approved production")

    def served_package(self, stage: str) -> str:
        """The ARN of the model package that the stage's endpoint serves."""
        sagemaker = self.scientist.client("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=self.project.endpoint(stage))
        must(endpoint["EndpointStatus"] == "InService", f"{endpoint['EndpointName']} is {endpoint['EndpointStatus']}")
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        container = model.get("PrimaryContainer") or model["Containers"][0]
        return str(container["ModelPackageName"])

    def serves(self, stage: str, package_arn: str) -> None:
        """The stage's endpoint is in service with exactly this package."""
        found = self.served_package(stage)
        must(found == package_arn, f"{self.project.endpoint(stage)} serves {found} instead of {package_arn}")

    def until_gone(self, stage: str) -> None:
        """The stage's endpoint is taken down, and its stack with it."""
        stack = self.project.stack(stage)
        client = self.engineer.client("cloudformation")

        def gone() -> bool:
            try:
                return bool(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE")
            except ClientError as problem:
                if "does not exist" in str(problem):
                    return True
                raise

        self.wait_until(gone, f"the stack {stack} to be deleted")
        self.progress.say(f"{self.project.endpoint(stage)} was taken down: nobody needs it any more")

    # ---- mail

    def mail(self, *words: str) -> dict[str, str]:
        """The newest message with all the words, once it arrived."""
        mailbox = self.mailbox
        if mailbox is None:
            raise StoryError("there is no mailbox before the launch")
        mail = self.wait_until(lambda: mailbox.find(*words), f"a message about {' '.join(words)}")
        self.progress.say(f"the approver got mail: {mail['text'].splitlines()[0][:110]}")
        return mail
