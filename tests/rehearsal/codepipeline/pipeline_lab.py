"""A small cloud for pipelines: real CodeCommit, S3, SNS, CloudFormation and IAM; builds end as a test says."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.service import Call, Credentials, Document, Service, operation
from tests.waiting import LOOK_SECONDS, PATIENCE

BUCKET = "pipeline-artifacts"
REPOSITORY = "claims"


@dataclass
class Script:
    """How the next build of a project goes."""

    status: str = "SUCCEEDED"
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    message: str = ""
    until: threading.Event | None = None


class ScriptedBuilds(Service):
    """CodeBuild as CodePipeline sees it: builds that end as the test wants, and write real artifacts."""

    name = "codebuild"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.scripts: dict[str, list[Script]] = {}
        self.requests: list[Document] = []
        self.running: dict[str, tuple[Script, Document]] = {}

    def script(self, project: str, **how: Any) -> Script:
        """What the next build of a project does; without a script it succeeds."""
        script = Script(**how)
        self.scripts.setdefault(project, []).append(script)
        return script

    def start_build_for_pipeline(
        self, request: Document, *, inputs: dict[str, Any], outputs: dict[str, Any], caller: Credentials, **more: str
    ) -> Document:
        project = request["projectName"]
        self.cloud.identity.require(caller, [Call("codebuild:StartBuild", self.arn(f"project/{project}"))])
        script = (self.scripts.get(project) or [Script()]).pop(0)
        self.requests.append({**request, **more, "inputs": inputs, "outputs": outputs})
        for bucket, key in outputs.values():
            self.cloud.client("s3", self.cloud.identity.root).put_object(
                Bucket=bucket, Key=key, Body=archive(script.files)
            )
        build = {"id": f"{project}:{len(self.requests)}", "buildStatus": "IN_PROGRESS", "buildComplete": False}
        self.running[build["id"]] = (script, build)
        return dict(build)

    @operation("BatchGetBuilds", needs=lambda room, _: [Call("codebuild:BatchGetBuilds", room.arn("project/*"))])
    def batch_get_builds(self, request: Document, _: Credentials) -> Document:
        return {"builds": [self._look(build_id) for build_id in request["ids"]]}

    def _look(self, build_id: str) -> Document:
        script, build = self.running[build_id]
        if script.until is None or script.until.is_set():
            build = {**build, "buildStatus": script.status, "buildComplete": True}
            build["exportedEnvironmentVariables"] = [
                {"name": name, "value": value} for name, value in script.variables.items()
            ]
            context = {"statusCode": "COMMAND_EXECUTION_ERROR", "message": script.message}
            status = "SUCCEEDED" if script.status == "SUCCEEDED" else "FAILED"
            build["phases"] = [{"phaseType": "BUILD", "phaseStatus": status, "contexts": [context]}]
        return build


def archive(files: dict[str, str]) -> bytes:
    """A zip file of text files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in files.items():
            target.writestr(name, text)
    return buffer.getvalue()


class Lab:
    """One cloud with a bucket, a repository with a first commit, and a role that may do what pipelines do."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.admin = cloud.identity.root
        self.room: CodePipeline = cloud.services["codepipeline"]  # type: ignore[assignment]
        self.builds: ScriptedBuilds = cloud.services["codebuild"]  # type: ignore[assignment]
        self.pipelines = self.client("codepipeline")
        self.iam = self.client("iam")
        self.s3 = self.client("s3")
        self.grants = PIPELINE_GRANTS
        self.role = self.make_role("PipelineRole", "codepipeline.amazonaws.com", PIPELINE_GRANTS)
        self.s3.create_bucket(Bucket=BUCKET)
        self.client("codecommit").create_repository(repositoryName=REPOSITORY)
        self.first_commit = self.commit({"README.md": "claims\n"}, "First commit")
        self.events: list[Document] = []
        self._listen()
        self._names = 0

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        return self.cloud.client(service, credentials or self.admin)

    def make_role(
        self, name: str, principal: str, actions: list[str], resource: str = "*", kind: str = "Service"
    ) -> str:
        """A role that the service (or AWS principal) may assume, granted `actions`."""
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_in(principal, kind))["Role"]["Arn"]
        self.grant(name, actions, resource)
        return str(arn)

    def trust(self, role: str, service: str) -> None:
        """Let only `service` assume the role from now on."""
        self.iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust_in(service))

    def grant(self, role: str, actions: list[str], resource: str = "*") -> None:
        statement = [{"Effect": "Allow", "Action": actions, "Resource": resource}] if actions else []
        if not statement:
            statement = [{"Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": "*"}]
        policy = {"Version": "2012-10-17", "Statement": statement}
        self.iam.put_role_policy(RoleName=role, PolicyName="grants", PolicyDocument=json.dumps(policy))

    def commit(self, files: dict[str, str], message: str) -> str:
        """A commit on the repository's main branch, made by git itself; answers its id."""
        repository = self.cloud.services["codecommit"].repository(REPOSITORY)  # type: ignore[attr-defined]
        who = "Ada <ada@example.com> 1700000000 +0000"
        parent = "from refs/heads/main^0\n" if "refs/heads/main" in repository.references() else ""
        stream = f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata {len(message)}\n{message}\n{parent}"
        for path, text in files.items():
            stream += f"M 644 inline {path}\ndata {len(text.encode())}\n{text}\n"
        repository.git("fast-import", "--quiet", stdin=stream.encode())
        return str(repository.references()["refs/heads/main"])

    def _listen(self) -> None:
        emit = self.cloud.events.emit

        def heard(source: str, detail_type: str, detail: Document, resources: Any = ()) -> None:
            with self.room.changed:  # whoever waits for an event is woken as for any other change
                self.events.append({"source": source, "type": detail_type, "detail": detail, "resources": resources})
                self.room.changed.notify_all()
            emit(source, detail_type, detail, resources)

        self.cloud.events.emit = heard  # type: ignore[method-assign]

    # ---- pipelines

    def name(self, stem: str) -> str:
        self._names += 1
        return f"{stem}-{self._names}"

    def create(self, declaration: Document) -> str:
        """Create a pipeline; answers the id of the execution that starts by itself."""
        self.pipelines.create_pipeline(pipeline=declaration)
        return self.executions(declaration["name"])[0]["pipelineExecutionId"]

    def executions(self, name: str) -> list[Document]:
        return list(self.pipelines.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"])

    def start(self, name: str, **arguments: Any) -> str:
        return str(self.pipelines.start_pipeline_execution(name=name, **arguments)["pipelineExecutionId"])

    def until(self, what: Callable[[], Any]) -> Any:
        """Wait until `what()` is true; answers it. The room wakes whoever waits, though not for everything they ask."""
        deadline = time.monotonic() + PATIENCE
        with self.room.changed:
            while not (found := what()):
                assert time.monotonic() < deadline, "it never came true"
                self.room.changed.wait(LOOK_SECONDS)
        return found

    def states(self, execution: str) -> list[str]:
        """What EventBridge was told of an execution as a whole so far."""
        told = [each for each in self.events if each["detail"].get("execution-id") == execution]
        return [str(each["detail"]["state"]) for each in told if "Pipeline Execution" in each["type"]]

    def finished(self, name: str, execution: str) -> Document:
        """Wait until an execution came to its end; answers its document."""
        record = self.room.pipelines[name].execution(execution)
        assert record is not None
        self.until(lambda: record.status not in ("InProgress", "Stopping"))
        answer = self.pipelines.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)
        return dict(answer["pipelineExecution"])

    def stage(self, name: str, stage: str) -> Document:
        state = self.pipelines.get_pipeline_state(name=name)
        return next(dict(each) for each in state["stageStates"] if each["stageName"] == stage)

    def action(self, name: str, stage: str, action: str) -> Document:
        actions = self.stage(name, stage)["actionStates"]
        return next(dict(each.get("latestExecution", {})) for each in actions if each["actionName"] == action)

    def token(self, name: str, stage: str = "Approve", action: str = "Approve") -> str:
        """Wait until an approval waits; answers its token."""
        slot = self.room.pipelines[name].slot(stage)

        def waiting() -> str:
            run = slot.actions.get(action)
            return run.approval.token if run and run.approval and not run.approval.over else ""

        self.until(waiting)
        return str(self.action(name, stage, action)["token"])

    def answer(self, name: str, token: str, status: str = "Approved", summary: str = "fine") -> Document:
        return dict(
            self.pipelines.put_approval_result(
                pipelineName=name,
                stageName="Approve",
                actionName="Approve",
                token=token,
                result={"status": status, "summary": summary},
            )
        )

    # ---- declarations

    def declaration(self, stem: str, *stages: Document, **more: Any) -> Document:
        """A V2 pipeline: a CodeCommit source, then `stages`."""
        return {
            "name": self.name(stem),
            "roleArn": self.role,
            "artifactStore": {"type": "S3", "location": BUCKET},
            "pipelineType": "V2",
            "stages": [stage("Source", source()), *stages],
            **more,
        }


def trust_in(principal: str, kind: str = "Service") -> str:
    """A trust policy for one principal."""
    statement = {"Effect": "Allow", "Principal": {kind: principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


PIPELINE_GRANTS = [
    "codecommit:GetBranch",
    "codecommit:GetCommit",
    "codecommit:UploadArchive",
    "codecommit:GetUploadArchiveStatus",
    "codecommit:CancelUploadArchive",
    "codebuild:StartBuild",
    "codebuild:BatchGetBuilds",
    "cloudformation:*",
    "iam:PassRole",
    *("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"),
    "sns:Publish",
]


def stage(name: str, *actions: Document, **more: Any) -> Document:
    return {"name": name, "actions": list(actions), **more}


def action(name: str, category: str, provider: str, **more: Any) -> Document:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, **more}


def source(**configuration: str) -> Document:
    given = {"RepositoryName": REPOSITORY, "BranchName": "main", "PollForSourceChanges": "false", **configuration}
    return action(
        "Commit",
        "Source",
        "CodeCommit",
        configuration=given,
        outputArtifacts=[{"name": "SourceCode"}],
        namespace="SourceVariables",
    )


def build(name: str = "Build", project: str = "builder", **more: Any) -> Document:
    configuration = {"ProjectName": project, **more.pop("configuration", {})}
    return action(
        name, "Build", "CodeBuild", configuration=configuration, inputArtifacts=[{"name": "SourceCode"}], **more
    )


def approve(**configuration: str) -> Document:
    return action("Approve", "Approval", "Manual", configuration=configuration)


def only_when(variable: str, value: str, result: str = "SKIP", operator: str = "EQ") -> Document:
    """A BeforeEntry condition of one VariableCheck rule."""
    rule = {
        "name": "Check",
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
        "configuration": {"Variable": variable, "Value": value, "Operator": operator},
    }
    return {"conditions": [{"result": result, "rules": [rule]}]}
