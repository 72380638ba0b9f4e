"""A project's model registry, endpoints and artefacts in memory, behind real boto3 clients.

The clients check and serialise every request and parse every answer as they do on AWS; only sending is replaced, by
botocore's `before-send` event. Moto works the same way, knows far more of AWS, and for that takes as long to import as
all the tests here take to run.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters

GROUP = "fraud-p-abc123"
ROLE = "arn:aws:iam::123456789012:role/sagemaker-projects/model"
BUCKET = "sagemaker-project-p-abc123-123456789012"
ARN = "arn:aws:sagemaker:eu-west-1:123456789012"


class _NotThereError(Exception):
    """What was asked about does not exist; the message is SageMaker's."""


@dataclass
class Registry:
    """Starts empty. The tests change it by its methods; the clients look at it, and may approve and reject."""

    sagemaker: Any
    s3: Any
    autoscaling: Any
    _packages: dict[str, dict[str, Any]] = field(default_factory=dict)  # by ARN, oldest first
    _serves: dict[str, str] = field(default_factory=dict)  # package ARN by endpoint name
    _variants: dict[str, dict[str, Any]] = field(default_factory=dict)  # more of its variant, by endpoint name
    _configs: dict[str, dict[str, Any]] = field(default_factory=dict)  # more of its configuration, likewise
    _challengers: dict[str, str] = field(default_factory=dict)  # what the second variant is, by endpoint name
    _challenging_instances: dict[str, int] = field(default_factory=dict)  # of them, likewise
    _arriving: dict[str, str] = field(default_factory=dict)  # package ARN by endpoint name
    _status: dict[str, str] = field(default_factory=dict)  # by endpoint name, where not InService
    _artefacts: set[str] = field(default_factory=set)
    refuses: dict[str, str] = field(default_factory=dict)  # error code by operation
    _batch: set[str] = field(default_factory=set)  # the names of stages of mode batch
    _scaling: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # least, most and aim, by endpoint name
    _hidden: set[str] = field(default_factory=set)  # artefacts that nobody may read
    _files: dict[str, bytes] = field(default_factory=dict)  # what lies in S3 besides, by address

    def client(self, service: str) -> Any:
        return {"sagemaker": self.sagemaker, "s3": self.s3, "application-autoscaling": self.autoscaling}[service]

    # ---- what tests do

    def register(self, approval: str = "Approved", group: str = GROUP) -> str:
        """Register the next version, with its artefact in S3, and return its ARN."""
        version = 1 + sum(package["ModelPackageGroupName"] == group for package in self._packages.values())
        arn = f"{ARN}:model-package/{group}/{version}"
        artefact = f"s3://{BUCKET}/models/{group}/{version}/model.tar.gz"
        self._artefacts.add(artefact)
        self._packages[arn] = {
            "ModelPackageName": group,
            "ModelPackageGroupName": group,
            "ModelPackageVersion": version,
            "ModelPackageArn": arn,
            "CreationTime": 1_800_000_000 + len(self._packages),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
            "ModelApprovalStatus": approval,
            "InferenceSpecification": {
                "Containers": [
                    {
                        "Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/xgboost:1",
                        "ModelDataUrl": artefact,
                    }
                ],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        }
        return arn

    def evaluate(self, arn: str, **metrics: float) -> None:
        """Give a version the reports of an evaluation that found these metrics, and a picture."""
        folder = f"s3://{BUCKET}/{GROUP}/executions/{self._packages[arn]['ModelPackageVersion']}/Evaluate/evaluation"
        report = {"binary_classification_metrics": {name: {"value": value} for name, value in metrics.items()}}
        statistics = {"ContentType": "application/json", "S3Uri": f"{folder}/evaluation.json"}
        self._packages[arn]["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
        self._packages[arn].setdefault("CustomerMetadataProperties", {})["EvaluationReports"] = folder
        self.put_file(f"{folder}/evaluation.json", json.dumps(report).encode())
        self.put_file(f"{folder}/lift_chart.png", b"a picture")

    def put_file(self, url: str, content: bytes) -> None:
        self._files[url] = content

    def file(self, url: str) -> bytes:
        return self._files[url]

    def set_approval(self, arn: str, approval: str) -> None:
        self._packages[arn]["ModelApprovalStatus"] = approval

    def serve(
        self,
        arn: str,
        endpoint_name: str = "fraud-prod",
        variant: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        """Put a package behind an endpoint, through a model and an endpoint configuration with more of a variant."""
        self._variants[endpoint_name] = variant or {}
        self._configs[endpoint_name] = config or {}
        self._serves[endpoint_name] = arn
        self._arriving.pop(endpoint_name, None)
        self._status.pop(endpoint_name, None)

    def challenge(
        self, kind: str, endpoint_name: str = "fraud-prod", instances: int = 2, arn: str | None = None
    ) -> None:
        """Let a second version serve beside, as a variant or as a shadow: the second version, or arn."""
        self._challengers[endpoint_name] = kind
        self._serves[f"{endpoint_name}-challenger"] = arn or list(self._packages)[1]
        self._challenging_instances[endpoint_name] = instances

    def scale(self, least: int, most: int, target: int, endpoint_name: str = "fraud-prod") -> None:
        """Let autoscaling look after the champion's fleet."""
        self._scaling[endpoint_name] = (least, most, target)

    def stop_scaling(self, endpoint_name: str = "fraud-prod") -> None:
        del self._scaling[endpoint_name]

    def run_batch(self, arn: str, name: str = "fraud-prod") -> None:
        """Have a stage of mode batch answer files with a package."""
        self._serves[name] = arn
        self._batch.add(name)

    def stop_serving(self, endpoint_name: str = "fraud-prod") -> None:
        del self._serves[endpoint_name]

    def shift(self, arn: str, endpoint_name: str = "fraud-prod", status: str = "Updating") -> None:
        """Begin to put a package behind an endpoint that goes on serving what it serves."""
        self._arriving[endpoint_name] = arn
        self._status[endpoint_name] = status

    def package(self, arn: str) -> dict[str, Any]:
        return self._packages[arn]

    def record_deployment(self, arn: str, at: str | None, status: str = "Replaced") -> None:
        """Note that a version was in production, and since when, as the project does after each deployment.

        Without a time: as somebody does who sets the stage by hand.
        """
        self._packages[arn]["ModelLifeCycle"] = {"Stage": "Production", "StageStatus": status}
        if at is not None:
            self._packages[arn].setdefault("CustomerMetadataProperties", {})["production.deployed-at"] = at

    def set_status(self, arn: str, status: str) -> None:
        self._packages[arn]["ModelPackageStatus"] = status

    def lose_artefact(self, arn: str) -> None:
        self._artefacts.remove(self._artefact(arn))

    def hide_artefact(self, arn: str) -> None:
        """Let S3 refuse to show it, as to somebody without the right to read it."""
        self._hidden.add(self._artefact(arn))

    def _artefact(self, arn: str) -> str:
        [container] = self._packages[arn]["InferenceSpecification"]["Containers"]
        return str(container["ModelDataUrl"])

    # ---- what AWS answers

    @contextmanager
    def answering(self) -> Iterator["Registry"]:
        """Answer the clients' requests as long as the context lasts."""
        hooks = [
            (self.sagemaker, "before-send.sagemaker", self._sagemaker),
            (self.s3, "before-send.s3", self._s3),
            (self.autoscaling, "before-send.application-autoscaling", self._autoscaling),
        ]
        for client, event, answer in hooks:
            client.meta.events.register(event, answer)
        try:
            yield self
        finally:
            for client, event, answer in hooks:
                client.meta.events.unregister(event, answer)

    def _sagemaker(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "DescribeEndpoint": self._describe_endpoint,
            "DescribeEndpointConfig": self._describe_endpoint_config,
            "DescribeModel": self._describe_model,
            "DescribeModelPackage": self._describe_model_package,
            "DescribePipeline": self._describe_pipeline,
            "ListModelPackages": self._list_model_packages,
            "UpdateModelPackage": self._update_model_package,
        }
        if operation in self.refuses:
            return response(request, 400, {"__type": self.refuses[operation], "message": "not authorized"})
        try:
            answer = operations[operation](json.loads(request.body))
        except _NotThereError as missing:
            return response(request, 400, {"__type": "ValidationException", "message": str(missing)})
        validate_parameters(answer, self.sagemaker.meta.service_model.operation_model(operation).output_shape)
        return response(request, 200, answer)

    def _s3(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        place = urlsplit(request.url)
        bucket = str(place.hostname).partition(".s3.")[0]
        artefact = f"s3://{bucket}{unquote(place.path)}"
        if event_name == "before-send.s3.GetObject":
            if artefact in self._files:
                return AWSResponse(request.url, 200, {}, _Body(self._files[artefact]))  # type: ignore[arg-type]
            return AWSResponse(request.url, 404, {}, _Body(b"<Error><Code>NoSuchKey</Code></Error>"))  # type: ignore[arg-type]
        assert event_name == "before-send.s3.HeadObject"
        return response(request, 403 if artefact in self._hidden else 200 if artefact in self._artefacts else 404)

    def _autoscaling(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation, asked = event_name.rpartition(".")[2], json.loads(request.body)
        if operation in self.refuses:
            return response(request, 400, {"__type": self.refuses[operation], "message": "not authorized"})
        assert asked["ServiceNamespace"] == "sagemaker"
        [resource] = asked["ResourceIds"] if "ResourceIds" in asked else [asked["ResourceId"]]
        found = self._scaling.get(resource.split("/")[1]) if resource.endswith("/variant/AllTraffic") else None
        common = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
            "ScalableDimension": asked["ScalableDimension"],
            "CreationTime": 1_800_000_000,
        }
        if operation == "DescribeScalableTargets":
            targets = [{**common, "MinCapacity": found[0], "MaxCapacity": found[1], "RoleARN": ROLE}] if found else []
            answer: dict[str, Any] = {"ScalableTargets": targets}
        else:
            tracked = {**common, "PolicyARN": ROLE, "PolicyName": "tracks", "PolicyType": "TargetTrackingScaling"}
            aim = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": float(found[2])}} if found else {}
            wakes = {**tracked, "PolicyName": "wakes", "PolicyType": "StepScaling"}
            answer = {"ScalingPolicies": [wakes, {**tracked, **aim}] if found else []}
        validate_parameters(answer, self.autoscaling.meta.service_model.operation_model(operation).output_shape)
        return response(request, 200, answer)

    def _describe_endpoint(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["EndpointName"]
        if name not in self._serves or name in self._batch:
            raise _NotThereError(f'Could not find endpoint "{ARN}:endpoint/{name}".')
        answer: dict[str, Any] = {
            "EndpointName": name,
            "EndpointArn": f"{ARN}:endpoint/{name}",
            "EndpointConfigName": f"{name}-config",
            "EndpointStatus": self._status.get(name, "InService"),
            "CreationTime": 1_800_000_000,
            "LastModifiedTime": 1_800_000_000,
        }
        answer["ProductionVariants"] = [{"VariantName": "AllTraffic", "CurrentInstanceCount": 3}]
        if name in self._challengers:
            answer.setdefault(_BESIDE[self._challengers[name]], []).append(
                {"VariantName": "Challenger", "DesiredInstanceCount": self._challenging_instances[name]}
            )
        if name in self._arriving:
            answer["PendingDeploymentSummary"] = {"EndpointConfigName": f"{name}-arriving-config"}
        return answer

    def _describe_pipeline(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["PipelineName"]
        if name not in self._batch:
            raise _NotThereError(f"Pipeline '{ARN}:pipeline/{name}' does not exist.")
        job = {"Type": "Transform", "Arguments": {"ModelName": f"{name}-model"}}
        steps = [{"Type": "Lambda", "Arguments": {}}, {"Type": "Condition", "Arguments": {"IfSteps": [job]}}]
        return {"PipelineName": name, "PipelineDefinition": json.dumps({"Steps": steps})}

    def _describe_endpoint_config(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["EndpointConfigName"]
        endpoint = name.removesuffix("-config")
        if self._package_behind(endpoint) is None:
            raise _NotThereError(f'Could not find endpoint configuration "{ARN}:endpoint-config/{name}".')
        answer: dict[str, Any] = {
            "EndpointConfigName": name,
            "EndpointConfigArn": f"{ARN}:endpoint-config/{name}",
            "ProductionVariants": [
                {"VariantName": "AllTraffic", "ModelName": f"{endpoint}-model", **self._variants.get(endpoint, {})}
            ],
            "CreationTime": 1_800_000_000,
            **self._configs.get(endpoint, {}),
        }
        if endpoint in self._challengers:
            answer.setdefault(_BESIDE[self._challengers[endpoint]], []).append(
                {"VariantName": "Challenger", "ModelName": f"{endpoint}-challenger-model"}
            )
        return answer

    def _describe_model(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["ModelName"]
        arn = self._package_behind(name.removesuffix("-model"))
        if arn is None:
            raise _NotThereError(f'Could not find model "{ARN}:model/{name}".')
        return {
            "ModelName": name,
            "ModelArn": f"{ARN}:model/{name}",
            "PrimaryContainer": {"ModelPackageName": arn},
            "ExecutionRoleArn": ROLE,
            "CreationTime": 1_800_000_000,
        }

    def _package_behind(self, endpoint: str) -> str | None:
        if endpoint.endswith("-arriving"):
            return self._arriving.get(endpoint.removesuffix("-arriving"))
        return self._serves.get(endpoint)

    def _update_model_package(self, asked: dict[str, Any]) -> dict[str, Any]:
        package = self._packages[asked.pop("ModelPackageArn")]
        assert asked.keys() == {"ModelApprovalStatus", "ApprovalDescription"}
        package.update(asked)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def _describe_model_package(self, asked: dict[str, Any]) -> dict[str, Any]:
        arn = asked["ModelPackageName"]
        if arn not in self._packages:
            raise _NotThereError(f"ModelPackage {arn} does not exist.")
        return self._packages[arn]

    def _list_model_packages(self, asked: dict[str, Any]) -> dict[str, Any]:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListModelPackages.html"""
        assert asked.keys() <= {"ModelPackageGroupName", "ModelApprovalStatus", "SortBy", "SortOrder"}
        assert asked.get("SortBy", "CreationTime") == "CreationTime"
        found = [
            {key: value for key, value in package.items() if key in _IN_LISTS}
            for package in self._packages.values()
            if package["ModelPackageGroupName"] == asked["ModelPackageGroupName"]
            and package["ModelApprovalStatus"] == asked.get("ModelApprovalStatus", package["ModelApprovalStatus"])
        ]
        return {"ModelPackageSummaryList": found[::-1] if asked.get("SortOrder") == "Descending" else found}


_BESIDE = {"variant": "ProductionVariants", "shadow": "ShadowProductionVariants"}
"""The member of an endpoint, and of its configuration, that has the challenger."""
_IN_LISTS = {
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
}


class _Body(io.BytesIO):
    """As botocore reads it from urllib3."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def response(request: Any, status: int, answer: dict[str, Any] | None = None) -> AWSResponse:
    content = b"" if answer is None else json.dumps(answer).encode()
    headers: Any = {"Content-Type": "application/x-amz-json-1.1"}
    return AWSResponse(request.url, status, headers, _Body(content))
