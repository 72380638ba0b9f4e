"""Endpoint configurations: which models a fleet of which size serves, and what of the traffic is captured.

Real-time and asynchronous inference on instances, with a shadow or without, and serverless. Every other way of hosting
is refused by name.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker import async_inference, serverless, shadows
from rehearsal.cloud.sagemaker.keys_and_networks import key_arn, through_sagemaker
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.models import Models
from rehearsal.cloud.sagemaker.tags import Context, creating, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

MEMBERS = {
    "EndpointConfigName",
    "ProductionVariants",
    "ShadowProductionVariants",
    "DataCaptureConfig",
    "AsyncInferenceConfig",
    "KmsKeyId",
    "Tags",
}
VARIANT_MEMBERS = {
    "VariantName",
    "ModelName",
    "InitialInstanceCount",
    "InstanceType",
    "InitialVariantWeight",
    "VolumeSizeInGB",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "RoutingConfig",
}
SERVERLESS_MEMBERS = {"VariantName", "ModelName", "InitialVariantWeight", "ServerlessConfig"}
WAYS = {
    "ExecutionRoleArn": "inference components (ExecutionRoleArn of an endpoint configuration)",
}
ROUTING = ("RANDOM", "LEAST_OUTSTANDING_REQUESTS")
"""Between the instances of a variant; one process stands for all of them, so either is honoured."""


@dataclass(frozen=True)
class EndpointConfig:
    """`document` is the create request without its tags."""

    name: str
    arn: str
    created: datetime
    document: Document

    @property
    def modified(self) -> datetime:
        return self.created

    @property
    def variants(self) -> list[Document]:
        found: list[Document] = self.document["ProductionVariants"]
        return found

    @property
    def shadows(self) -> list[Document]:
        found: list[Document] = self.document.get("ShadowProductionVariants", [])
        return found

    @property
    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Of the production variants, and of the shadows."""
        ones, twos = ([each["VariantName"] for each in variants] for variants in (self.variants, self.shadows))
        return frozenset(ones), frozenset(twos)

    @property
    def serverless(self) -> bool:
        return any("ServerlessConfig" in variant for variant in self.variants)

    @property
    def async_inference(self) -> Document:
        """AsyncInferenceConfig; empty for an endpoint that answers at once."""
        found: Document = self.document.get("AsyncInferenceConfig", {})
        return found

    @property
    def counts(self) -> list[int]:
        """Instances of each production variant; a serverless one counts as one."""
        return [int(variant.get("InitialInstanceCount", 1)) for variant in self.variants]

    @property
    def data_capture(self) -> Document | None:
        return self.document.get("DataCaptureConfig")

    @property
    def summary(self) -> Document:
        return {"EndpointConfigName": self.name, "EndpointConfigArn": self.arn, "CreationTime": self.created}


def _all_variants(request: Document) -> list[Document]:
    return [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]


class EndpointConfigs(Models):
    """Endpoint configuration operations."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._configs: dict[str, EndpointConfig] = {}
        self._configs_lock = threading.RLock()

    def _config_arn(self, name: str) -> str:
        return self.arn(f"endpoint-config/{name.lower()}")

    def _config_call(self, action: str, request: Document) -> list[Call]:
        arn = self._config_arn(request["EndpointConfigName"])
        return [Call(action, arn, self.resource_tags(arn))]

    def _config_creation(self, request: Document) -> list[Call]:
        arn = self._config_arn(request["EndpointConfigName"])
        variants = _all_variants(request)
        context: Context = {}
        types = [variant["InstanceType"] for variant in variants if "InstanceType" in variant]
        models = [self._model_arn(variant["ModelName"]) for variant in variants if "ModelName" in variant]
        if types:
            context["sagemaker:InstanceTypes"] = types
        if models:
            context["sagemaker:ModelArn"] = models[0]
        key = request.get("KmsKeyId")
        if not key:
            return creating("CreateEndpointConfig", arn, request, context)
        found = key_arn(self.cloud, key)
        calls = creating("CreateEndpointConfig", arn, request, {**context, "sagemaker:VolumeKmsKey": found})
        # The handler of AWS::SageMaker::EndpointConfig lists it: SageMaker looks at the key in the caller's name.
        return [*calls, Call("kms:DescribeKey", found, through_sagemaker(self.cloud))]

    @operation("CreateEndpointConfig", lambda self, request: self._config_creation(request))
    def create_endpoint_config(self, request: Document, caller: Credentials) -> Document:
        name = request["EndpointConfigName"]
        arn = self._config_arn(name)
        for member in sorted(request.keys() - MEMBERS):
            raise NotImplementedHere(f"An endpoint configuration with {WAYS.get(member, member)}")
        if not request.get("DataCaptureConfig", {}).get("DestinationS3Uri", "s3://").startswith("s3://"):
            raise NotImplementedHere("A DestinationS3Uri of data capture that does not begin with s3://")
        if "AsyncInferenceConfig" in request:
            async_inference.check(request)
        if "ShadowProductionVariants" in request:
            shadows.check(request)
        names = [variant["VariantName"] for variant in _all_variants(request)]
        if len(set(names)) != len(names):
            raise AwsError("ValidationException", f"Duplicate variant names are not allowed: {', '.join(names)}.")
        for variant in _all_variants(request):
            self._check_variant(variant, request)
        with self._configs_lock:
            if name.lower() in self._configs:
                raise AwsError("ValidationException", f'Cannot create already existing endpoint configuration "{arn}".')
            document = {member: copy.deepcopy(value) for member, value in request.items() if member != "Tags"}
            self._configs[name.lower()] = EndpointConfig(name, arn, datetime.now(UTC), document)
            self.tags[arn] = tag_map(request.get("Tags"))
        return {"EndpointConfigArn": arn}

    def _check_variant(self, variant: Document, request: Document) -> None:
        if "ServerlessConfig" in variant and "ModelName" in variant:
            serverless.check(variant, request, self.model(variant["ModelName"]))
        known = SERVERLESS_MEMBERS if "ServerlessConfig" in variant else VARIANT_MEMBERS
        for member in sorted(variant.keys() - known):
            raise NotImplementedHere(f"A production variant with {WAYS.get(member, member)}")
        routing = variant.get("RoutingConfig", {}).get("RoutingStrategy", "RANDOM")
        if routing not in ROUTING:
            raise NotImplementedHere(f"Routing strategy {routing} of a production variant")
        for member in ("ModelName", "InstanceType", "InitialInstanceCount"):
            if member not in variant and (member == "ModelName" or "ServerlessConfig" not in variant):
                raise AwsError(
                    "ValidationException", f"{member} must be provided for production variant {variant['VariantName']}."
                )
        self.model(variant["ModelName"])

    @operation(
        "DescribeEndpointConfig", lambda self, request: self._config_call("sagemaker:DescribeEndpointConfig", request)
    )
    def describe_endpoint_config(self, request: Document, caller: Credentials) -> Document:
        config = self.endpoint_config(request["EndpointConfigName"])
        document = copy.deepcopy(config.document)
        for variant in _all_variants(document):
            variant.setdefault("InitialVariantWeight", 1.0)
        return {**document, "EndpointConfigArn": config.arn, "CreationTime": config.created}

    @operation(
        "DeleteEndpointConfig", lambda self, request: self._config_call("sagemaker:DeleteEndpointConfig", request)
    )
    def delete_endpoint_config(self, request: Document, caller: Credentials) -> Document:
        """As on AWS, also while an endpoint uses it: the endpoint goes on."""
        with self._configs_lock:
            config = self.endpoint_config(request["EndpointConfigName"])
            del self._configs[config.name.lower()]
            self.tags.pop(config.arn, None)
        return {}

    @operation("ListEndpointConfigs", lambda _self, _request: [Call("sagemaker:ListEndpointConfigs")])
    def list_endpoint_configs(self, request: Document, caller: Credentials) -> Document:
        with self._configs_lock:
            configs, token = listing(self._configs.values(), request)
        return page("EndpointConfigs", [config.summary for config in configs], token)

    def volume_key_of(self, name: str) -> str | None:
        """The KMS key of the volumes under a configuration; none for a configuration that does not exist."""
        with self._configs_lock:
            found = self._configs.get(name.lower())
        return found.document.get("KmsKeyId") if found else None

    def endpoint_config(self, name: str) -> EndpointConfig:
        """A configuration by name, whatever its case. Raises AwsError as the API does for one that does not exist."""
        with self._configs_lock:
            found = self._configs.get(name.lower())
        if found is None:
            raise AwsError("ValidationException", f'Could not find endpoint configuration "{self._config_arn(name)}".')
        return found
