"""A launched project whose deploy repository chooses and refuses as it does for everybody; only its tests are quick."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.project_lab import CHOICE, OVER, QUICK_TEST, Project
from tests.waiting import until

CHOOSE = (
    CHOICE
    + """\
phases:
  build:
    commands:
      - {python} build.py
      - . exports/build.env
artifacts:
  files: [endpoint-config-template.yml, staging-config-export.json, prod-config-export.json]
"""
)
"""The repository's own buildspec without what is not about versions: an environment of its own, checks, unit tests."""
SOON = {"TrafficWaitSeconds": 120, "TerminationWaitSeconds": 0, "EnableDataCapture": False}
"""The shortest production deployment in which an alarm can still say anything."""


class Releases(Project):
    """Versions are registered with `register`, and decided on with `approve_version` and `reject`, as people do it."""

    def __init__(self, company: Company, **parameters: str) -> None:
        super().__init__(company, **parameters)
        self.pipeline = f"{self.prefix}-modeldeploy"
        self._push()

    def _push(self) -> None:
        scientist, codecommit = self.company.scientist, self.company.engineer.client("codecommit")
        clone = scientist.home / self.name
        url = codecommit.get_repository(repositoryName=self.pipeline)["repositoryMetadata"]["cloneUrlHttp"]
        scientist.git("clone", "--quiet", url, str(clone))
        (clone / "buildspec.yml").write_text(CHOOSE.format(python=sys.executable))
        self.configure(clone)
        before = len(self.executions())
        scientist.git("commit", "--quiet", "--all", "--message", "Be quick", folder=clone)
        scientist.git("push", "--quiet", "origin", "main", folder=clone)
        until(lambda: len(self.executions()) > before)
        until(lambda: all(each["status"] in OVER for each in self.executions()))

    def configure(self, clone: Path) -> None:
        """Write both stages' configurations, and the build of the staging tests."""
        (clone / "test" / "buildspec.yml").write_text(QUICK_TEST)
        config = json.loads((clone / "prod-config.json").read_text())
        config["Parameters"] |= SOON
        (clone / "prod-config.json").write_text(json.dumps(config))
        # Staging tells what came that far. That it is taken down by itself is told by the story.
        staging = json.loads((clone / "staging-config.json").read_text())
        (clone / "staging-config.json").write_text(json.dumps(staging | {"KeepAfterTests": True}))

    # ---- what people do

    def approve_version(self, package: str, because: str = "good") -> None:
        self._decide(package, "Approved", because)

    def reject(self, package: str, because: str = "bad") -> None:
        self._decide(package, "Rejected", because)

    def _decide(self, package: str, status: str, because: str) -> None:
        self.company.approver.client("sagemaker").update_model_package(
            ModelPackageArn=package, ModelApprovalStatus=status, ApprovalDescription=because
        )

    def start(self, package: str, commit: str = "") -> str:
        """Start the deployment of a version by hand, of a commit if one is named; the execution."""
        revision = {"actionName": "ModelDeploySource", "revisionType": "COMMIT_ID", "revisionValue": commit}
        return str(
            self.company.scientist.client("codepipeline").start_pipeline_execution(
                name=self.pipeline,
                variables=[{"name": "MODEL_PACKAGE_ARN", "value": package}],
                **({"sourceRevisions": [revision]} if commit else {}),
            )["pipelineExecutionId"]
        )

    def push_something(self, file: str = "README.md") -> tuple[str, str]:
        """Write more to a file of the model-deploy repository; the commit before, and the execution of the push."""
        git, clone, last = self.company.scientist.git, self.company.scientist.home / self.name, self.last()
        before = str(git("rev-parse", "HEAD", folder=clone)).strip()
        with (clone / file).open("a") as more:
            more.write("\nMore.\n")
        git("commit", "--quiet", "--all", "--message", "Say more", folder=clone)
        git("push", "--quiet", "origin", "main", folder=clone)
        return before, self.started_after(last)

    def release(self, answer: str) -> str:
        """Bring a new version into production; its package."""
        package = self.register(answer)
        self.approve_version(package)
        [execution] = self.deployments_of(package)
        self.approve(execution)
        assert self.ended(execution) == "Succeeded", self.actions(execution)
        assert self.answers("prod") == answer
        return package

    # ---- what they see

    def executions(self) -> list[dict[str, Any]]:
        """All executions of the deploy pipeline, oldest first."""
        listed = self.company.engineer.client("codepipeline").list_pipeline_executions(pipelineName=self.pipeline)
        return list(reversed(listed["pipelineExecutionSummaries"]))

    def deployments_of(self, asked_for: str, count: int = 1) -> list[str]:
        """The executions that were asked for this package, oldest first, once there are so many."""

        def found() -> list[str] | None:
            ids = [each["pipelineExecutionId"] for each in self.executions()]
            asked = [each for each in ids if self.asked_for(each) == asked_for]
            return asked if len(asked) >= count else None

        return list(until(found))

    def asked_for(self, execution: str) -> str:
        """What the execution's variable says it is to deploy."""
        detail = self.company.engineer.client("codepipeline").get_pipeline_execution(
            pipelineName=self.pipeline, pipelineExecutionId=execution
        )["pipelineExecution"]
        return str(next((each["resolvedValue"] for each in detail.get("variables", [])), ""))

    def last(self) -> str:
        """The newest execution."""
        return str(self.executions()[-1]["pipelineExecutionId"])

    def started_after(self, execution: str) -> str:
        """The first execution that was started after this one, once it is there."""

        def following() -> str | None:
            ids = [str(each["pipelineExecutionId"]) for each in self.executions()]
            later = ids[ids.index(execution) + 1 :]
            return later[0] if later else None

        return str(until(following))

    def was_asked(self, execution: str) -> bool:
        """Whether a person was asked before production."""
        return any(name == "ApproveProduction" for name, _, _ in self.actions(execution))

    def log(self, execution: str) -> str:
        """What the build of an execution wrote."""
        client = self.company.engineer.client
        build = next(
            output["executionResult"]["externalExecutionId"]
            for name, _, output in self.actions(execution)
            if name == "ResolvePackage"
        )
        where = client("codebuild").batch_get_builds(ids=[build])["builds"][0]["logs"]
        events = client("logs").get_log_events(logGroupName=where["groupName"], logStreamName=where["streamName"])
        return "\n".join(event["message"].rstrip() for event in events["events"])

    def question(self, package: str) -> str:
        """What a person was asked before this version came into production, as the mail about it has it."""
        wanted = until(lambda: self.mailbox.find("ApproveProduction", f"Model package: {package}"))
        return str(json.loads(wanted["text"])["approval"]["customData"])

    def served(self, stage: str) -> str:
        """The package that the stage's endpoint serves."""
        sagemaker = self.company.engineer.client("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=f"{self.name}-{stage}")
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        container = model.get("PrimaryContainer") or model["Containers"][0]
        return str(container["ModelPackageName"])

    def changes(self, stage: str, resource: str) -> list[str]:
        """What became of a resource of the stage's stack, in order."""
        done = [each for each in self._events(stage) if each["LogicalResourceId"] == resource]
        return [each["ResourceStatus"] for each in done if each["ResourceStatus"].endswith("_COMPLETE")]

    def reasons(self, stage: str) -> str:
        """Why something failed in the stage's stack, oldest first."""
        return "\n".join(each["ResourceStatusReason"] for each in self._events(stage) if "ResourceStatusReason" in each)

    def _events(self, stage: str) -> list[dict[str, Any]]:
        stack = f"{self.prefix}-deploy-{stage}"
        pages = self.company.engineer.client("cloudformation").get_paginator("describe_stack_events")
        events = [each for page in pages.paginate(StackName=stack) for each in page["StackEvents"]]
        return list(reversed(events))

    # ---- what else people do

    def say_yes_to_whoever_asks(self) -> None:
        """Answer the question before production that waits now, if one does."""
        codepipeline = self.company.approver.client("codepipeline")
        stages = codepipeline.get_pipeline_state(name=self.pipeline)["stageStates"]
        stage = next(each for each in stages if each["stageName"] == "ApproveProduction")
        latest = stage["actionStates"][0].get("latestExecution", {})
        if latest.get("status") == "InProgress" and "token" in latest:
            codepipeline.put_approval_result(
                pipelineName=self.pipeline,
                stageName="ApproveProduction",
                actionName="ApproveProduction",
                result={"summary": "yes", "status": "Approved"},
                token=latest["token"],
            )

    def retry(self, execution: str, stage: str) -> None:
        self.company.scientist.client("codepipeline").retry_stage_execution(
            pipelineName=self.pipeline, stageName=stage, pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
        )

    def lose(self, answer: str) -> None:
        """Delete the artefact of a model that was registered."""
        key = f"{self.group}/models/{answer}/model.tar.gz"
        self.company.engineer.client("s3").delete_object(Bucket=self.bucket, Key=key)

    def restore(self, url: str) -> None:
        """Bring back an object of a versioned bucket: its marker is deleted."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        s3 = self.company.engineer.client("s3")
        [marker] = s3.list_object_versions(Bucket=bucket, Prefix=key)["DeleteMarkers"]
        s3.delete_object(Bucket=bucket, Key=key, VersionId=marker["VersionId"])
