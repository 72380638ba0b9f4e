"""Functions: their code, settings and tags.

https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.lambda_.code import archive_of, unpack
from rehearsal.cloud.lambda_.records import Code, Function
from rehearsal.cloud.lambda_.room import SERVICE, Room, invalid
from rehearsal.cloud.lambda_.settings import changed_settings, check_members, first_settings
from rehearsal.cloud.pages import cut
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation

PAGE = 50


def _needs(action: str) -> Needs:
    def needs(room: Functions, request: Document) -> Iterable[Call]:
        return room.function_calls(action, request)

    return needs


def _with_role(action: str) -> Needs:
    """Giving a function a role is passing it to Lambda."""

    def needs(room: Functions, request: Document) -> Iterable[Call]:
        tags: dict[str, str] = request.get("Tags") or {}
        context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        if tags:
            context["aws:TagKeys"] = list(tags)
        calls = room.function_calls(action, request, context)
        if tags:
            calls += room.function_calls("TagResource", request, context)
        if request.get("Role"):
            arn = room.function_arn(request["FunctionName"])
            passed = {"iam:PassedToService": SERVICE, "iam:AssociatedResourceArn": arn}
            calls.append(Call("iam:PassRole", request["Role"], passed))
        return calls

    return needs


def _tagged(action: str) -> Needs:
    def needs(room: Functions, request: Document) -> Iterable[Call]:
        tags: dict[str, str] = request.get("Tags") or {}
        context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        keys = list(tags) or list(request.get("TagKeys") or [])
        if keys:
            context["aws:TagKeys"] = keys
        return [room.arn_call(action, request["Resource"], context)]

    return needs


class Functions(Room):
    """The operations on functions."""

    @operation("CreateFunction", _with_role("CreateFunction"))
    def create_function(self, request: Document, caller: Credentials) -> Document:
        check_members("CreateFunction", request)
        arn = self.function_arn(request["FunctionName"])
        name = arn.rpartition(":")[2]
        if arn != f"{self.arn('function')}:{name}":
            raise invalid(f"The function {request['FunctionName']} is not one of this account and region.")
        with self.lock:
            if name in self.functions:
                raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
        settings = first_settings(request, name)
        self._check_role(settings["Role"])
        code = self._code(request["Code"], caller)
        function = Function(name, arn, settings, code, dict(request.get("Tags") or {}), self.settles())
        with self.lock:
            if name in self.functions:
                raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
            self.functions[name] = function
            return function.configuration()

    def _code(self, source: Document, caller: Credentials) -> Code:
        return unpack(archive_of(self.cloud, source, caller), self.cloud.folder_for("lambda", "code"))

    def _check_role(self, role: str) -> None:
        """Lambda tries the role before it takes it."""
        try:
            self.cloud.identity.assume_role(role, SERVICE, "validation")
        except AwsError:
            raise invalid("The role defined for the function cannot be assumed by Lambda.") from None

    @operation("GetFunction", _needs("GetFunction"))
    def get_function(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            function = self.find(request["FunctionName"], request.get("Qualifier"))
            answer: Document = {"Configuration": function.configuration(), "Code": {"RepositoryType": "S3"}}
            if function.tags:
                answer["Tags"] = dict(function.tags)
            if function.reserved is not None:
                answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
            return answer

    @operation("GetFunctionConfiguration", _needs("GetFunctionConfiguration"))
    def get_function_configuration(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            return self.find(request["FunctionName"], request.get("Qualifier")).configuration()

    @operation("UpdateFunctionCode", _needs("UpdateFunctionCode"))
    def update_function_code(self, request: Document, caller: Credentials) -> Document:
        check_members("UpdateFunctionCode", request)
        with self.lock:
            self.check_settled(self.find(request["FunctionName"]))
        members = ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")
        code = self._code({member: request[member] for member in members if member in request}, caller)
        with self.lock:
            function = self.find(request["FunctionName"])
            self.check_settled(function)
            function.code = code
            if "Architectures" in request:
                function.settings = {**function.settings, "Architectures": request["Architectures"]}
            function.change(self.settles())
            answer = function.configuration()
        self.idle.end(function.name)
        return answer

    @operation("UpdateFunctionConfiguration", _with_role("UpdateFunctionConfiguration"))
    def update_function_configuration(self, request: Document, caller: Credentials) -> Document:
        check_members("UpdateFunctionConfiguration", request)
        if request.get("Role"):
            self._check_role(request["Role"])
        with self.lock:
            function = self.find(request["FunctionName"])
            self.check_settled(function)
            function.settings = changed_settings(function.settings, request, function.name)
            function.change(self.settles())
            answer = function.configuration()
        self.idle.end(function.name)
        return answer

    @operation("DeleteFunction", _needs("DeleteFunction"))
    def delete_function(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            function = self.find(request["FunctionName"], request.get("Qualifier"))
            del self.functions[function.name]
            function.statements.clear()
            self.publish_policy(function)
        self.idle.end(function.name)
        return {"StatusCode": 204}

    @operation("ListFunctions", lambda room, _: [Call("lambda:ListFunctions")])
    def list_functions(self, request: Document, caller: Credentials) -> Document:
        size = int(request.get("MaxItems", PAGE))
        with self.lock:
            names, marker = cut(sorted(self.functions), request.get("Marker"), size, "InvalidParameterValueException")
            answer: Document = {"Functions": [self.functions[name].configuration() for name in names]}
        return {**answer, **({"NextMarker": marker} if marker else {})}

    # ---- tags

    @operation("TagResource", _tagged("TagResource"))
    def tag_resource(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self.find(request["Resource"]).tags.update(request["Tags"])
        return {}

    @operation("UntagResource", _tagged("UntagResource"))
    def untag_resource(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            function = self.find(request["Resource"])
            for key in request["TagKeys"]:
                function.tags.pop(key, None)
        return {}

    @operation("ListTags", _tagged("ListTags"))
    def list_tags(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            return {"Tags": dict(self.find(request["Resource"]).tags)}
