"""The one address of the cloud (AWS_ENDPOINT_URL): what is ours, then the base, and a 501 for what nobody plays.

A request takes the first of these that knows it:

1. `/_cloud/...`: the base's process asks about a resource of a stack or hands over an event;
2. paths that a room answers as plain HTTP: git, endpoint invocations;
   (a call may be throttled here, when that fault is switched on)
3. the answers of custom resources, which a stack waits for;
4. the JSON protocol of a service of ours, by `X-Amz-Target`, and the REST-JSON protocol, by its paths;
5. stack operations, looked at (who acts? is the template valid?) and then the base's;
6. the services that are relied on (`relied_on.py`): the base, which authenticates, authorises and answers or refuses;
7. everything else: 501.

Who calls is whoever signed the request (`signatures.py`); the base verifies what is forwarded to it in the same way.
"""

from __future__ import annotations

import http.client
import logging
import re
import socket
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.event_targets import refuse_unplayed, roles_passed, targets_in
from rehearsal.cloud.json_requests import check_base_request, document_of
from rehearsal.cloud.lambda_.triggers import refuse_requests
from rehearsal.cloud.list_tokens import ListTokens
from rehearsal.cloud.relied_on import is_played
from rehearsal.cloud.rest_json import RestJson
from rehearsal.cloud.service import Call, Credentials
from rehearsal.cloud.signatures import Signature, caller_of, claimed, raw_target
from rehearsal.cloud.stacks import Stacks, error_document, form_of, stack_form
from rehearsal.cloud.throttling import Throttle
from rehearsal.cloud.validation import wire_text

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "expect", "server", "date"}
DENIED_ACTION = re.compile(rb"not authorized to perform:? ([A-Za-z0-9-]+:[A-Za-z*]+)(?: on resource: \"?([^\s\"<]+))?")
UNPLAYED = re.compile(
    rb"Unsupported service: |<Code>InvalidAction</Code>|Unknown (?:[A-Za-z0-9]+ )?action|UnknownOperation",
    re.IGNORECASE,
)
"""How the base says that it plays no such service, or no such operation of it."""
CALLER = "rehearsal.caller"
"""Where `handle_http` finds the caller's Credentials in a request's environ; None for an unsigned request."""


class Handler(WSGIRequestHandler):
    """Keeps connections open and does not print a line per request."""

    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:  # noqa: ANN401 - werkzeug's signature
        return


class FrontDoor:
    """Every request of every actor passes here."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._stacks = Stacks(cloud)
        self._throttle = Throttle(cloud.faults)
        self._list_tokens = ListTokens()
        self._server: BaseWSGIServer | None = None
        self._targets: dict[str, str] = {}
        self._rest: dict[str, RestJson] = {}
        self.url = ""

    @property
    def stacks(self) -> Stacks:
        """Who acts for which stack."""
        return self._stacks

    def open(self) -> None:
        """Listen on loopback. Raises RuntimeError when the wanted port cannot be had."""
        for name in self._cloud.services:
            prefix = self._cloud.shapes.target_prefix(name)
            if prefix:
                self._targets[prefix] = name
            elif self._cloud.services[name].operations:
                self._rest[name] = RestJson(self._cloud.shapes.model(name))
        port = self._cloud.settings.port
        try:  # first: werkzeug would print its own words and exit
            with socket.create_server(("127.0.0.1", port)):
                pass
            self._server = make_server(
                "127.0.0.1", port, Request.application(self.answer), threaded=True, request_handler=Handler
            )
        except (OSError, OverflowError, SystemExit) as problem:
            why = getattr(problem, "strerror", None) or problem
            raise RuntimeError(
                f"port {port} on 127.0.0.1 cannot be used: {why}. Stop the program that has it, or choose another port "
                "with --port; without --port a free one is taken"
            ) from problem
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="front door", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, request: Request) -> Response:
        """Answer one request, whatever it is."""
        try:
            return self._answer(request)
        except AwsError as error:
            # Only clients of the query protocol send forms, and they read XML.
            return error_document(error) if form_of(request) is not None else self.error(error)
        except Exception as problem:
            log.exception("%s %s failed", request.method, request.path)
            return self.error(AwsError("InternalFailure", f"{type(problem).__name__}: {problem}", 500))

    def _answer(self, request: Request) -> Response:
        if request.path.startswith("/_cloud/"):
            return self._ask(request)
        for room in self._cloud.services.values():
            if room.http_prefixes and request.path.startswith(room.http_prefixes):
                request.environ[CALLER] = self._signer(request, room.name)
                return room.handle_http(request)
        throttled = self._throttle.refusal(request)
        if throttled is not None:
            return throttled
        if self._cloud.resources.answers.takes(request.path):
            return self._cloud.resources.answers.put(request)
        target = request.headers.get("X-Amz-Target", "")
        prefix, _, operation = target.rpartition(".")
        if prefix in self._targets:
            return self._call(request, self._targets[prefix], operation)
        rest = self._rest_service(request)
        if rest:
            return self._call_rest(request, rest)
        form = stack_form(request)
        if form is not None:
            return self._operate(request, form)
        service = self._refuse_unplayed(request)
        check_base_request(self._cloud.shapes, service, request)
        refuse_requests(request, form_of(request))
        self._check_targets(request)
        refused = self._list_tokens.refusal(service, request)
        if refused is not None:
            return refused
        response = self._forward(request)
        if response.status_code == 200:
            self._list_tokens.note(service, request, response.get_data())
        return response

    def _refuse_unplayed(self, request: Request) -> str:
        """The service that a request was signed for; empty for an unsigned one.

        Raises NotImplementedHere for what the base would answer without anybody relying on it: most services, and its
        own paths (`/_ministack/reset`), which no bucket can have.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        """
        signature = claimed(request)
        target = request.headers.get("X-Amz-Target", "")
        operation = (form_of(request) or request.args).get("Action") or f"{request.method} {request.path}"
        service = signature.service if signature else ""
        if request.path.startswith("/_") or not is_played(service, target, operation):
            raise NotImplementedHere(self._asked_for(request))
        return service

    def _check_targets(self, request: Request) -> None:
        """Look at the targets that a program gives a rule: the base does not ask whether their roles may be passed."""
        targets = targets_in(request)
        refuse_unplayed(targets)
        passed = roles_passed(targets)
        if passed:
            self._cloud.identity.require(self._caller(request, "events"), passed)

    def _operate(self, request: Request, form: dict[str, str]) -> Response:
        try:
            with self._stacks.operation(form, self._caller(request, "cloudformation")) as accepted:
                response = self._forward(request)
                if response.status_code == 200:
                    accepted(response.get_data(as_text=True))
                return response
        except AwsError as error:
            return error_document(error)

    # ---- services of ours

    def _call(self, request: Request, service: str, operation: str) -> Response:
        if operation not in self._cloud.shapes.model(service).operation_names:
            raise AwsError("UnknownOperationException", f"{service} has no operation {operation}", 400)
        self._check_played(service, operation)
        caller = self._caller(request, service)
        return self.json(self._cloud.call(caller, service, operation, document_of(request.get_data())))

    def _rest_service(self, request: Request) -> str | None:
        """The service of the REST-JSON protocol that a request is for: the one it is signed for. An unsigned request
        goes by its path."""
        signature = _stated(request)
        for name, rest in self._rest.items():
            if signature and signature.service == self._cloud.shapes.model(name).signing_name:
                return name
            if signature is None and rest.knows(raw_target(request)):
                return name
        return None

    def _call_rest(self, request: Request, service: str) -> Response:
        rest = self._rest[service]
        try:
            operation, in_path = rest.operation(request.method, raw_target(request))
            self._check_played(service, operation)
            caller = self._caller(request, service)
            document = rest.request(operation, in_path, request)
            return rest.response(operation, self._cloud.call(caller, service, operation, document))
        except AwsError as error:
            return rest.error(error)

    def _check_played(self, service: str, operation: str) -> None:
        if operation not in self._cloud.services[service].operations:
            raise NotImplementedHere(f"{service}:{operation}")

    def _signer(self, request: Request, service: str) -> Credentials | None:
        """Whoever signed the request; None for an unsigned one. Raises AwsError for a signature that is not right."""
        signing_name = self._cloud.shapes.model(service).signing_name
        return caller_of(request, signing_name, self._cloud.region, self._cloud.identity.credentials_of)

    def _caller(self, request: Request, service: str) -> Credentials:
        caller = self._signer(request, service)
        if caller is None:
            raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
        return caller

    # ---- the base's questions

    def _ask(self, request: Request) -> Response:
        if request.headers.get("X-Rehearsal-Token") != self._cloud.base.token:
            raise AwsError("AccessDenied", "only the base's process may ask", 403)
        document = request.get_json()
        try:
            if request.path == "/_cloud/event":
                self._cloud.events.arrived(document)
                return self.json({})
            operation = request.path.rpartition("/")[2]
            return self.json(self._cloud.resources.answer(operation, document))
        except AwsError as error:
            return self.json({"error": self._cloud.resources.reason(error)})
        except Exception as problem:
            log.exception("%s failed", request.path)
            return self.json({"error": f"Internal failure of the rehearsal's cloud: {problem!r}"})

    # ---- the base

    def _forward(self, request: Request) -> Response:
        body = request.get_data()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        if body or request.method in ("POST", "PUT"):
            headers["Content-Length"] = str(len(body))
        target = request.environ.get("REQUEST_URI") or request.full_path
        base = self._cloud.base
        for attempt in (1, 2):
            try:
                with base.connection() as connection:
                    connection.request(request.method, target, body or None, headers)
                    reply = connection.getresponse()
                    payload = reply.read()
                break
            except (http.client.HTTPException, OSError) as problem:
                if attempt == 2:
                    raise AwsError("ServiceUnavailable", f"the base does not answer: {problem}", 503) from problem
        if reply.status in (400, 403):
            self._note_denial(request, DENIED_ACTION.search(payload))
        elif "delete" in request.args and request.method == "POST":
            for denied in DENIED_ACTION.finditer(payload):  # DeleteObjects says of each key whether it is denied
                self._note_denial(request, denied)
        if reply.status in (400, 404) and UNPLAYED.search(payload):
            raise NotImplementedHere(self._asked_for(request))
        response = Response(payload, reply.status)
        response.headers.clear()
        for name, value in reply.getheaders():
            if name.lower() not in HOP_BY_HOP:
                response.headers.add(name, value)
        response.headers["Content-Length"] = reply.getheader("Content-Length") or str(len(payload))
        if request.method == "HEAD":
            response.automatically_set_content_length = False
        return response

    @staticmethod
    def _asked_for(request: Request) -> str:
        """`service:operation` as far as the request says it; where its path says it, method and path."""
        signature = _stated(request)
        prefix, _, operation = request.headers.get("X-Amz-Target", "").rpartition(".")
        service = signature.service if signature else prefix.partition("_")[0] or "an unsigned request"
        operation = operation or (form_of(request) or request.args).get("Action", "")
        return f"{service}:{operation}" if operation else f"{service} ({request.method} {request.path})"

    def _note_denial(self, request: Request, denied: re.Match[bytes] | None) -> None:
        """A refusal of the base belongs into the report like one of ours."""
        if denied is None:
            return
        resource = (denied[2] or b"*").decode().rstrip(",.")
        service, _, action = denied[1].decode().partition(":")  # SNS says SNS:Publish, and SQS sqs:sendmessage
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        action = operation if operation.lower() == action else action
        call = Call(f"{service.lower()}:{action}", resource)
        signature = claimed(request)
        caller = (
            self._cloud.identity.credentials_of(signature.access_key_id).principal_arn if signature else "anonymous"
        )
        self._cloud.identity.record(caller, call, allowed=False)

    # ---- answers

    @staticmethod
    def json(document: dict[str, Any], status: int = 200) -> Response:
        """An answer of the JSON protocol."""
        return Response(wire_text(document), status, content_type="application/x-amz-json-1.1")

    @classmethod
    def error(cls, error: AwsError) -> Response:
        """An error of the JSON protocol; query-protocol clients read its status."""
        response = cls.json({"__type": error.code, "message": error.message, "Message": error.message}, error.status)
        response.headers["x-amzn-ErrorType"] = error.code
        return response


def _stated(request: Request) -> Signature | None:
    """The signature of a request that the base has judged already; None for one that cannot be read."""
    try:
        return claimed(request)
    except AwsError:
        return None
