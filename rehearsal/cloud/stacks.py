"""CloudFormation's front: who acts for a stack, and whether its template may be deployed at all.

The engine itself is the base's. It would accept a role that does not exist and create everything with nobody's
permissions; so the actor of every stack operation is noted here, and each of its resources is authorised as that
actor before it is touched (`resources/engine.py`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.s3_urls import s3_location
from rehearsal.cloud.service import Call, Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

ACTING = {"CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "RollbackStack", "ContinueUpdateRollback"}
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


def stack_form(request: Request) -> dict[str, str] | None:
    """The form of a stack operation that touches resources; None for every other request."""
    if request.method != "POST" or "x-www-form-urlencoded" not in request.headers.get("Content-Type", ""):
        return None
    form = {key: values[0] for key, values in parse_qs(request.get_data(as_text=True)).items()}
    return form if form.get("Action") in ACTING and "StackName" in form else None


class Stacks:
    """Who acts for which stack."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._callers: dict[str, Credentials] = {}
        self._roles: dict[str, tuple[str, Credentials]] = {}
        self._lock = threading.Lock()

    def look_at(self, form: dict[str, str], caller: Credentials) -> None:
        """Note who acts in a stack operation. Raises AwsError when its role may not be passed or assumed, or when its
        template is not valid.

        A stack keeps the role of an earlier operation when a later one names none:
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
        """
        stack = self._name(form["StackName"])
        role = form.get("RoleARN")
        if role:
            self._cloud.identity.require(caller, [Call("iam:PassRole", role, {"iam:PassedToService": SERVICE})])
            self.use_role(stack, role)
        with self._lock:
            self._callers[stack] = caller
        template = form.get("TemplateBody") or self._template_at(form.get("TemplateURL"), caller)
        if template:
            self._cloud.resources.check_template(template)

    def use_role(self, stack: str, role_arn: str) -> None:
        """From now on the stack's resources are touched by this role."""
        actor = self._cloud.identity.assume_role(role_arn, SERVICE, f"AWSCloudFormation-{stack}")
        with self._lock:
            self._roles[stack] = (role_arn, actor)

    def act(self, stack: str, actor: Credentials) -> None:
        """Let `actor` touch the resources of a stack that a service of ours is about to create."""
        with self._lock:
            self._callers[stack] = actor

    def actor(self, stack: str) -> Credentials:
        """Who touches the resources of `stack`. Raises AwsError for a stack nobody started."""
        name = self._name(stack)
        with self._lock:
            role = self._roles.get(name)
            found = role[1] if role else self._callers.get(name)
        if found is None:
            raise AwsError("ValidationError", f"nobody is known to act for stack {stack}")
        return found

    def _template_at(self, url: str | None, caller: Credentials) -> str:
        if not url:
            return ""
        bucket, key = s3_location(url)
        body: bytes = self._cloud.client("s3", caller).get_object(Bucket=bucket, Key=key)["Body"].read()
        return body.decode()

    @staticmethod
    def _name(name_or_arn: str) -> str:
        return name_or_arn.split("/")[1] if name_or_arn.startswith("arn:") else name_or_arn
