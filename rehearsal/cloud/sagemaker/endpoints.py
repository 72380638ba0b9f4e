"""Endpoints: creating, updating with traffic shifting, describing, deleting.

https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints.html
"""

from __future__ import annotations

import copy
import logging
import threading
from typing import TYPE_CHECKING, cast

from rehearsal.cloud.container import Containers
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker import endpoint_changes, maintenance
from rehearsal.cloud.sagemaker.alarms import EndpointAlarms
from rehearsal.cloud.sagemaker.async_inference import AsyncBacklog, try_notifications
from rehearsal.cloud.sagemaker.data_capture import DataCapture
from rehearsal.cloud.sagemaker.deployment import Deployment
from rehearsal.cloud.sagemaker.deployment_plan import Plan, plan
from rehearsal.cloud.sagemaker.endpoint_configs import EndpointConfig, EndpointConfigs
from rehearsal.cloud.sagemaker.endpoint_metrics import EndpointMetrics
from rehearsal.cloud.sagemaker.endpoint_state import DEPLOYMENT_STATE_CHANGE, IN_PROGRESS, Endpoint
from rehearsal.cloud.sagemaker.fleets import Fleet, VariantFleet
from rehearsal.cloud.sagemaker.keys_and_networks import granting
from rehearsal.cloud.sagemaker.listing import listing, page
from rehearsal.cloud.sagemaker.model_server import FleetFailedError, ModelServer
from rehearsal.cloud.sagemaker.models import SERVICE
from rehearsal.cloud.sagemaker.serverless import ServerlessServer
from rehearsal.cloud.sagemaker.shadows import Shadow
from rehearsal.cloud.sagemaker.tags import creating, request_tags, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.applicationautoscaling import ApplicationAutoScaling
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)


class Endpoints(EndpointConfigs):
    """Endpoint operations."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._endpoints: dict[str, Endpoint] = {}
        self._endpoints_lock = threading.RLock()
        self._containers = Containers(cloud)
        self.metrics = EndpointMetrics(cloud)
        self.alarms = EndpointAlarms(cloud, self.metrics)

    # ---- what callers need

    def _endpoint_arn(self, name: str) -> str:
        return self.arn(f"endpoint/{name.lower()}")

    def endpoint_call(self, action: str, name: str) -> Call:
        """One action on one endpoint, with the endpoint's tags."""
        arn = self._endpoint_arn(name)
        return Call(action, arn, self.resource_tags(arn))

    def _config_use(self, action: str, request: Document) -> list[Call]:
        """Creating and updating are authorised on the endpoint's configuration, too, with that one's tags; and on its
        key, where it has one. https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html"""
        arn = self._config_arn(request["EndpointConfigName"])
        calls = [Call(action, arn, {**request_tags(tag_map(request.get("Tags"))), **self.resource_tags(arn)})]
        key = self.volume_key_of(request["EndpointConfigName"])
        return [*calls, granting(self.cloud, key)] if key else calls

    def _creation(self, request: Document) -> list[Call]:
        calls = creating("CreateEndpoint", self._endpoint_arn(request["EndpointName"]), request)
        return [*calls, *self._config_use("sagemaker:CreateEndpoint", request)]

    def _update(self, request: Document) -> list[Call]:
        action = "sagemaker:UpdateEndpoint"
        return [self.endpoint_call(action, request["EndpointName"]), *self._config_use(action, request)]

    # ---- operations

    @operation("CreateEndpoint", lambda self, request: self._creation(request))
    def create_endpoint(self, request: Document, caller: Credentials) -> Document:
        name = request["EndpointName"]
        arn = self._endpoint_arn(name)
        config = self.endpoint_config(request["EndpointConfigName"])
        self._plan(request.get("DeploymentConfig"), config, config.counts)
        with self._endpoints_lock:
            if name.lower() in self._endpoints:
                raise AwsError("ValidationException", f'Cannot create already existing endpoint "{arn}".')
            self.tags[arn] = tag_map(request.get("Tags"))
            endpoint = Endpoint(self.cloud, name, arn, config.name, self.tags[arn])
            endpoint.deployment_config = copy.deepcopy(request.get("DeploymentConfig"))
            self._endpoints[name.lower()] = endpoint
        fleet = self._fleet(endpoint, config)
        self.alarms.start()
        self.cloud.background(f"create endpoint {name}", self._bring_up, endpoint, fleet)
        return {"EndpointArn": arn}

    def _bring_up(self, endpoint: Endpoint, fleet: Fleet) -> None:
        endpoint.enter("Creating")
        try:
            fleet.start()
            if fleet.config.async_inference:
                try_notifications(self.cloud, fleet.config.async_inference, fleet.variants[0].server.role)
        except FleetFailedError as problem:
            endpoint.enter("Failed", str(problem))
        except Exception as problem:
            if self.cloud.stopping.is_set():
                return
            log.exception("endpoint %s could not be created", endpoint.name)
            endpoint.enter(
                "Failed", getattr(problem, "message", f"Internal failure of the rehearsal's cloud: {problem!r}")
            )
        else:
            with endpoint.lock:
                endpoint.fleet = fleet
            endpoint.traffic.shift([(1.0, fleet)])
            if fleet.config.async_inference:
                endpoint.backlog = AsyncBacklog(self.cloud, endpoint, self.metrics)
            endpoint.enter("InService")

    def _fleet(self, endpoint: Endpoint, config: EndpointConfig) -> Fleet:
        variants, shadows = (
            [self._variant(endpoint, document) for document in documents]
            for documents in (config.variants, config.shadows)
        )
        capture = self._capture(endpoint.name, config.data_capture)
        shadow = Shadow(self.cloud, endpoint.name, config.name, shadows[0], capture, self.metrics) if shadows else None
        return Fleet(config, variants, capture, shadow)

    def _variant(self, endpoint: Endpoint, document: Document) -> VariantFleet:
        return VariantFleet(
            name=document["VariantName"],
            instance_type=document.get("InstanceType", ""),
            instances=int(document.get("InitialInstanceCount", 1)),
            weight=float(document.get("InitialVariantWeight", 1.0)),
            server=self._server(endpoint.name, document),
            serverless=document.get("ServerlessConfig"),
        )

    def _server(self, endpoint: str, variant: Document) -> ModelServer:
        name, container = variant["VariantName"], self.model(variant["ModelName"]).container
        if "ServerlessConfig" in variant:
            config = variant["ServerlessConfig"]
            return ServerlessServer(self.cloud, self._containers, endpoint, name, container, config)
        startup = variant.get("ContainerStartupHealthCheckTimeoutInSeconds")
        return ModelServer(self.cloud, self._containers, endpoint, name, container, startup)

    @staticmethod
    def _plan(given: Document | None, config: EndpointConfig, counts: list[int]) -> Plan:
        """For so many instances of each variant.

        https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html says what they apply to."""
        if given and config.serverless:
            raise AwsError(
                "ValidationException",
                "Deployment guardrails only apply to asynchronous inference and real-time inference endpoints: a "
                "DeploymentConfig cannot be specified for a serverless endpoint.",
            )
        variants = len(config.variants) + len(config.shadows)
        for count in counts:  # a size is a part of each variant's own instances
            plan(given, count, variants=variants)
        return plan(given, sum(counts), variants=variants)

    def _capture(self, name: str, config: Document | None) -> DataCapture | None:
        wanted = config is not None and config.get("EnableCapture", True)
        return DataCapture(self.cloud, name, config) if config and wanted else None

    @operation("UpdateEndpoint", lambda self, request: self._update(request))
    def update_endpoint(self, request: Document, caller: Credentials) -> Document:
        endpoint = self.endpoint(request["EndpointName"])
        config = self.endpoint_config(request["EndpointConfigName"])
        with endpoint.lock:
            maintenance.may_come(self.cloud, endpoint, maintenance.UPDATE)
            blue = self._in_service(endpoint)
            endpoint_changes.refuse_the_configuration_in_use(blue.config, config)
            endpoint_changes.refuse_another_way_of_hosting(endpoint.name, blue.config, config)
            scaled = self._autoscaling.scaled_variants(endpoint.name) if self._autoscaling is not None else set()
            endpoint_changes.refuse_changed_scalable_instances(endpoint, config, scaled)
            green = self._fleet(endpoint, config)
            if request.get("RetainAllVariantProperties", False):
                excluded = {
                    entry["VariantPropertyType"] for entry in request.get("ExcludeRetainedVariantProperties", [])
                }
                endpoint_changes.retain(blue, green, excluded)
            given = request.get("DeploymentConfig")
            if given is None and request.get("RetainDeploymentConfig", False):
                given = endpoint.deployment_config
            endpoint_changes.refuse_guardrails_between_other_variants(blue.config, config, given)
            steps = self._plan(given, config, [variant.instances for variant in green.variants])
            if steps.alarms:
                role = green.variants[0].server.role_arn
                watcher = self.cloud.identity.assume_role(role, SERVICE, "SageMaker")
                self.alarms.check(steps.alarms, watcher)
            endpoint.deployment_config = copy.deepcopy(given)
            endpoint.status = "Updating"
        deployment = Deployment(self.cloud, endpoint, green, steps, self.alarms)
        self.cloud.background(f"update endpoint {endpoint.name}", deployment.run)
        return {"EndpointArn": endpoint.arn}

    @operation(
        "UpdateEndpointWeightsAndCapacities",
        lambda self, request: [
            self.endpoint_call("sagemaker:UpdateEndpointWeightsAndCapacities", request["EndpointName"])
        ],
    )
    def update_endpoint_weights_and_capacities(self, request: Document, caller: Credentials) -> Document:
        """Counts and weights change at once: one process stands for all instances."""
        endpoint = self.endpoint(request["EndpointName"])
        with endpoint.lock:
            maintenance.may_come(self.cloud, endpoint, maintenance.UPDATE)
            self._in_service(endpoint)
            for change in request["DesiredWeightsAndCapacities"]:
                endpoint_changes.refuse_impossible_size(endpoint, change)
            endpoint.status = "Updating"
        self.cloud.background(
            f"scale endpoint {endpoint.name}", self._scale, endpoint, request["DesiredWeightsAndCapacities"]
        )
        return {"EndpointArn": endpoint.arn}

    @staticmethod
    def _scale(endpoint: Endpoint, changes: list[Document]) -> None:
        endpoint.enter("Updating")
        reason = None
        try:
            for change in changes:
                endpoint_changes.resize(endpoint, change)
        except FleetFailedError as problem:
            reason = str(problem)
        endpoint.announce(DEPLOYMENT_STATE_CHANGE)
        endpoint.enter("InService", reason)

    @operation(
        "DescribeEndpoint",
        lambda self, request: [self.endpoint_call("sagemaker:DescribeEndpoint", request["EndpointName"])],
    )
    def describe_endpoint(self, request: Document, caller: Credentials) -> Document:
        return self.endpoint(request["EndpointName"]).describe()

    @operation(
        "DeleteEndpoint",
        lambda self, request: [self.endpoint_call("sagemaker:DeleteEndpoint", request["EndpointName"])],
    )
    def delete_endpoint(self, request: Document, caller: Credentials) -> Document:
        endpoint = self.endpoint(request["EndpointName"])
        with endpoint.lock:
            maintenance.may_come(self.cloud, endpoint, maintenance.deletion_of(endpoint))
            self._refuse_in_progress(endpoint)
            endpoint.status = "Deleting"
        self.cloud.background(f"delete endpoint {endpoint.name}", self._take_down, endpoint)
        return {}

    def _take_down(self, endpoint: Endpoint) -> None:
        endpoint.enter("Deleting")
        if endpoint.backlog is not None:
            endpoint.backlog.end()
        endpoint.traffic.shift([])
        if endpoint.fleet is not None:
            endpoint.fleet.stop()
        with self._endpoints_lock:
            self._endpoints.pop(endpoint.name.lower(), None)
            self.tags.pop(endpoint.arn, None)
        if self._autoscaling is not None:
            self._autoscaling.forget_endpoint(endpoint.name)

    @operation("ListEndpoints", lambda _self, _request: [Call("sagemaker:ListEndpoints")])
    def list_endpoints(self, request: Document, caller: Credentials) -> Document:
        with self._endpoints_lock:
            endpoints, token = listing(self._endpoints.values(), request)
        return page("Endpoints", [endpoint.summary() for endpoint in endpoints], token)

    # ---- for the runtime API and Application Auto Scaling

    @property
    def _autoscaling(self) -> ApplicationAutoScaling | None:
        found = self.cloud.services.get("application-autoscaling")
        return cast("ApplicationAutoScaling | None", found)

    def config_call_of(self, action: str, endpoint: str) -> Call:
        """One action on the configuration an endpoint uses now; `*` stands for its name when there is none."""
        with self._endpoints_lock:
            found = self._endpoints.get(endpoint.lower())
        arn = self._config_arn(found.config_name if found else "*")
        return Call(action, arn, self.resource_tags(arn))

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint by name, whatever its case. Raises AwsError as the API does for one that does not exist."""
        with self._endpoints_lock:
            found = self._endpoints.get(name.lower())
        if found is None:
            raise AwsError("ValidationException", f'Could not find endpoint "{self._endpoint_arn(name)}".')
        return found

    @staticmethod
    def _refuse_in_progress(endpoint: Endpoint) -> None:
        if endpoint.status in IN_PROGRESS:
            raise AwsError("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')

    def _in_service(self, endpoint: Endpoint) -> Fleet:
        """What serves, when the endpoint may be changed: "DeleteEndpoint is the only operation that can be performed
        on a failed endpoint".

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_EndpointSummary.html
        """
        self._refuse_in_progress(endpoint)
        if endpoint.status != "InService" or endpoint.fleet is None:
            raise AwsError(
                "ValidationException", f'Cannot update endpoint "{endpoint.arn}" in {endpoint.status} status.'
            )
        return endpoint.fleet

    def stop(self) -> None:
        """Nobody waits for what is under way when the cloud ends: its processes are ended with it."""
        with self._endpoints_lock:
            endpoints = list(self._endpoints.values())
        for endpoint in endpoints:
            endpoint.traffic.shift([])
        super().stop()
