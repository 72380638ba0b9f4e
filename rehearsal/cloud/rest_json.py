"""The REST-JSON protocol, read from the service's side: which operation a request is, what it asks, how to answer.

Everything comes from botocore's service model, which binds each member of a request and an answer to a place: the
path, the query, a header, the status, or the body. https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from werkzeug.wrappers import Request, Response

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Document
from rehearsal.cloud.validation import wire_text

LABEL = re.compile(r"\{(\w+)(\+?)\}")
FORBIDDEN, NO_CONTENT = 403, 204
DENIED = ("AccessDeniedException",)


class RestJson:
    """One service of the REST-JSON protocol."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model

    @cached_property
    def _routes(self) -> list[tuple[str, re.Pattern[str], str]]:
        """Method, path and operation; paths with fewer labels first, for `/list` may be a name or a word."""
        found = []
        for name in self._model.operation_names:
            http = self._model.operation_model(name).http
            path = http["requestUri"].partition("?")[0]
            found.append((http["method"], path, name))
        found.sort(key=lambda route: len(LABEL.findall(route[1])))
        return [(method, _pattern(path), name) for method, path, name in found]

    @cached_property
    def _statuses(self) -> dict[str, int]:
        shapes = (self._model.shape_for(name) for name in self._model.shape_names)
        return {
            shape.name: int(shape.metadata["error"]["httpStatusCode"])
            for shape in shapes
            if shape.metadata.get("error", {}).get("httpStatusCode")
        }

    def knows(self, raw_target: str) -> bool:
        """Whether a path is one of this service's, whatever the method."""
        path = _path(raw_target)
        return any(pattern.fullmatch(path) for _, pattern, _ in self._routes)

    def operation(self, method: str, raw_target: str) -> tuple[str, dict[str, str]]:
        """The operation a request is, and the values in its path. Raises AwsError when it is none."""
        path = _path(raw_target)
        for wanted, pattern, name in self._routes:
            found = pattern.fullmatch(path)
            if found and wanted == method:
                return name, {label: unquote(value) for label, value in found.groupdict().items()}
        raise AwsError("UnknownOperationException", f"No operation is {method} {path}.", 404)

    # ---- requests

    def request(self, operation: str, in_path: Mapping[str, str], request: Request) -> Document:
        """The members of a request. Raises AwsError for a body that cannot be read."""
        shape = self._model.operation_model(operation).input_shape
        if shape is None:
            return {}
        payload = shape.serialization.get("payload")
        document: Document = {}
        if payload is None:
            document = self._body(shape, request.get_data())
        elif request.get_data():
            document[payload] = self._payload(shape.members[payload], request.get_data())
        for name, member in shape.members.items():
            value = _bound(name, member, in_path, request)
            if value is not None:
                document[name] = value
        return document

    @staticmethod
    def _body(shape: Shape, body: bytes) -> Document:
        try:
            found = json.loads(body or b"{}")
        except ValueError as problem:
            raise AwsError("SerializationException", f"the request is not JSON: {problem}") from problem
        if not isinstance(found, dict):
            raise AwsError("SerializationException", "the request is not a JSON object")
        document: Document = _from_wire(shape, found)
        return document

    @staticmethod
    def _payload(shape: Shape, body: bytes) -> Any:  # noqa: ANN401 - any JSON value
        if shape.type_name == "blob":
            return body
        raise NotImplementedHere(f"a request whose body is a {shape.type_name}")

    # ---- answers

    def response(self, operation: str, answer: Document) -> Response:
        """An operation's answer, its members in the places where the model has them."""
        model: OperationModel = self._model.operation_model(operation)
        status, headers, body = int(model.http.get("responseCode", 200)), {}, dict(answer)
        payload = None
        if model.output_shape is not None:
            payload = model.output_shape.serialization.get("payload")
            for name, member in model.output_shape.members.items():
                place = member.serialization.get("location")
                if place is None or name not in body:
                    continue
                value = body.pop(name)
                if place == "statusCode":
                    status = int(value)
                else:
                    headers[member.serialization["name"]] = str(value)
        content = body.get(payload, b"") if payload else wire_text(body).encode()
        if status == NO_CONTENT:
            content = b""
        response = Response(content, status, headers, content_type="application/json")
        response.headers["x-amzn-RequestId"] = str(uuid4())
        return response

    def error(self, error: AwsError) -> Response:
        """An error, with the status the model gives it."""
        status = self._statuses.get(error.code, FORBIDDEN if error.code in DENIED else error.status)
        kind = "User" if status < 500 else "Service"
        document = {"Type": kind, "Message": error.message, "message": error.message}
        response = Response(json.dumps(document), status, content_type="application/json")
        response.headers["x-amzn-ErrorType"] = error.code
        response.headers["x-amzn-RequestId"] = str(uuid4())
        return response


def _path(raw_target: str) -> str:
    """The path as it was sent, still encoded; AWS takes it with and without a slash at its end."""
    return urlsplit(raw_target).path.rstrip("/")


def _pattern(path: str) -> re.Pattern[str]:
    expression, end = "", 0
    for label in LABEL.finditer(path):
        expression += re.escape(path[end : label.start()]) + f"(?P<{label[1]}>{'.+' if label[2] else '[^/]+'})"
        end = label.end()
    return re.compile(expression + re.escape(path[end:].rstrip("/")))


def _bound(name: str, member: Shape, in_path: Mapping[str, str], request: Request) -> Any:  # noqa: ANN401 - any value
    place = member.serialization.get("location")
    wire_name = member.serialization.get("name", name)
    if place == "uri":
        return in_path.get(wire_name)
    if place == "querystring":
        if isinstance(member, ListShape):
            return request.args.getlist(wire_name) or None
        return _scalar(member, request.args.get(wire_name))
    if place == "header":
        return _scalar(member, request.headers.get(wire_name))
    return None


def _scalar(shape: Shape, value: str | None) -> Any:  # noqa: ANN401 - any scalar
    if value is None:
        return None
    if shape.type_name in ("integer", "long"):
        try:
            return int(value)
        except ValueError:
            raise AwsError("SerializationException", f"{shape.name} is not a number: {value}") from None
    if shape.type_name == "boolean":
        return value.lower() == "true"
    return value


def _from_wire(shape: Shape, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON value with blobs decoded and absent members left out; what does not fit is left for validation."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            name: _from_wire(shape.members[name], member) if name in shape.members else member
            for name, member in value.items()
            if member is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_from_wire(shape.member, member) for member in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _from_wire(shape.value, member) for key, member in value.items()}
    if shape.type_name == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            raise AwsError("SerializationException", f"{shape.name} is not base64") from None
    return value
