"""A small cloud for functions: real S3, IAM, Logs, CloudFormation and EventBridge."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.service import Credentials, Document
from tests.waiting import until

BUCKET = "function-archives"
LOG_RIGHTS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


def archive(files: dict[str, str], mode: int = 0o644) -> bytes:
    """A zip file of text files, as Lambda wants them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            target.writestr(entry, text)
    return buffer.getvalue()


def policy(*statements: Document) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: list[str] | str, resource: str = "*", **more: Any) -> Document:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def trust_in(service: str) -> str:
    return policy({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


class Lab:
    """One cloud with a bucket of archives and a role for functions that may write logs."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.admin = cloud.identity.root
        self.functions = self.client("lambda")
        self.iam = self.client("iam")
        self.s3 = self.client("s3")
        self.logs = self.client("logs")
        self.stacks = self.client("cloudformation")
        self.s3.create_bucket(Bucket=BUCKET)
        self.role = self.make_role("FunctionRole", "lambda.amazonaws.com", LOG_RIGHTS)
        self._names = 0

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        return self.cloud.client(service, credentials or self.admin)

    def name(self, stem: str) -> str:
        self._names += 1
        return f"{stem}-{self._names}"

    # ---- people and roles

    def make_role(self, name: str, service: str, actions: list[str]) -> str:
        """A role that a service may assume, granted `actions` on everything."""
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_in(service))
        self.grant(name, allow(actions))
        return str(made["Role"]["Arn"])

    def grant(self, role: str, *statements: Document) -> None:
        """Exactly these grants from now on."""
        some = statements or (allow("sts:GetCallerIdentity"),)
        self.iam.put_role_policy(RoleName=role, PolicyName="grants", PolicyDocument=policy(*some))

    def person(self, name: str, *statements: Document) -> Credentials:
        """Somebody with exactly these grants."""
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_in("ec2.amazonaws.com"))["Role"]["Arn"]
        self.grant(name, *statements)
        return self.cloud.identity.session_of(arn, "ada")

    # ---- functions

    def upload(self, files: dict[str, str], mode: int = 0o644) -> str:
        """Put an archive into the bucket; answers its key."""
        key = f"{self.name('archive')}.zip"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=archive(files, mode))
        return key

    def request(self, source: str, **more: Any) -> Document:
        """CreateFunction for a module `app` with a `handler`."""
        code = {"S3Bucket": BUCKET, "S3Key": self.upload({"app.py": source})}
        return {
            "FunctionName": self.name("function"),
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Role": self.role,
            "Code": code,
            "Timeout": 20,
            **more,
        }

    def create(self, source: str, **more: Any) -> str:
        """A function that can be invoked; answers its name."""
        request = self.request(source, **more)
        self.functions.create_function(**request)
        until(lambda: self.state(request["FunctionName"])["State"] == "Active")
        return str(request["FunctionName"])

    def state(self, name: str) -> Document:
        return dict(self.functions.get_function_configuration(FunctionName=name))

    def arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self.cloud.region}:{self.cloud.account}:function:{name}"

    def invoke(self, name: str, event: Any = None, **more: Any) -> Any:
        """Invoke at once; answers what the handler returned."""
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(event), **more)
        found = json.load(answer["Payload"])
        assert "FunctionError" not in answer, found
        return found

    def error_of(self, name: str, event: Any = None) -> Document:
        """Invoke at once; answers the error's document."""
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(event))
        assert answer["FunctionError"] == "Unhandled"
        return dict(json.load(answer["Payload"]))

    def log_of(self, group: str) -> list[str]:
        """Every message in a log group; none when there is no such group."""
        try:
            events = self.logs.filter_log_events(logGroupName=group)["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [str(event["message"]) for event in events]

    # ---- stacks

    def deploy(self, resources: Document, stack: str = "", outputs: Document | None = None, **more: Any) -> str:
        """Create or update a stack and wait for its end; answers its name."""
        body = json.dumps({"Resources": resources, **({"Outputs": outputs} if outputs else {})})
        arguments = {"TemplateBody": body, "Capabilities": ["CAPABILITY_IAM"], **more}
        if stack:
            self.stacks.update_stack(StackName=stack, **arguments)
            name = stack
        else:
            name = self.name("stack")
            self.stacks.create_stack(StackName=name, **arguments)
        self.ended(name)
        return name

    def ended(self, stack: str) -> str:
        """Wait until nothing is under way with a stack; answers its status."""

        def status() -> str:
            found = str(self.stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
            return "" if found.endswith("IN_PROGRESS") else found

        return str(until(status))

    def outputs(self, stack: str) -> dict[str, str]:
        found = self.stacks.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
        return {each["OutputKey"]: each["OutputValue"] for each in found}

    def reasons(self, stack: str, logical_id: str) -> list[str]:
        """Why a resource failed, newest first."""
        events = self.stacks.describe_stack_events(StackName=stack)["StackEvents"]
        return [
            str(event.get("ResourceStatusReason", ""))
            for event in events
            if event["LogicalResourceId"] == logical_id and event["ResourceStatus"].endswith("FAILED")
        ]
