"""Application Auto Scaling for SageMaker variants: scalable targets and their policies.

A target is checked against its endpoint and a policy is kept. Endpoints for asynchronous inference follow their queue
(`scaling_activities.py`); real-time ones do not scale by themselves here: load on this machine says nothing about load
on AWS. Their counts change through UpdateEndpointWeightsAndCapacities, as they would after a scaling activity, and
survive deployments that retain them.
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
"""

from __future__ import annotations

import copy
import logging
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.pages import paged
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.scaling_activities import LOOK_SECONDS, Scaling, ScalingActivities
from rehearsal.cloud.scaling_policies import check_policy
from rehearsal.cloud.service import Call, Credentials, Document, Service, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

VARIANT = re.compile(r"^endpoint/(?P<endpoint>[^/]+)/variant/(?P<variant>[^/]+)$")
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
LINKED_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
LINKED_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
TARGET_CALLS = (
    "sagemaker:DescribeEndpoint",
    "sagemaker:DescribeEndpointConfig",
    "sagemaker:UpdateEndpointWeightsAndCapacities",
)
"""Whoever registers a target must be allowed these themselves.

https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html#application-auto-scaling-additional-permissions
"""
ALARM_CALLS = ("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm")
Key = tuple[str, str]


@dataclass
class Target:
    """One variant's range of instances."""

    arn: str
    document: Document
    tags: dict[str, str]
    policies: dict[str, Document] = field(default_factory=dict)
    scaling: Scaling = field(default_factory=Scaling)


class ApplicationAutoScaling(Service):
    """The `application-autoscaling` API, for the namespace `sagemaker`."""

    name = "application-autoscaling"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._targets: dict[Key, Target] = {}
        self._lock = threading.RLock()
        self._linked = False
        self._looking = False

    @property
    def _endpoints(self) -> Endpoints:
        return cast(Endpoints, self.cloud.services["sagemaker"])

    # ---- what callers need

    def _target_call(self, action: str, request: Document, tags: dict[str, str] | None = None) -> Call:
        target = self._targets.get(_key(request))
        context: dict[str, str | list[str]] = {
            "application-autoscaling:service-namespace": request["ServiceNamespace"],
            "application-autoscaling:scalable-dimension": request["ScalableDimension"],
        }
        for key, value in (target.tags if target else {}).items():
            context[f"aws:ResourceTag/{key}"] = value
        if tags:
            context["aws:TagKeys"] = list(tags)
            context |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        resource = target.arn if target else self.arn("scalable-target/*")
        return Call(f"application-autoscaling:{action}", resource, context)

    def _registration(self, request: Document) -> list[Call]:
        tags = request.get("Tags", {})
        calls = [self._target_call("RegisterScalableTarget", request, tags)]
        if tags:
            calls.append(self._target_call("TagResource", request, tags))
        found = VARIANT.match(request["ResourceId"])
        if found is not None:
            endpoints = self._endpoints
            calls.append(endpoints.endpoint_call(TARGET_CALLS[0], found["endpoint"]))
            calls.append(endpoints.config_call_of(TARGET_CALLS[1], found["endpoint"]))
            calls.append(endpoints.endpoint_call(TARGET_CALLS[2], found["endpoint"]))
        if not self._linked:
            role = f"arn:aws:iam::{self.cloud.account}:role/aws-service-role/{LINKED_SERVICE}/{LINKED_ROLE}"
            calls.append(Call("iam:CreateServiceLinkedRole", role, {"iam:AWSServiceName": LINKED_SERVICE}))
        return calls

    def _policy_calls(self, action: str, request: Document, alarm_calls: tuple[str, ...]) -> list[Call]:
        """Target tracking keeps its alarms under names that begin with the target's resource id."""
        alarm = f"alarm:TargetTracking-{request['ResourceId']}-AlarmHigh-{uuid4()}"
        arn = self.arn(alarm, "cloudwatch")
        return [self._target_call(action, request), *(Call(alarm_call, arn) for alarm_call in alarm_calls)]

    # ---- targets

    @operation("RegisterScalableTarget", lambda self, request: self._registration(request))
    def register_scalable_target(self, request: Document, caller: Credentials) -> Document:
        self._check_resource(request)
        key = _key(request)
        with self._lock:
            target = self._targets.get(key)
            document: Document = dict(target.document) if target else {"CreationTime": datetime.now(UTC)}
            kept = (
                "ServiceNamespace",
                "ResourceId",
                "ScalableDimension",
                "MinCapacity",
                "MaxCapacity",
                "SuspendedState",
            )
            document |= {member: copy.deepcopy(request[member]) for member in kept if member in request}
            for member in ("MinCapacity", "MaxCapacity"):
                if member not in document:
                    raise AwsError("ValidationException", f"{member} must be specified for a new scalable target.")
            if document["MinCapacity"] > document["MaxCapacity"]:
                raise AwsError("ValidationException", "Maximum capacity cannot be less than minimum capacity.")
            document["RoleARN"] = (
                f"arn:aws:iam::{self.cloud.account}:role/aws-service-role/{LINKED_SERVICE}/{LINKED_ROLE}"
            )
            if target is None:
                arn = self.arn(f"scalable-target/{uuid4().hex[:20]}")
                target = self._targets[key] = Target(arn, document, dict(request.get("Tags", {})))
            else:
                target.document = document
            self._linked = True
        return {"ScalableTargetARN": target.arn}

    def _check_resource(self, request: Document) -> None:
        """The variant must exist in an endpoint that is in service."""
        if request["ServiceNamespace"] != "sagemaker" or request["ScalableDimension"] != DIMENSION:
            raise NotImplementedHere(
                f"Scaling {request['ScalableDimension']} of service namespace {request['ServiceNamespace']}"
            )
        found = VARIANT.match(request["ResourceId"])
        if found is None:
            raise AwsError("ValidationException", f"Unsupported resource type: {request['ResourceId']}")
        try:
            variant = self._endpoints.endpoint(found["endpoint"]).variant(found["variant"])
        except AwsError as problem:
            raise AwsError("ValidationException", f"SageMaker endpoint not found: {found['endpoint']}") from problem
        if variant is None:
            raise AwsError("ValidationException", f"SageMaker variant not found: {found['variant']}")
        if variant.serverless is not None:
            raise AwsError(
                "ValidationException", f"SageMaker variant {found['variant']} is serverless: it has no instance count."
            )

    @operation(
        "DescribeScalableTargets", lambda _self, _request: [Call("application-autoscaling:DescribeScalableTargets")]
    )
    @paged("ScalableTargets", 50, most=50, error="InvalidNextTokenException")
    def describe_scalable_targets(self, request: Document, caller: Credentials) -> Document:
        found = [{**target.document, "ScalableTargetARN": target.arn} for target in self._selected(request)]
        return {"ScalableTargets": found}

    @operation(
        "DeregisterScalableTarget", lambda self, request: [self._target_call("DeregisterScalableTarget", request)]
    )
    def deregister_scalable_target(self, request: Document, caller: Credentials) -> Document:
        """Its policies go with it."""
        with self._lock:
            self._target(request)
            del self._targets[_key(request)]
        return {}

    def _tag_call(self, action: str, request: Document, keys: list[str]) -> list[Call]:
        """https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_service-with-iam.html"""
        arn = request["ResourceARN"]
        context: dict[str, str | list[str]] = {"aws:TagKeys": keys} if keys else {}
        tags = next((target.tags for target in self._targets.values() if target.arn == arn), {})
        context |= {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
        context |= {f"aws:RequestTag/{key}": value for key, value in request.get("Tags", {}).items()}
        return [Call(f"application-autoscaling:{action}", arn, context)]

    @operation("ListTagsForResource", lambda self, request: self._tag_call("ListTagsForResource", request, []))
    def list_tags_for_resource(self, request: Document, caller: Credentials) -> Document:
        return {"Tags": dict(self._tagged(request["ResourceARN"]).tags)}

    @operation("TagResource", lambda self, request: self._tag_call("TagResource", request, list(request["Tags"])))
    def tag_resource(self, request: Document, caller: Credentials) -> Document:
        self._tagged(request["ResourceARN"]).tags.update(request["Tags"])
        return {}

    @operation("UntagResource", lambda self, request: self._tag_call("UntagResource", request, request["TagKeys"]))
    def untag_resource(self, request: Document, caller: Credentials) -> Document:
        tags = self._tagged(request["ResourceARN"]).tags
        for key in request["TagKeys"]:
            tags.pop(key, None)
        return {}

    # ---- policies

    @operation("PutScalingPolicy", lambda self, request: self._policy_calls("PutScalingPolicy", request, ALARM_CALLS))
    def put_scaling_policy(self, request: Document, caller: Credentials) -> Document:
        check_policy(request)
        with self._lock:
            target = self._target(request)
            name = request["PolicyName"]
            policy = target.policies.get(name) or {
                "PolicyARN": self.arn(
                    f"scalingPolicy:{uuid4()}:resource/sagemaker/{request['ResourceId']}:policyName/{name}",
                    "autoscaling",
                ),
                "CreationTime": datetime.now(UTC),
            }
            policy.setdefault("PolicyType", "StepScaling")
            target.policies[name] = {**policy, **copy.deepcopy(request), "Alarms": []}
            begin, self._looking = not self._looking, True
        if begin:
            self.cloud.background("scaling by policies", self._look_often)
        return {"PolicyARN": policy["PolicyARN"], "Alarms": []}

    @operation(
        "DescribeScalingPolicies", lambda _self, _request: [Call("application-autoscaling:DescribeScalingPolicies")]
    )
    @paged("ScalingPolicies", 10, most=10, error="InvalidNextTokenException")
    def describe_scaling_policies(self, request: Document, caller: Credentials) -> Document:
        names = request.get("PolicyNames")
        found = [
            copy.deepcopy(policy)
            for target in self._selected(request)
            for name, policy in target.policies.items()
            if not names or name in names or policy["PolicyARN"] in names
        ]
        return {"ScalingPolicies": found}

    @operation(
        "DeleteScalingPolicy",
        lambda self, request: self._policy_calls("DeleteScalingPolicy", request, ("cloudwatch:DeleteAlarms",)),
    )
    def delete_scaling_policy(self, request: Document, caller: Credentials) -> Document:
        with self._lock:
            target = self._target(request)
            if request["PolicyName"] not in target.policies:
                raise AwsError("ObjectNotFoundException", f"No scaling policy found for name: {request['PolicyName']}")
            del target.policies[request["PolicyName"]]
        return {}

    @operation(
        "DescribeScalingActivities", lambda _self, _request: [Call("application-autoscaling:DescribeScalingActivities")]
    )
    @paged("ScalingActivities", 50, most=50, error="InvalidNextTokenException")
    def describe_scaling_activities(self, request: Document, caller: Credentials) -> Document:
        found = [activity for target in self._selected(request) for activity in target.scaling.activities]
        return {"ScalingActivities": copy.deepcopy(found)}

    @operation(
        "DescribeScheduledActions", lambda _self, _request: [Call("application-autoscaling:DescribeScheduledActions")]
    )
    @paged("ScheduledActions", 50, most=50, error="InvalidNextTokenException")
    def describe_scheduled_actions(self, request: Document, caller: Credentials) -> Document:
        return {"ScheduledActions": []}

    def _look_often(self) -> None:
        activities = ScalingActivities(self.cloud, self._endpoints)
        while not self.cloud.stopping.wait(LOOK_SECONDS):
            with self._lock:
                targets = [(t.document, list(t.policies.values()), t.scaling) for t in self._targets.values()]
            for document, policies, scaling in targets:
                try:
                    activities.look(document, policies, scaling)
                except (ClientError, BotoCoreError) as problem:
                    if not self.cloud.stopping.is_set():
                        log.warning("%s was not looked at: %s", document["ResourceId"], problem)

    # ---- for endpoints

    def scaled_variants(self, endpoint: str) -> set[str]:
        """The variants of an endpoint that are scalable targets."""
        prefix = f"endpoint/{endpoint}/variant/".lower()
        with self._lock:
            resources = [str(target.document["ResourceId"]) for target in self._targets.values()]
        return {resource.rpartition("/")[2] for resource in resources if resource.lower().startswith(prefix)}

    def forget_endpoint(self, endpoint: str) -> None:
        """A deleted endpoint's targets are deregistered."""
        prefix = f"endpoint/{endpoint}/variant/".lower()
        with self._lock:
            self._targets = {key: t for key, t in self._targets.items() if not key[0].lower().startswith(prefix)}

    # ---- looking things up

    def _selected(self, request: Document) -> list[Target]:
        resources = request.get("ResourceIds") or ([request["ResourceId"]] if "ResourceId" in request else None)
        dimension: Any = request.get("ScalableDimension")
        with self._lock:
            return [
                target
                for target in self._targets.values()
                if target.document["ServiceNamespace"] == request["ServiceNamespace"]
                and (not resources or target.document["ResourceId"] in resources)
                and (not dimension or target.document["ScalableDimension"] == dimension)
            ]

    def _target(self, request: Document) -> Target:
        with self._lock:
            found = self._targets.get(_key(request))
        if found is None:
            raise AwsError(
                "ObjectNotFoundException",
                f"No scalable target found for service namespace: {request['ServiceNamespace']}, resource ID: "
                f"{request['ResourceId']}, scalable dimension: {request['ScalableDimension']}",
            )
        return found

    def _tagged(self, arn: str) -> Target:
        with self._lock:
            found = next((target for target in self._targets.values() if target.arn == arn), None)
        if found is None:
            raise AwsError("ResourceNotFoundException", f"The resource {arn} doesn't exist.")
        return found


def _key(request: Document) -> Key:
    return request["ResourceId"], request["ScalableDimension"]
