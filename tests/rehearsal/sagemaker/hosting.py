"""A stage for hosting tests: tiny models in a bucket, the roles of an endpoint, and a person who may do everything."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.sagemaker.code_repositories import CodeRepositories
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.service import Credentials
from tests.rehearsal.images import IMAGE
from tests.waiting import until

REPOSITORY = "arn:aws:ecr:us-east-1:683313688378:repository/sagemaker-xgboost"
CODE = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}

INFERENCE = """
import json
import flask

def model_fn(model_dir):
    with open(model_dir + "/answer.txt") as file:
        return file.read().strip()

def transform_fn(model, data, content_type, accept):
    if content_type != "application/json":
        return flask.Response(json.dumps({"error": "only application/json"}), status=415, mimetype="application/json")
    request = json.loads(data)
    if "records" not in request:
        return flask.Response(json.dumps({"error": "no records"}), status=400, mimetype="application/json")
    if model == "broken":
        raise ValueError("this model cannot predict")
    return json.dumps({"predictions": [model for _ in request["records"]]}), accept
"""


class Hosting(Endpoints, CodeRepositories):
    """The part of the SageMaker API that these tests need."""

    name = "sagemaker"


def archive(files: dict[str, str]) -> bytes:
    """A model.tar.gz of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


GRANTS: dict[str, tuple[list[str], list[str]]] = {
    "artefacts": (["s3:GetObject"], ["arn:aws:s3:::models/*"]),
    "registry": (["ecr:GetAuthorizationToken"], ["*"]),
    "image": (["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"], [REPOSITORY]),
    "logs": (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], ["*"]),
    "capture": (["s3:PutObject"], ["arn:aws:s3:::models/captured/*"]),
    "answers": (
        ["s3:PutObject"],
        [f"arn:aws:s3:::models/{folder}/*" for folder in ("answers", "failures", "async")],
    ),
    "notifications": (
        ["sns:Publish"],
        [f"arn:aws:sns:us-east-1:123456789012:{name}" for name in ("results-*", "sagemaker-claims-p-1-async-*")],
    ),
    "alarms": (["cloudwatch:DescribeAlarms"], ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:*-of-*"]),
}


@dataclass
class Stage:
    """A cloud with a bucket `models`; clients act as the account's root unless they say otherwise."""

    cloud: Cloud
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self.cloud.client(service, self.cloud.identity.root)
        return self.clients[service]

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    def set(self) -> Stage:
        self.client("s3").create_bucket(Bucket="models")
        return self

    def role(self, without: Iterable[str] = (), trusted: str = "sagemaker.amazonaws.com") -> str:
        """A new execution role with every grant an endpoint needs, except those left out."""
        name = f"execution-{uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
        iam = self.client("iam")
        arn: str = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        self._grant(name, without)
        return arn

    def take_away(self, role: str, grant: str) -> None:
        """Leave an execution role all grants but one."""
        self._grant(role.rpartition("/")[2], [grant])

    def _grant(self, role_name: str, without: Iterable[str]) -> None:
        statements = [
            {"Effect": "Allow", "Action": actions, "Resource": resources}
            for grant, (actions, resources) in GRANTS.items()
            if grant not in set(without)
        ]
        self.client("iam").put_role_policy(
            RoleName=role_name,
            PolicyName="grants",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )

    def person(self, actions: list[str], resources: list[str] | None = None) -> Credentials:
        """Somebody who may do these things and nothing else."""
        return self.person_with({"Effect": "Allow", "Action": actions, "Resource": resources or ["*"]})

    def person_with(self, statement: dict[str, Any]) -> Credentials:
        """Somebody whose only policy is this statement."""
        name = f"person-{uuid4().hex[:8]}"
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        iam.put_role_policy(
            RoleName=name,
            PolicyName="grants",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        return self.cloud.identity.session_of(arn, name)

    def artefact(self, answer: str, inference: str = INFERENCE) -> str:
        """The S3 URL of a model that always answers `answer`."""
        key = f"{uuid4().hex[:8]}/model.tar.gz"
        body = archive({"answer.txt": answer, "code/inference.py": inference})
        self.client("s3").put_object(Bucket="models", Key=key, Body=body)
        return f"s3://models/{key}"

    def model(self, answer: str, role: str | None = None, inference: str = INFERENCE) -> str:
        name = f"model-{uuid4().hex[:8]}"
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=role or self.role(),
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": self.artefact(answer, inference), "Environment": CODE},
        )
        return name

    def config(self, model: str, instances: int = 2, startup: int | None = None, **more: Any) -> str:
        name = f"config-{uuid4().hex[:8]}"
        variant: dict[str, Any] = {
            "VariantName": "AllTraffic",
            "ModelName": model,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": instances,
            "InitialVariantWeight": 1.0,
        }
        if startup is not None:
            variant["ContainerStartupHealthCheckTimeoutInSeconds"] = startup
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)
        return name

    def serverless_config(self, model: str, most: int = 5, provisioned: int = 0, **more: Any) -> str:
        """A configuration of a serverless variant."""
        name = f"config-{uuid4().hex[:8]}"
        size = {"MemorySizeInMB": 2048, "MaxConcurrency": most}
        if provisioned:
            size["ProvisionedConcurrency"] = provisioned
        variant = {"VariantName": "AllTraffic", "ModelName": model, "ServerlessConfig": size}
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant | more])
        return name

    def endpoint(self, config: str, wait: str = "InService", **more: Any) -> str:
        name = f"endpoint-{uuid4().hex[:8]}"
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)
        self.until_status(name, wait)
        return name

    def until_status(self, name: str, status: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            described: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
            found = described["EndpointStatus"]
            # Of a failed endpoint nothing else can come: it can only be deleted.
            assert status == "Failed" or found != "Failed", f"{name} failed: {described.get('FailureReason')}"
            return described if found == status else None

        return until(reached, f"{name} being {status}")

    def invoke(self, name: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """What the endpoint answers for one record."""
        given = {"records": [{"claim": 1}]} if body is None else body
        more.setdefault("ContentType", "application/json")
        answer: dict[str, Any] = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=json.dumps(given), **more
        )
        answer["Body"] = answer["Body"].read()
        return answer

    def prediction(self, name: str) -> str:
        found: str = json.loads(self.invoke(name)["Body"])["predictions"][0]
        return found
