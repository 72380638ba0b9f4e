"""A project in some state, as the functions find it: pipelines, builds, stacks, endpoints and model versions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fake_aws import ACCOUNT, REGION, Document, FakeAws, RefusedError

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
GROUP = "fraud-p-abc123"
PREFIX = f"sagemaker-{GROUP}"
PRODUCTION, STAGING = "fraud-prod", "fraud-staging"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}-notifications"
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
COMMIT = "4f7a1c0d9e" * 4
JOB = "11111111-abcd-1111-abcd-111111abcdef"
APPROVER = f"arn:aws:sts::{ACCOUNT}:assumed-role/Approver/ada"


class Clock:
    """Time that passes only while somebody waits. `then` happens when so many seconds have passed."""

    def __init__(self) -> None:
        self.now = NOON.timestamp()
        self._later: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        due = [each for each in self._later if each[0] <= self.now]
        self._later = [each for each in self._later if each[0] > self.now]
        for _, happen in due:
            happen()

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        self._later.append((self.now + seconds, happen))


@dataclass
class Context:
    """What Lambda says about an invocation that may last so many seconds."""

    clock: Clock
    seconds: float = 900.0
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:clean-up"
    log_group_name: str = f"/aws/sagemaker-projects/{PREFIX}-functions"

    def __post_init__(self) -> None:
        self._end = self.clock.now + self.seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - self.clock.now) * 1000)


def package_arn(version: int) -> str:
    return f"{SAGEMAKER}:model-package/{GROUP}/{version}"


def running(stage: str, action: str = "", provider: str = "CodeBuild", status: str = "InProgress") -> Document:
    """An action execution."""
    category = {"CloudFormation": "Deploy", "Manual": "Approval"}.get(provider, "Build")
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"stageName": stage, "actionName": action or stage, "status": status, "input": {"actionTypeId": kind}}


def done(stage: str, action: str = "", provider: str = "CodeBuild") -> Document:
    return running(stage, action, provider, "Succeeded")


def resolved(version: int) -> Document:
    """The action that decided which version an execution carries, after it did."""
    variables = {"DEPLOY": "yes", "MODEL_PACKAGE_ARN_RESOLVED": package_arn(version)}
    return {**done("Build", "ResolvePackage"), "output": {"outputVariables": variables}}


def decided(version: int, ask: str, challenger: int = 0) -> Document:
    """The action that judged which version an execution carries, and which beside it, after it did."""
    beside = package_arn(challenger) if challenger else "none"
    variables = {
        "ASK_APPROVAL": ask,
        "MODEL_PACKAGE_ARN": package_arn(version),
        "CHALLENGER_MODEL_PACKAGE_ARN": beside,
    }
    return {**done("Build", "DecideDeployment", "Lambda"), "output": {"outputVariables": variables}}


def recorded(at: datetime | None = None) -> Document:
    return {**done("DeployProduction", "RecordDeployment", "Lambda"), **({"lastUpdateTime": at} if at else {})}


def waits_for_approval() -> Document:
    return running("ApproveProduction", provider="Manual")


def approved(by: str = APPROVER) -> Document:
    return {**done("ApproveProduction", provider="Manual"), "updatedBy": by}


def invocation(**parameters: Any) -> Document:
    """The event with which CodePipeline has a function do an action."""
    given = {"UserParameters": json.dumps(parameters)} if parameters else {}
    configuration = {"FunctionName": "any", **given}
    data = {"actionConfiguration": {"configuration": configuration}}
    return {"CodePipeline.job": {"id": JOB, "accountId": ACCOUNT, "data": data}}


class CodePipelines:
    """CodePipeline's executions. One that is stopped is Stopping until `settle_seconds` have passed."""

    def __init__(self, aws: FakeAws, clock: Clock, settle_seconds: float = 1.0) -> None:
        self.clock, self._settle_seconds = clock, settle_seconds
        self.executions: dict[str, list[Document]] = {}
        self._tokens: dict[str, str] = {}
        self.results: list[Document] = []
        aws.play(
            "codepipeline",
            ListPipelineExecutions=self.list_executions,
            GetPipelineExecution=self._get,
            ListActionExecutions=self._actions,
            StopPipelineExecution=self._stop,
            StartPipelineExecution=self._start,
            PutJobSuccessResult=self.results.append,
            PutJobFailureResult=self.results.append,
        )

    def execution(
        self,
        pipeline: str,
        *actions: Document,
        asked_for: str = "auto",
        status: str = "InProgress",
        started: datetime | None = None,
        trigger: str = "StartPipelineExecution",
        commit: str = COMMIT,
    ) -> str:
        """An execution that has come as far as its actions; answers its id."""
        found = self.executions.setdefault(pipeline, [])
        began = started or datetime.fromtimestamp(self.clock.now, UTC)
        execution_id = f"{len(found) + 1:08d}-0000-4000-8000-{abs(hash(pipeline)) % 10**12:012d}"
        found.insert(
            0,
            {
                "id": execution_id,
                "status": status,
                "asked_for": asked_for,
                "actions": tuple({"lastUpdateTime": began, **each} for each in actions),
                "trigger": trigger,
                "commit": commit,
                "started": began,
            },
        )
        return execution_id

    def stopped(self) -> dict[str, Document]:
        """What was stopped, by execution id, with the request that did it."""
        return {each["id"]: each["stop"] for found in self.executions.values() for each in found if "stop" in each}

    def of(self, pipeline: str, execution_id: str) -> Document:
        for each in self.executions.get(pipeline, []):
            if each["id"] == execution_id:
                return each
        raise RefusedError("PipelineExecutionNotFoundException", f"no execution {execution_id}")

    def list_executions(self, request: Document) -> Document:
        if request["pipelineName"] not in self.executions:
            raise RefusedError(
                "PipelineNotFoundException",
                f"Account '{ACCOUNT}' does not have a pipeline with name '{request['pipelineName']}'",
            )
        found = self.executions[request["pipelineName"]]
        start = int(request.get("nextToken", 0))
        shown = found[start : start + 100]
        return {
            "pipelineExecutionSummaries": [
                {
                    "pipelineExecutionId": each["id"],
                    "status": each["status"],
                    "startTime": each["started"],
                    "trigger": {"triggerType": each["trigger"]},
                    "sourceRevisions": [{"actionName": "ModelDeploySource", "revisionId": each["commit"]}],
                    **({"stopTrigger": {"reason": each["stop"]["reason"]}} if "stop" in each else {}),
                }
                for each in shown
            ],
            **({"nextToken": str(start + 100)} if start + 100 < len(found) else {}),
        }

    def _get(self, request: Document) -> Document:
        found = self.of(request["pipelineName"], request["pipelineExecutionId"])
        variables = [{"name": "MODEL_PACKAGE_ARN", "resolvedValue": found["asked_for"]}]
        return {"pipelineExecution": {"pipelineExecutionId": found["id"], "variables": variables}}

    def _actions(self, request: Document) -> Document:
        found = self.of(request["pipelineName"], request["filter"]["pipelineExecutionId"])
        return {"actionExecutionDetails": list(reversed(found["actions"]))}

    def _stop(self, request: Document) -> Document:
        found = self.of(request["pipelineName"], request["pipelineExecutionId"])
        if found["status"] == "Stopping" and not (request["abandon"] and not found.get("stop", {}).get("abandon")):
            raise RefusedError("DuplicatedStopRequestException", "it is being stopped")
        if found["status"] not in ("InProgress", "Stopping"):
            raise RefusedError("PipelineExecutionNotStoppableException", f"it is {found['status']}")
        found["status"], found["stop"] = "Stopping", request
        self.clock.after(self._settle_seconds, lambda: found.update(status="Stopped"))
        return {"pipelineExecutionId": found["id"]}

    def _start(self, request: Document) -> Document:
        token = request["clientRequestToken"]
        if token not in self._tokens:
            overrides = request.get("sourceRevisions", [{"revisionValue": COMMIT}])
            self._tokens[token] = self.execution(
                request["name"], asked_for=request["variables"][0]["value"], commit=overrides[0]["revisionValue"]
            )
        return {"pipelineExecutionId": self._tokens[token]}


class Builds:
    """CodeBuild's builds."""

    def __init__(self, aws: FakeAws, clock: Clock) -> None:
        self._clock = clock
        self.builds: dict[str, list[Document]] = {}
        aws.play("codebuild", ListBuildsForProject=self._list, BatchGetBuilds=self._get, StopBuild=self._stop)

    def build(self, project: str, *, complete: bool = False) -> str:
        found = self.builds.setdefault(project, [])
        build_id = f"{project}:{len(found) + 1}"
        found.insert(0, {"id": build_id, "buildComplete": complete})
        return build_id

    def _list(self, request: Document) -> Document:
        if request["projectName"] not in self.builds:
            raise RefusedError("ResourceNotFoundException", f"The provided project {request['projectName']} is missing")
        found = self.builds[request["projectName"]]
        start = int(request.get("nextToken", 0))
        more = {"nextToken": str(start + 100)} if start + 100 < len(found) else {}
        return {"ids": [each["id"] for each in found[start : start + 100]], **more}

    def _all(self) -> Iterable[Document]:
        return (each for found in self.builds.values() for each in found)

    def _get(self, request: Document) -> Document:
        return {"builds": [dict(each) for each in self._all() if each["id"] in request["ids"]]}

    def _stop(self, request: Document) -> Document:
        build = next(each for each in self._all() if each["id"] == request["id"])
        self._clock.after(1.0, lambda: build.update(buildComplete=True))
        return {}


class Stacks:
    """CloudFormation's stacks: what deleting them takes, and which states refuse it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
    """

    def __init__(self, aws: FakeAws, clock: Clock) -> None:
        self._clock = clock
        self.stacks: dict[str, Document] = {}
        self._gone: dict[str, Document] = {}
        self.deletes: Callable[[Document], str] = lambda _: "DELETE_COMPLETE"
        """How a deletion of a stack ends."""
        aws.play(
            "cloudformation",
            DescribeStacks=self.describe,
            DescribeStackResources=self._resources,
            DeleteStack=self._delete,
            CancelUpdateStack=self._cancel,
        )

    def stack(self, name: str, status: str = "UPDATE_COMPLETE", endpoint: str = "") -> Document:
        resources = []
        if endpoint:
            resources.append(
                {
                    "LogicalResourceId": "Endpoint",
                    "PhysicalResourceId": f"{SAGEMAKER}:endpoint/{endpoint}",
                    "ResourceType": "AWS::SageMaker::Endpoint",
                    "ResourceStatus": "CREATE_COMPLETE",
                    "Timestamp": NOON,
                }
            )
        stack_id = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/0a1b-{len(self._gone)}"
        stack = {
            "StackName": name,
            "StackId": stack_id,
            "StackStatus": status,
            "CreationTime": NOON,
            "resources": resources,
        }
        self.stacks[name] = stack
        return stack

    def becomes(self, stack: Document, status: str, seconds: float = 1.0) -> None:
        def change() -> None:
            stack["StackStatus"] = status
            if status == "DELETE_COMPLETE":
                self.stacks.pop(stack["StackName"], None)
                self._gone[stack["StackId"]] = stack

        self._clock.after(seconds, change)

    def _find(self, request: Document) -> Document:
        """A stack by its name or its id; by its id also one that is deleted."""
        name = request["StackName"]
        by_id = {each["StackId"]: each for each in self.stacks.values()}
        found = self.stacks.get(name) or by_id.get(name) or self._gone.get(name)
        if found is None:
            raise RefusedError("ValidationError", f"Stack with id {name} does not exist")
        return found

    def describe(self, request: Document) -> Document:
        stack = self._find(request)
        return {"Stacks": [{key: value for key, value in stack.items() if key != "resources"}]}

    def _resources(self, request: Document) -> Document:
        return {"StackResources": self._find(request)["resources"]}

    def _delete(self, request: Document) -> None:
        try:
            stack = self._find(request)
        except RefusedError:
            return
        status = stack["StackStatus"]
        if status == "DELETE_COMPLETE":
            return
        if status.endswith("_IN_PROGRESS") and status not in ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
            raise RefusedError(
                "ValidationError", f"Stack [{stack['StackName']}] cannot be deleted while in status {status}"
            )
        if stack.get("EnableTerminationProtection"):
            raise RefusedError(
                "ValidationError",
                f"Stack [{stack['StackName']}] cannot be deleted while TerminationProtection is enabled",
            )
        stack["StackStatus"] = "DELETE_IN_PROGRESS"
        ends = self.deletes(stack)
        self.becomes(stack, ends)

    def _cancel(self, request: Document) -> None:
        stack = self._find(request)
        if stack["StackStatus"] != "UPDATE_IN_PROGRESS":
            raise RefusedError("ValidationError", "CancelUpdateStack cannot be called from current stack status")
        stack["StackStatus"] = "UPDATE_ROLLBACK_IN_PROGRESS"
        self.becomes(stack, "UPDATE_ROLLBACK_COMPLETE", 5.0)


@dataclass
class SageMaker:
    """Endpoints, model versions, and the SageMaker pipeline."""

    aws: FakeAws
    clock: Clock
    endpoints: dict[str, Document] = field(default_factory=dict)
    packages: dict[str, Document] = field(default_factory=dict)
    group_exists: bool = True
    pipelines: dict[str, list[Document]] = field(default_factory=dict)
    """Executions by the name of their pipeline."""
    stop_seconds: float = 3.0
    deleted_by_hand: set[str] = field(default_factory=set)
    """Of what endpoints serve: `config`, `model`."""
    besides: Document = field(default_factory=dict)
    """More members of the endpoint configurations."""
    containers: list[Document] = field(default_factory=list)
    """More containers of the models."""
    batch: dict[str, list[int]] = field(default_factory=dict)
    """The versions that the runs of a stage of mode batch use, by its name."""
    started: dict[str, str] = field(default_factory=dict)
    """The pipelines that were started, by the token."""

    def __post_init__(self) -> None:
        self.aws.play(
            "sagemaker",
            DescribeEndpoint=self._endpoint,
            DescribeEndpointConfig=lambda request: self._look(
                "config", _config(request["EndpointConfigName"]) | self.besides
            ),
            DescribeModel=lambda request: self._look("model", _model(request["ModelName"], self.containers)),
            DescribeModelPackage=lambda request: self._package(request["ModelPackageName"]),
            DescribeModelPackageGroup=self._group,
            ListModelPackages=self._list_packages,
            UpdateModelPackage=self._update,
            DeleteModelPackage=lambda request: self._delete_package(request["ModelPackageName"]),
            DeleteModelPackageGroup=self._delete_group,
            DescribePipeline=lambda request: self._batch_pipeline(request["PipelineName"]),
            StartPipelineExecution=self._start,
            ListPipelineExecutions=self._executions,
            ListPipelineExecutionSteps=self._steps,
            StopPipelineExecution=self._stop,
            DeletePipeline=self._delete_pipeline,
        )

    # ---- what tests do

    def serve(self, endpoint: str, version: int, status: str = "InService") -> None:
        self.endpoints[endpoint] = {"version": version, "status": status}

    def register(self, version: int, approval: str = "Approved", **more: Any) -> str:
        arn = package_arn(version)
        self.packages[arn] = {
            "ModelPackageName": GROUP,
            "ModelPackageGroupName": GROUP,
            "ModelPackageVersion": version,
            "ModelPackageArn": arn,
            "CreationTime": NOON - timedelta(days=1),
            "LastModifiedTime": NOON,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
            "ModelApprovalStatus": approval,
            **more,
        }
        return arn

    def run_pipeline(self, name: str = GROUP, status: str = "Executing") -> Document:
        arn = f"{SAGEMAKER}:pipeline/{name}/execution/{len(self.pipelines.get(name, [])) + 1:012d}"
        execution = {"arn": arn, "status": status, "step": "Executing" if status == "Executing" else "Succeeded"}
        self.pipelines.setdefault(name, []).insert(0, execution)
        return execution

    def said_of(self, version: int) -> tuple[Document, dict[str, str]]:
        """Stage and metadata of a version."""
        package = self.packages[package_arn(version)]
        return package.get("ModelLifeCycle", {}), package.get("CustomerMetadataProperties", {})

    # ---- what SageMaker answers

    def _look(self, kind: str, found: Document) -> Document:
        if kind in self.deleted_by_hand:
            # What carries no tags any more may not be looked at, as the roles are limited by them.
            raise RefusedError("AccessDeniedException", "not authorized to perform: sagemaker:Describe")
        return found

    def _endpoint(self, request: Document) -> Document:
        name = request["EndpointName"]
        if name not in self.endpoints:
            raise RefusedError("ValidationException", f'Could not find endpoint "{SAGEMAKER}:endpoint/{name}".')
        found = self.endpoints[name]
        return {
            "EndpointName": name,
            "EndpointArn": f"{SAGEMAKER}:endpoint/{name}",
            "EndpointConfigName": f"config-{found['version']}",
            "EndpointStatus": found["status"],
            "CreationTime": NOON,
            "LastModifiedTime": NOON,
        }

    def _batch_pipeline(self, name: str) -> Document:
        if name not in self.batch:
            raise RefusedError("ResourceNotFound", f"Pipeline '{SAGEMAKER}:pipeline/{name}' does not exist.")
        jobs = [{"Type": "Transform", "Arguments": {"ModelName": f"model-{each}"}} for each in self.batch[name]]
        steps = [{"Type": "Lambda", "Arguments": {}}, {"Type": "Condition", "Arguments": {"IfSteps": jobs}}]
        return {"PipelineName": name, "PipelineDefinition": json.dumps({"Steps": steps})}

    def _start(self, request: Document) -> Document:
        self.started[request["ClientRequestToken"]] = request["PipelineName"]
        return {"PipelineExecutionArn": f"{SAGEMAKER}:pipeline/{request['PipelineName']}/execution/run1"}

    def _package(self, arn: str) -> Document:
        if arn not in self.packages:
            raise RefusedError("ValidationException", f"ModelPackage {arn} does not exist.")
        return dict(self.packages[arn])

    def _group(self, request: Document) -> Document:
        name = request["ModelPackageGroupName"]
        if not self.group_exists:
            raise RefusedError("ValidationException", f"ModelPackageGroup {name} does not exist.")
        return {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": f"{SAGEMAKER}:model-package-group/{name}",
            "CreationTime": NOON,
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }

    def _list_packages(self, request: Document) -> Document:
        members = ("ModelPackageArn", "CreationTime", "ModelPackageStatus", "ModelApprovalStatus", "ModelLifeCycle")
        found = list(self.packages.values())
        start, size = int(request.get("NextToken", 0)), request.get("MaxResults", 10)
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        shown = [{each: package[each] for each in members if each in package} for package in found]
        return {"ModelPackageSummaryList": shown[start : start + size], **more}

    def _update(self, request: Document) -> Document:
        package = self.packages[request["ModelPackageArn"]]
        if "ModelLifeCycle" in request:
            package["ModelLifeCycle"] = request["ModelLifeCycle"]
        properties = {**package.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
        for key in request.get("CustomerMetadataPropertiesToRemove", []):
            del properties[key]
        package["CustomerMetadataProperties"] = properties
        return {"ModelPackageArn": request["ModelPackageArn"]}

    def _delete_package(self, arn: str) -> None:
        self._package(arn)
        del self.packages[arn]

    def _delete_group(self, _request: Document) -> None:
        if self.packages:
            raise RefusedError("ConflictException", "the group still contains model packages")
        self.group_exists = False

    def _pipeline(self, name: str) -> list[Document]:
        if name not in self.pipelines:
            raise RefusedError("ResourceNotFound", f"Pipeline '{SAGEMAKER}:pipeline/{name}' does not exist.")
        return self.pipelines[name]

    def _executions(self, request: Document) -> Document:
        found = self._pipeline(request["PipelineName"])
        return {
            "PipelineExecutionSummaries": [
                {"PipelineExecutionArn": each["arn"], "PipelineExecutionStatus": each["status"]} for each in found
            ]
        }

    def _execution(self, arn: str) -> Document:
        return next(each for found in self.pipelines.values() for each in found if each["arn"] == arn)

    def _steps(self, request: Document) -> Document:
        execution = self._execution(request["PipelineExecutionArn"])
        return {"PipelineExecutionSteps": [{"StepName": "Train", "StepStatus": execution["step"]}]}

    def _stop(self, request: Document) -> Document:
        execution = self._execution(request["PipelineExecutionArn"])
        execution["status"] = "Stopping"
        self.clock.after(self.stop_seconds, lambda: execution.update(status="Stopped"))
        self.clock.after(2 * self.stop_seconds, lambda: execution.update(step="Stopped"))
        return {"PipelineExecutionArn": execution["arn"]}

    def _delete_pipeline(self, request: Document) -> Document:
        name = request["PipelineName"]
        if any(each["status"] in ("Executing", "Stopping") for each in self._pipeline(name)):
            raise RefusedError("ConflictException", "the pipeline has running executions")
        del self.pipelines[name]
        return {"PipelineArn": f"{SAGEMAKER}:pipeline/{name}"}


def _config(name: str) -> Document:
    return {
        "EndpointConfigName": name,
        "EndpointConfigArn": f"{SAGEMAKER}:endpoint-config/{name}",
        "CreationTime": NOON,
        "ProductionVariants": [{"VariantName": "main", "ModelName": name.replace("config", "model")}],
    }


def _model(name: str, more: list[Document]) -> Document:
    version = int(name.rpartition("-")[2])
    own = {"ModelPackageName": package_arn(version)}
    return {
        "ModelName": name,
        "ModelArn": f"{SAGEMAKER}:model/{name}",
        "CreationTime": NOON,
        **({"Containers": [own, *more]} if more else {"PrimaryContainer": own}),
    }
