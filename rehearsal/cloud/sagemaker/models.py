"""Models: a container, the artefact it serves and the role it runs as."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AccessDenied, AwsError, NotImplementedHere
from rehearsal.cloud.runtimes.images import runtime_for
from rehearsal.cloud.sagemaker.keys_and_networks import network_conditions
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.registry import Registry
from rehearsal.cloud.sagemaker.tags import Context, creating, passing, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

SERVICE = "sagemaker.amazonaws.com"
PLAYED = {"ContainerHostname", "Image", "Mode", "ModelDataUrl", "Environment", "ModelPackageName"}
"""Members of a container definition that are acted on here; any other is refused by name."""


@dataclass(frozen=True)
class Container:
    """What an endpoint's fleet runs: image, artefact and variables after the model package was looked up."""

    image: str
    model_data_url: str | None
    environment: dict[str, str]
    role_arn: str
    vpc: Document | None = None


@dataclass(frozen=True)
class Model:
    """`document` is the create request; `container` what its fleets will run."""

    name: str
    arn: str
    created: datetime
    document: Document
    container: Container

    @property
    def modified(self) -> datetime:
        return self.created

    @property
    def summary(self) -> Document:
        return {"ModelName": self.name, "ModelArn": self.arn, "CreationTime": self.created}


def split_s3_url(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. Raises AwsError for anything else."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket or not key:
        raise AwsError("ValidationException", f'"{url}" is not an Amazon S3 location of an object (s3://bucket/key).')
    return bucket, key


def _network_conditions(request: Document) -> Context:
    isolated = str(bool(request.get("EnableNetworkIsolation", False))).lower()
    return {"sagemaker:NetworkIsolation": isolated, **network_conditions(request.get("VpcConfig"))}


class Models(Registry):
    """Model operations. A model may name a package of the registry, so they stand on it."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._models: dict[str, Model] = {}
        self._models_lock = threading.RLock()

    def _model_arn(self, name: str) -> str:
        return self.arn(f"model/{name.lower()}")

    def _model_call(self, action: str, request: Document) -> list[Call]:
        arn = self._model_arn(request["ModelName"])
        return [Call(action, arn, self.resource_tags(arn))]

    def _model_creation(self, request: Document) -> list[Call]:
        calls = creating("CreateModel", self._model_arn(request["ModelName"]), request, _network_conditions(request))
        if "ExecutionRoleArn" in request:
            calls.append(passing(request["ExecutionRoleArn"]))
        return calls

    @operation("CreateModel", lambda self, request: self._model_creation(request))
    def create_model(self, request: Document, caller: Credentials) -> Document:
        name = request["ModelName"]
        arn = self._model_arn(name)
        if "InferenceExecutionConfig" in request:
            raise NotImplementedHere("InferenceExecutionConfig of a model")
        definition = self._definition(request)
        role = request.get("ExecutionRoleArn")
        if not role:
            raise AwsError("ValidationException", "ExecutionRoleArn must be provided for a model that is to be hosted.")
        container = replace(self._container(definition, role), vpc=copy.deepcopy(request.get("VpcConfig")))
        if "ModelPackageName" not in definition and container.model_data_url:
            self._check_model_data(container.model_data_url, role)
        with self._models_lock:
            if name.lower() in self._models:
                raise AwsError("ValidationException", f'Cannot create already existing model "{arn}".')
            document = {member: copy.deepcopy(value) for member, value in request.items() if member != "Tags"}
            self._models[name.lower()] = Model(name, arn, datetime.now(UTC), document, container)
            self.tags[arn] = tag_map(request.get("Tags"))
        return {"ModelArn": arn}

    @staticmethod
    def _definition(request: Document) -> Document:
        containers: list[Document] = request.get("Containers", [])
        if ("PrimaryContainer" in request) == bool(containers):
            raise AwsError(
                "ValidationException", "You must provide either PrimaryContainer or Containers, and one only."
            )
        if len(containers) > 1:
            raise NotImplementedHere("A model of several containers (an inference pipeline)")
        definition: Document = request["PrimaryContainer"] if "PrimaryContainer" in request else containers[0]
        unknown = sorted(definition.keys() - PLAYED)
        if unknown:
            raise NotImplementedHere(f"{unknown[0]} of a model's container")
        if definition.get("Mode", "SingleModel") != "SingleModel":
            raise NotImplementedHere("Mode MultiModel of a model's container")
        return definition

    def _container(self, definition: Document, role: str) -> Container:
        environment = dict(definition.get("Environment", {}))
        if "ModelPackageName" in definition:
            if "Image" in definition or "ModelDataUrl" in definition:
                raise AwsError(
                    "ValidationException",
                    "Specify one of either Image and Model Data URL or ModelPackageName in container definition.",
                )
            package = self.model_package(definition["ModelPackageName"])
            if package.document["ModelPackageStatus"] == "Failed":
                raise AwsError("ValidationException", f"ModelPackage {package.arn} is not in Completed status.")
            containers: list[Document] = package.document.get("InferenceSpecification", {}).get("Containers", [])
            if len(containers) != 1:
                raise NotImplementedHere(f"Hosting a model package with {len(containers)} containers")
            unknown = sorted(containers[0].keys() - PLAYED - {"Framework", "FrameworkVersion", "NearestModelName",
                                                              "ImageDigest", "ModelInput", "ProductId"})  # fmt: skip
            if unknown:
                raise NotImplementedHere(f"{unknown[0]} of a model package's container")
            image, data = containers[0]["Image"], containers[0].get("ModelDataUrl")
            environment = {**containers[0].get("Environment", {}), **environment}
        else:
            if "Image" not in definition:
                raise AwsError("ValidationException", "You must provide Image or ModelPackageName for the container.")
            image, data = definition["Image"], definition.get("ModelDataUrl")
        runtime_for(image)  # an image nobody plays is refused now, not when a fleet starts
        return Container(image, data, environment, role)

    def _check_model_data(self, url: str, role: str) -> None:
        """CreateModel looks at the artefact as the role it was given."""
        bucket, key = split_s3_url(url)
        try:
            session = self.cloud.identity.assume_role(role, SERVICE, "SageMaker")
            self.cloud.client("s3", session).head_object(Bucket=bucket, Key=key)
        except (AccessDenied, ClientError) as problem:
            raise AwsError(
                "ValidationException",
                f'Could not access model data at {url}. Please ensure that the role "{role}" exists and that its trust '
                'relationship policy allows the action "sts:AssumeRole" for the service principal '
                f'"{SERVICE}". Also ensure that the role has "s3:GetObject" permissions and that the object is located '
                f"in {self.cloud.region}.",
            ) from problem

    @operation("DescribeModel", lambda self, request: self._model_call("sagemaker:DescribeModel", request))
    def describe_model(self, request: Document, caller: Credentials) -> Document:
        model = self.model(request["ModelName"])
        return {"EnableNetworkIsolation": False, **copy.deepcopy(model.document), "ModelArn": model.arn,
                "CreationTime": model.created}  # fmt: skip

    @operation("DeleteModel", lambda self, request: self._model_call("sagemaker:DeleteModel", request))
    def delete_model(self, request: Document, caller: Credentials) -> Document:
        with self._models_lock:
            model = self.model(request["ModelName"])
            del self._models[model.name.lower()]
            self.tags.pop(model.arn, None)
        return {}

    @operation("ListModels", lambda _self, _request: [Call("sagemaker:ListModels")])
    def list_models(self, request: Document, caller: Credentials) -> Document:
        with self._models_lock:
            models, token = listing(self._models.values(), request)
        return page("Models", [model.summary for model in models], token)

    def model(self, name: str) -> Model:
        """A model by name, whatever its case. Raises AwsError as the API does for one that does not exist."""
        with self._models_lock:
            found = self._models.get(name.lower())
        if found is None:
            raise AwsError("ValidationException", f'Could not find model "{self._model_arn(name)}".')
        return found
