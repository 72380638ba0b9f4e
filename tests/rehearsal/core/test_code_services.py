"""Every operation that CodeCommit, CodeBuild and CodePipeline answer here, and every one they do not.

Requests are made up out of the service models: one that is right, and from it all that are wrong in one place.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.httpsession import URLLib3Session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codebuild import CodeBuild
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.errors import AwsError
from tests.rehearsal.conftest import StartCloud

ROOMS = {room.name: room for room in (CodeCommit, CodeBuild, CodePipeline)}
SESSION = botocore.session.Session()
MODELS: dict[str, ServiceModel] = {name: SESSION.get_service_model(name) for name in ROOMS}
PLAYED = {
    name: {getattr(getattr(room, each), "aws_operation", None) for each in dir(room)} - {None}
    for name, room in ROOMS.items()
}
SAMPLES = (
    "name",
    "arn:aws:iam::123456789012:role/name",
    "arn:aws:codepipeline:us-east-1:123456789012:name",
    "0f0e0d0c-0b0a-4908-8706-050403020100",
    "1",
)
"""Strings of which one fits every pattern."""
Wrong = tuple[str, Any]
"""A request that is wrong in one place, with the place as AWS writes it."""


def sample(shape: Shape) -> Any:
    """A value that a shape takes."""
    if isinstance(shape, StructureShape):
        return {name: sample(member) for name, member in shape.members.items()}
    if isinstance(shape, ListShape):
        return [sample(shape.member) for _ in range(max(1, shape.metadata.get("min", 1)))]
    if isinstance(shape, MapShape):
        return {sample(shape.key): sample(shape.value)}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else sample_text(shape)
    if shape.type_name in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    return {"boolean": True, "timestamp": 1_700_000_000.0, "blob": b"x", "double": 1.0}[shape.type_name]


def sample_text(shape: StringShape) -> str:
    pattern = shape.metadata.get("pattern")
    least = shape.metadata.get("min", 0)
    for text in SAMPLES:
        fits = len(text) >= least and len(text) <= shape.metadata.get("max", len(text))
        if fits and (pattern is None or matches(pattern, text)):
            return text
    raise AssertionError(f"no sample fits {shape.name}: {shape.metadata}")


def matches(pattern: str, text: str) -> bool:
    """Patterns are Java's; of its classes only those of tags occur here."""
    for category, written in (("L", "a-zA-Z"), ("Z", " "), ("N", "0-9")):
        pattern = pattern.replace(f"\\p{{{category}}}", written)
    return re.fullmatch(pattern, text) is not None


class Key(str):
    """A step into a map."""

    __slots__ = ()


def path_of(steps: tuple[Any, ...], *, of_members: bool = True) -> str:
    """A place as AWS writes it: `tags.1.member.key`; of a value that cannot be read `tags.1.key`."""
    member = ".member" if of_members else ""
    written = []
    for step in steps:
        inside = isinstance(step, Key | int)
        name = str(step + 1) if isinstance(step, int) else str(step)
        written.append(f"{name}{member}" if inside else name[:1].lower() + name[1:])
    return ".".join(written)


def replaced(document: Any, steps: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    target = changed
    for step in steps[:-1]:
        target = target[step]
    target[steps[-1]] = value
    return changed


def removed(document: Any, steps: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(document)
    target = changed
    for step in steps[:-1]:
        target = target[step]
    del target[steps[-1]]
    return changed


def places(shape: Shape, value: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Shape]]:
    """Every value inside a request, with its shape."""
    if steps:
        yield steps, shape
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield from places(member, value[name], (*steps, name))
    elif isinstance(shape, ListShape):
        yield from places(shape.member, value[0], (*steps, 0))
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from places(shape.value, item, (*steps, Key(key)))


def breaking(shape: Shape) -> Iterator[Any]:
    """Values of the right type that a shape does not take."""
    least, most, pattern = (shape.metadata.get(key) for key in ("min", "max", "pattern"))
    if isinstance(shape, StringShape):
        if shape.enum:
            yield "NO-SUCH-VALUE"
        elif most is not None and most < 100_000:
            yield "x" * (most + 1)
        if pattern is not None and not matches(pattern, "\n"):
            yield "\n"
        if least:
            yield ""
    elif shape.type_name in ("integer", "long"):
        if least is not None:
            yield least - 1
        if most is not None:
            yield most + 1
    elif isinstance(shape, ListShape):
        if least:
            yield []
        if most is not None:
            yield [sample(shape.member)] * (most + 1)


def operations() -> list[tuple[str, str]]:
    return [(service, operation) for service in ROOMS for operation in sorted(PLAYED[service])]


@pytest.fixture(scope="module")
def rooms(start_cloud: StartCloud) -> Cloud:
    return start_cloud(ROOMS.values())


def refusal(cloud: Cloud, service: str, operation: str, request: Any) -> AwsError:
    with pytest.raises(AwsError) as refused:
        cloud.call(cloud.identity.root, service, operation, request)
    return refused.value


@pytest.mark.parametrize(("service", "operation"), operations())
def test_a_request_that_breaks_its_model_is_refused_where_it_does(rooms: Cloud, service: str, operation: str) -> None:
    model = MODELS[service].operation_model(operation)
    shape = model.input_shape
    assert shape is not None
    right = sample(shape)
    assert rooms.shapes.request_problem(service, operation, right) is None, "the sample is no right request"
    own = {error.name for error in model.error_shapes}
    codes = {ROOMS[service].validation_error} if service != "codecommit" else own

    unknown = refusal(rooms, service, operation, {**right, "colour": "red"})
    assert unknown.code == ROOMS[service].validation_error
    assert "Unknown member 'colour'" in unknown.message
    for steps, inner in places(shape, right):
        if isinstance(inner, StructureShape):
            unknown = refusal(rooms, service, operation, replaced(right, (*steps, "colour"), "red"))
            assert f"Unknown member 'colour' at '{path_of(steps)}'" in unknown.message

    for steps, inner in places(shape, right):
        misread = refusal(rooms, service, operation, replaced(right, steps, [7] if inner.type_name != "list" else "x"))
        assert misread.code == "SerializationException", (steps, misread)
        assert f"at '{path_of(steps, of_members=False)}'" in misread.message
        for value in breaking(inner):
            broken = refusal(rooms, service, operation, replaced(right, steps, value))
            assert broken.code in codes, (steps, broken)
            assert f"at '{path_of(steps)}' failed to satisfy constraint" in broken.message
    for steps, inner in [((), shape), *places(shape, right)]:
        for name in inner.required_members if isinstance(inner, StructureShape) else ():
            missing = refusal(rooms, service, operation, removed(right, (*steps, name)))
            assert missing.code in codes, ((*steps, name), missing)
            assert f"Value null at '{path_of((*steps, name))}' failed to satisfy" in missing.message
            assert "Member must not be null" in missing.message


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"nextToken": 7}])
@pytest.mark.parametrize(
    ("service", "operation"),
    [("codepipeline", "ListPipelines"), ("codebuild", "ListProjects"), ("codecommit", "ListRepositories")],
)
def test_an_answer_that_breaks_its_model_never_leaves(
    rooms: Cloud, service: str, operation: str, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    played = rooms.services[service].operations
    answer = functools.wraps(played[operation])(lambda *_: wrong)
    monkeypatch.setitem(played, operation, answer)
    broken = refusal(rooms, service, operation, {})
    assert (broken.code, broken.status) == ("InternalFailure", 500)
    assert f"{service}:{operation} would answer against its model" in broken.message


# ---- over HTTP


def post(cloud: Cloud, service: str, operation: str, body: str) -> tuple[int, dict[str, Any]]:
    """A request as an SDK with no idea of the service model would send it, signed by the root user."""
    root, prefix = cloud.identity.root, MODELS[service].metadata["targetPrefix"]
    given = {"X-Amz-Target": f"{prefix}.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    signed = AWSRequest("POST", f"{cloud.url}/", given, body)
    keys = BotocoreCredentials(root.access_key_id, root.secret_access_key)
    SigV4Auth(keys, MODELS[service].signing_name, cloud.region).add_auth(signed)
    answer = URLLib3Session().send(signed.prepare())
    return answer.status_code, json.loads(answer.content)


@pytest.mark.parametrize("service", sorted(ROOMS))
def test_every_operation_that_is_not_played_is_a_501_that_names_it(rooms: Cloud, service: str) -> None:
    others = set(MODELS[service].operation_names) - PLAYED[service]
    assert others
    for operation in sorted(others):
        status, answer = post(rooms, service, operation, "{}")
        assert (status, answer["__type"]) == (501, "NotImplemented")
        assert answer["message"].startswith(f"{service}:{operation} is not implemented")


@pytest.mark.parametrize(
    ("service", "operation", "body", "code"),
    [
        ("codepipeline", "GetPipeline", "{}", "ValidationException"),
        ("codepipeline", "GetPipeline", '{"name": 7}', "SerializationException"),
        ("codepipeline", "GetPipeline", "{", "SerializationException"),
        ("codepipeline", "GetPipeline", '{"name": "nobody"}', "PipelineNotFoundException"),
        ("codepipeline", "ListPipelines", '{"nextToken": "from:1"}', "InvalidNextTokenException"),
        ("codebuild", "StartBuild", "{}", "InvalidInputException"),
        ("codebuild", "StartBuild", '{"projectName": "nobody"}', "ResourceNotFoundException"),
        ("codebuild", "ListProjects", '{"nextToken": "from:1"}', "InvalidInputException"),
        ("codecommit", "GetRepository", "{}", "RepositoryNameRequiredException"),
        ("codecommit", "GetRepository", '{"repositoryName": "a b"}', "InvalidRepositoryNameException"),
        ("codecommit", "GetRepository", '{"repositoryName": "nobody"}', "RepositoryDoesNotExistException"),
        ("codecommit", "ListRepositories", '{"sortBy": "colour"}', "InvalidSortByException"),
        ("codecommit", "ListRepositories", '{"nextToken": "from:1"}', "InvalidContinuationTokenException"),
    ],
)
def test_a_refusal_carries_the_services_own_code(
    rooms: Cloud, service: str, operation: str, body: str, code: str
) -> None:
    status, answer = post(rooms, service, operation, body)
    assert (status, answer["__type"]) == (400, code)
    assert answer["message"]


def test_times_travel_as_seconds_since_the_epoch(rooms: Cloud) -> None:
    status, answer = post(rooms, "codecommit", "CreateRepository", '{"repositoryName": "timed"}')
    assert status == 200
    created = answer["repositoryMetadata"]["creationDate"]
    assert isinstance(created, float)
    assert created > 1_700_000_000
