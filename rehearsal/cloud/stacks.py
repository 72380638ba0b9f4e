"""CloudFormation's front: who acts for a stack, and whether its template may be deployed at all.

The engine itself is the base's. It would accept a role that does not exist and create everything with nobody's
permissions; so the actor of every stack operation is noted here, and each of its resources is authorised as that
actor before it is touched (`resources/engine.py`).

An operation changes who acts only once the base has accepted it; until then the stack's resources wait to be told.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError
from werkzeug.wrappers import Request, Response

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.s3_urls import s3_location
from rehearsal.cloud.service import Call, Credentials
from rehearsal.cloud.stack_options import has_custom_resources, refuse_keeping, refuse_options

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

ACTING = {"CreateStack", "UpdateStack", "DeleteStack", "RollbackStack", "ContinueUpdateRollback"}
CHANGE_SETS = {"CreateChangeSet", "ExecuteChangeSet"}
LOOKING = {"ValidateTemplate"}
"""Operations that only look at a template."""
STACK_ID = re.compile(r"<StackId>([^<]+)</StackId>")
CHANGE_SET_ID = re.compile(r"<Id>([^<]+)</Id>")
ACCEPTED_WITHIN_SECONDS = 30.0
"""How long a stack's resources wait for the base's word on an operation; it takes milliseconds."""
SERVICE = "cloudformation.amazonaws.com"
QUERY_CODES = {
    "AccessDeniedException": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "UnrecognizedClientException": "InvalidClientTokenId",
}
"""What the query protocol calls the errors of the JSON protocol."""


def error_document(error: AwsError) -> Response:
    """An error in CloudFormation's XML.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
    """
    code = QUERY_CODES.get(error.code, error.code)
    body = (
        '<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>'
        f"<Code>{escape(code)}</Code><Message>{escape(error.message)}</Message></Error></ErrorResponse>"
    )
    return Response(body, error.status, content_type="text/xml")


def form_of(request: Request) -> dict[str, str] | None:
    """The form of a request of the query protocol; None for every other request."""
    if request.method != "POST" or "x-www-form-urlencoded" not in request.headers.get("Content-Type", ""):
        return None
    return {key: values[0] for key, values in parse_qs(request.get_data(as_text=True)).items()}


def stack_form(request: Request) -> dict[str, str] | None:
    """The form of an operation on a stack's resources or on a template; None for every other request.

    Raises NotImplementedHere for an option of it that the base would forget.
    """
    form = form_of(request)
    if form is None:
        return None
    refuse_options(form)
    if form.get("Action") in LOOKING:
        return form
    if form.get("Action") in CHANGE_SETS and "ChangeSetName" in form:
        return form
    return form if form.get("Action") in ACTING and "StackName" in form else None


@dataclass(frozen=True)
class Actors:
    """Who acts for one stack: its role, or else whoever called last."""

    caller: Credentials
    role: Credentials | None
    stack_id: str


@dataclass(frozen=True)
class ChangeSet:
    """A change set that waits to be executed."""

    stack: str
    name: str
    role_arn: str | None
    creates: bool
    custom: bool
    """Whether its template has custom resources."""


class Stacks:
    """Who acts for which stack."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._actors: dict[str, Actors] = {}
        self._change_sets: dict[str, ChangeSet] = {}
        self._pending: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def operation(self, form: dict[str, str], caller: Credentials) -> Iterator[Callable[[str], None]]:
        """Look at a stack operation before the base does; call what is given with the base's answer if it accepted.

        Raises AwsError when its role may not be passed or assumed, or when its template is not valid. A stack keeps
        the role of an earlier operation when a later one names none:
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
        """
        change_set = self._change_set(form) if form["Action"] == "ExecuteChangeSet" else None
        stack = change_set.stack if change_set else self._name(form.get("StackName", ""))
        role_arn = form.get("RoleARN")
        if role_arn:
            self._cloud.identity.require(caller, [Call("iam:PassRole", role_arn, {"iam:PassedToService": SERVICE})])
        elif change_set:
            role_arn = change_set.role_arn
        role = self._session(stack, role_arn) if role_arn else None
        template = form.get("TemplateBody") or self._template_at(form.get("TemplateURL"), caller)
        if template:
            self._cloud.resources.check_template(template)
        custom = change_set.custom if change_set else has_custom_resources(template or self._previous(form, stack))
        refuse_keeping(form, custom=custom)

        def accepted(answer: str) -> None:
            if form["Action"] in LOOKING:
                return
            if form["Action"] == "CreateChangeSet":
                self._note_change_set(form, stack, answer, custom=custom)
            elif form["Action"] != "ExecuteChangeSet" or change_set:
                fresh = form["Action"] == "CreateStack" or (change_set is not None and change_set.creates)
                # Without a role CloudFormation goes on in its caller's name.
                actor = caller if role else self._cloud.identity.forwarded(caller, SERVICE)
                self._note_actors(form, stack, Actors(actor, role, _found(STACK_ID, answer)), fresh=fresh)

        with self._changed:
            self._pending[stack] += 1
        try:
            yield accepted
        finally:
            with self._changed:
                self._pending[stack] -= 1
                self._changed.notify_all()

    def actor(self, stack: str) -> Credentials:
        """Who touches the resources of `stack`. Raises AwsError for a stack nobody started."""
        name = self._name(stack)
        with self._changed:
            self._changed.wait_for(lambda: not self._pending[name], ACCEPTED_WITHIN_SECONDS)
            found = self._actors.get(name)
        if found is None:
            raise AwsError("ValidationError", f"nobody is known to act for stack {stack}")
        return found.role or found.caller

    def _session(self, stack: str, role_arn: str) -> Credentials:
        return self._cloud.identity.assume_role(role_arn, SERVICE, f"AWSCloudFormation-{stack}")

    def _note_actors(self, form: dict[str, str], stack: str, actors: Actors, *, fresh: bool) -> None:
        named = form.get("StackName", "")
        with self._changed:
            before = self._actors.get(stack)
            if fresh or before is None:
                self._actors[stack] = actors
            elif not named.startswith("arn:") or named == before.stack_id:  # or else an earlier stack of that name
                self._actors[stack] = Actors(actors.caller, actors.role or before.role, before.stack_id)

    # ---- change sets

    def _note_change_set(self, form: dict[str, str], stack: str, answer: str, *, custom: bool) -> None:
        creates = form.get("ChangeSetType", "UPDATE") == "CREATE"
        noted = ChangeSet(stack, form["ChangeSetName"], form.get("RoleARN"), creates, custom)
        with self._changed:
            self._change_sets[_found(CHANGE_SET_ID, answer)] = noted

    def _change_set(self, form: dict[str, str]) -> ChangeSet | None:
        """The change set to be executed, by its ARN or by the stack's name and its own; the newest of that name."""
        name, stack = form["ChangeSetName"], self._name(form.get("StackName", ""))
        with self._changed:
            if name.startswith("arn:"):
                return self._change_sets.get(name)
            named = [each for each in self._change_sets.values() if (each.stack, each.name) == (stack, name)]
        return named[-1] if named else None

    # ---- templates

    def _template_at(self, url: str | None, caller: Credentials) -> str:
        if not url:
            return ""
        bucket, key = s3_location(url)
        try:
            body: bytes = self._cloud.client("s3", caller).get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as problem:
            raise AwsError(
                "ValidationError", f"S3 error: {problem.response['Error'].get('Message')} ({url})"
            ) from problem
        return body.decode()

    def _previous(self, form: dict[str, str], stack: str) -> str:
        """The template that a stack has, when it is to be used again; the base says when there is none."""
        if form.get("UsePreviousTemplate") != "true":
            return ""
        cloudformation = self._cloud.client("cloudformation", self._cloud.identity.root)
        try:
            body = cloudformation.get_template(StackName=stack)["TemplateBody"]
        except cloudformation.exceptions.ClientError:
            return ""
        return body if isinstance(body, str) else json.dumps(body)

    @staticmethod
    def _name(name_or_arn: str) -> str:
        return name_or_arn.split("/")[1] if name_or_arn.startswith("arn:") else name_or_arn


def _found(pattern: re.Pattern[str], answer: str) -> str:
    found = pattern.search(answer)
    return found[1] if found else ""
