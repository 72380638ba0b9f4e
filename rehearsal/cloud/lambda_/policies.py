"""Resource policies: which services, accounts and roles may invoke a function.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.lambda_.room import Room, invalid
from rehearsal.cloud.managed_policies import published
from rehearsal.cloud.service import Call, Credentials, Document, operation
from rehearsal.cloud.service_principals import is_known

ENTITY = re.compile(r"arn:aws:iam::(?P<account>\d{12}):(?P<kind>role|user)/(?:.+/)?(?P<name>[^/]+)")
KNOWN = frozenset({"FunctionName", "StatementId", "Action", "Principal", "SourceArn", "SourceAccount"})
SERVICE_NAME = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")
INVALID = "The provided principal was invalid. Please check the principal and try again."
ACCOUNT = re.compile(r"\d{12}")


def _principal(given: str) -> str | Document:
    """A statement's principal. Raises AwsError for what is none."""
    if given == "*":
        return "*"
    if SERVICE_NAME.fullmatch(given) and is_known(given, published()):
        return {"Service": given}
    if ACCOUNT.fullmatch(given):
        return {"AWS": f"arn:aws:iam::{given}:root"}
    if given.startswith("arn:aws:iam::"):
        return {"AWS": given}
    raise invalid(INVALID)


def _add_needs(room: Policies, request: Document) -> Iterable[Call]:
    return room.function_calls("AddPermission", request, {"lambda:Principal": request["Principal"]})


class Policies(Room):
    """The operations on resource policies."""

    @operation("AddPermission", _add_needs)
    def add_permission(self, request: Document, caller: Credentials) -> Document:
        for member in request:
            if member not in KNOWN:
                raise NotImplementedHere(f"{member} of lambda:AddPermission")
        principal = _principal(request["Principal"])
        self._must_exist(request["Principal"])
        conditions: Document = {}
        if request.get("SourceAccount"):
            conditions["StringEquals"] = {"AWS:SourceAccount": request["SourceAccount"]}
        if request.get("SourceArn"):
            conditions["ArnLike"] = {"AWS:SourceArn": request["SourceArn"]}
        with self.lock:
            function = self.find(request["FunctionName"])
            if any(each["Sid"] == request["StatementId"] for each in function.statements):
                raise AwsError(
                    "ResourceConflictException",
                    f"The statement id ({request['StatementId']}) provided already exists. Please provide a new "
                    "statement id, or remove the existing statement.",
                    409,
                )
            statement = {
                "Sid": request["StatementId"],
                "Effect": "Allow",
                "Principal": principal,
                "Action": request["Action"],
                "Resource": function.arn,
                **({"Condition": conditions} if conditions else {}),
            }
            function.statements.append(statement)
            self.publish_policy(function)
        return {"Statement": json.dumps(statement)}

    def _must_exist(self, given: str) -> None:
        """Raise AwsError for a role or user of this account that is not there; those of others cannot be known.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
        """
        found = ENTITY.fullmatch(given)
        if found is None or found["account"] != self.cloud.account or ":role/aws-service-role/" in given:
            return
        iam = self.cloud.client("iam", self.cloud.identity.root)
        try:
            if found["kind"] == "role":
                arn = iam.get_role(RoleName=found["name"])["Role"]["Arn"]
            else:
                arn = iam.get_user(UserName=found["name"])["User"]["Arn"]
        except iam.exceptions.NoSuchEntityException:
            arn = ""
        if arn != given:
            raise invalid(INVALID)

    @operation("RemovePermission", lambda room, request: room.function_calls("RemovePermission", request))
    def remove_permission(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            function = self.find(request["FunctionName"], request.get("Qualifier"))
            left = [each for each in function.statements if each["Sid"] != request["StatementId"]]
            if len(left) == len(function.statements):
                raise AwsError(
                    "ResourceNotFoundException",
                    f"Statement {request['StatementId']} is not found in resource policy.",
                    404,
                )
            function.statements[:] = left
            self.publish_policy(function)
        return {}

    @operation("GetPolicy", lambda room, request: room.function_calls("GetPolicy", request))
    def get_policy(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            function = self.find(request["FunctionName"], request.get("Qualifier"))
            if function.policy is None:
                raise AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
            return {"Policy": json.dumps(function.policy), "RevisionId": function.revision}
