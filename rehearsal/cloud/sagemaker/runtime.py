"""The SageMaker Runtime API: invoking endpoints over plain HTTP.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, ClassVar, cast

from botocore.model import StructureShape
from werkzeug.wrappers import Request, Response

from rehearsal.cloud.errors import AccessDenied, AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.async_inference import new_request
from rehearsal.cloud.sagemaker.endpoint_state import Endpoint
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.sagemaker.fleets import NoSuchVariantError
from rehearsal.cloud.sagemaker.model_server import ContainerAnswer, ContainerSilentError
from rehearsal.cloud.sagemaker.shadows import Copy
from rehearsal.cloud.service import Credentials, Document, Service

if TYPE_CHECKING:
    from rehearsal.cloud.sagemaker.fleets import Fleet, VariantFleet

PATH = re.compile(r"^/endpoints/(?P<name>[^/]+)/(?P<what>[a-z-]+)$")
OPERATIONS = {"invocations": "InvokeEndpoint", "async-invocations": "InvokeEndpointAsync"}
OTHER_PATHS = {
    "invocations-response-stream": "sagemaker-runtime:InvokeEndpointWithResponseStream",
}
LARGEST_MESSAGE = 2048
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
TARGET_VARIANT = "X-Amzn-SageMaker-Target-Variant"
NOT_PLAYED = {
    "X-Amzn-SageMaker-Target-Model": "TargetModel (multi-model endpoints)",
    "X-Amzn-SageMaker-Target-Container-Hostname": "TargetContainerHostname (multi-container endpoints)",
    "X-Amzn-SageMaker-Enable-Explanations": "EnableExplanations",
    "X-Amzn-SageMaker-Inference-Component": "InferenceComponentName",
    "X-Amzn-SageMaker-Session-Id": "SessionId (stateful sessions)",
    "X-Amzn-SageMaker-Prefix-Aware-Id": "PrefixAwareId",
    "X-Amzn-SageMaker-S3OutputPathExtension": "S3OutputPathExtension",
    "X-Amzn-SageMaker-Filename": "Filename",
    "X-Amzn-SageMaker-InvocationTimeoutSeconds": "InvocationTimeoutSeconds",
}


class SageMakerRuntime(Service):
    """Requests to endpoints. The endpoints themselves are the `sagemaker` service's."""

    name = "sagemaker-runtime"
    validation_error = "ValidationError"
    http_prefixes: ClassVar[tuple[str, ...]] = ("/endpoints/",)

    @property
    def _endpoints(self) -> Endpoints:
        return cast(Endpoints, self.cloud.services["sagemaker"])

    def handle_http(self, request: Request) -> Response:
        """Authorise, route, and answer with the container's answer or AWS's error."""
        arrived = time.perf_counter()
        try:
            return self._handle(request, arrived)
        except AccessDenied as error:
            return _error(error.code, error.message, 403)
        except AwsError as error:
            return _error(error.code, error.message, error.status)

    def _handle(self, request: Request, arrived: float) -> Response:
        found = PATH.match(request.path)
        if found is None:
            raise AwsError("UnknownOperationException", f"No operation has the path {request.path}.", 404)
        if found["what"] in OTHER_PATHS:
            raise NotImplementedHere(OTHER_PATHS[found["what"]])
        operation = OPERATIONS.get(found["what"])
        if operation is None or request.method != "POST":
            raise AwsError("UnknownOperationException", f"No operation is {request.method} {request.path}.", 404)
        name = found["name"]
        body = request.get_data()
        self._check(request, operation, name, body)
        caller: Credentials | None = request.environ.get("rehearsal.caller")
        if caller is None:
            raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
        self.cloud.identity.require(caller, [self._endpoints.endpoint_call(f"sagemaker:{operation}", name)])
        for header, member in NOT_PLAYED.items():
            if header in request.headers:
                raise NotImplementedHere(f"{operation} with {member}")
        endpoint = self._serving(name)
        if operation == "InvokeEndpointAsync":
            return self._queue(request, endpoint)
        if endpoint.backlog is not None:
            raise AwsError(
                self.validation_error,
                f"Endpoint {name} is for asynchronous inference: it can be invoked with InvokeEndpointAsync only.",
            )
        try:
            with endpoint.traffic.take(request.headers.get(TARGET_VARIANT)) as (fleet, variant):
                return self._invoke(request, body, endpoint, fleet, variant, arrived)
        except NoSuchVariantError as problem:
            raise self._not_found(name, f"Variant {problem} of endpoint") from problem

    def _headers(self, operation: str) -> dict[str, str]:
        """The names of headers by the names of the members they carry."""
        shape = cast(StructureShape, self.cloud.shapes.model(self.name).operation_model(operation).input_shape)
        return {member: inner.serialization.get("name", "") for member, inner in shape.members.items()}

    def _check(self, request: Request, operation: str, name: str, body: bytes) -> None:
        """Hold the request to the API's model. Raises AwsError."""
        shape = cast(StructureShape, self.cloud.shapes.model(self.name).operation_model(operation).input_shape)
        document: Document = {"EndpointName": name}
        if body:
            document["Body"] = body
        for member, header in self._headers(operation).items():
            if header in request.headers:
                text = request.headers[header]
                number = shape.members[member].type_name == "integer" and text.lstrip("-").isdigit()
                document[member] = int(text) if number else text
        problem = self.cloud.shapes.request_problem(self.name, operation, document)
        if problem:
            raise AwsError(self.validation_error, problem)

    def _queue(self, request: Request, endpoint: Endpoint) -> Response:
        """Take an asynchronous request in.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html
        """
        fleet = endpoint.fleet
        if endpoint.backlog is None or fleet is None:
            raise AwsError(self.validation_error, f"Endpoint {endpoint.name} is not for asynchronous inference.")
        if request.get_data():
            raise NotImplementedHere("InvokeEndpointAsync with Body (a payload that is not in S3)")
        headers = self._headers("InvokeEndpointAsync")
        if headers["InputLocation"] not in request.headers:
            raise AwsError(self.validation_error, "InputLocation must be provided.")
        queued = new_request(
            fleet.config.async_inference["OutputConfig"],
            lambda member: request.headers.get(headers[member]),
            self.cloud.clock.real_seconds,
        )
        endpoint.backlog.submit(queued)
        response = Response(json.dumps({"InferenceId": queued.inference_id}), 202, content_type="application/json")
        response.headers["X-Amzn-SageMaker-OutputLocation"] = queued.output_location
        if queued.failure_location:
            response.headers["X-Amzn-SageMaker-FailureLocation"] = queued.failure_location
        return response

    def _serving(self, name: str) -> Endpoint:
        try:
            endpoint = self._endpoints.endpoint(name)
        except AwsError as problem:
            raise self._not_found(name) from problem
        if not endpoint.serving:
            raise self._not_found(name)
        return endpoint

    def _not_found(self, name: str, what: str = "Endpoint") -> AwsError:
        return AwsError("ValidationError", f"{what} {name} of account {self.cloud.account} not found.")

    def _invoke(
        self, request: Request, body: bytes, endpoint: Endpoint, fleet: Fleet, variant: VariantFleet, arrived: float
    ) -> Response:
        headers = {"Content-Length": str(len(body))}
        for header in ("Content-Type", "Accept", CUSTOM_ATTRIBUTES, INFERENCE_ID):
            if header in request.headers:
                headers[header] = request.headers[header]
        variant.server.admit()
        if fleet.shadow is not None:
            names = (request.headers.get(INFERENCE_ID), request.headers.get(CUSTOM_ATTRIBUTES))
            fleet.shadow.offer(Copy(body, headers, *names), variant)
        sent = time.perf_counter()
        status, answer = 0, None
        try:
            answer = variant.server.invoke(body, headers)
            status = answer.status
        except ContainerSilentError as problem:
            return self._model_error(endpoint, 0, str(problem), "Received server error (0) from primary")
        finally:
            model_seconds = answer.seconds if answer else time.perf_counter() - sent
            self._endpoints.metrics.invocation(
                endpoint.name,
                variant.name,
                fleet.config.name,
                variant.instances,
                status=status,
                model_seconds=model_seconds,
                overhead_seconds=max(time.perf_counter() - arrived - model_seconds, 0.0),
            )
        if not 200 <= status < 300:
            side = "client" if status < 500 else "server"
            return self._model_error(
                endpoint, status, answer.body.decode(errors="replace"), f"Received {side} error ({status}) from primary"
            )
        self._capture(request, body, answer, fleet, variant)
        response = Response(
            answer.body, 200, content_type=answer.headers.get("content-type", "application/octet-stream")
        )
        response.headers["x-Amzn-Invoked-Production-Variant"] = variant.name
        if CUSTOM_ATTRIBUTES.lower() in answer.headers:
            response.headers[CUSTOM_ATTRIBUTES] = answer.headers[CUSTOM_ATTRIBUTES.lower()]
        return response

    @staticmethod
    def _capture(request: Request, body: bytes, answer: ContainerAnswer, fleet: Fleet, variant: VariantFleet) -> None:
        if fleet.capture is None or not fleet.capture.sampled():
            return
        fleet.capture.record(
            variant.name,
            variant.server.role,
            (body, request.headers.get("Content-Type", "")),
            (answer.body, answer.headers.get("content-type", "")),
            request.headers.get(INFERENCE_ID),
            request.headers.get(CUSTOM_ATTRIBUTES),
        )

    def _model_error(self, endpoint: Endpoint, status: int, original: str, summary: str) -> Response:
        """424, as the API answers when the model's container did not."""
        region, account = self.cloud.region, self.cloud.account
        group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
        message = (
            f'{summary} with message "{original[:LARGEST_MESSAGE]}". See https://{region}.console.aws.amazon.com/cloudwatch/'
            f"home?region={region}#logEventViewer:group={group} in account {account} for more information."
        )
        return _error(
            "ModelError",
            message,
            424,
            OriginalStatusCode=status,
            OriginalMessage=original[:LARGEST_MESSAGE],
            LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
        )


def _error(code: str, message: str, status: int, **members: object) -> Response:
    """An error of the REST-JSON protocol."""
    response = Response(
        json.dumps({"Message": message, **members, "ErrorCode": code}), status, content_type="application/json"
    )
    response.headers["x-amzn-ErrorType"] = code
    return response
