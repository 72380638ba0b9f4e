"""The List operations of the SageMaker API: filters, order and pages, the same way for every kind of thing.

A page is cut first and filtered by `keep` afterwards, as the API does it for some filters: a page may be empty and
still name a next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from rehearsal.cloud.pages import cut
from rehearsal.cloud.service import Document

PAGE = 10
"""How many summaries a page has when the request does not say."""


class Listed(Protocol):
    """What a thing must have to be listed."""

    @property
    def name(self) -> str: ...
    @property
    def created(self) -> datetime: ...
    @property
    def modified(self) -> datetime: ...


Thing = TypeVar("Thing", bound=Listed)


def listing(
    things: Iterable[Thing],
    request: Document,
    *,
    order: str = "Descending",
    keep: Callable[[Thing], bool] = lambda _: True,
) -> tuple[list[Thing], str | None]:
    """One page of `things` and the token of the next. Raises AwsError for a token nobody gave out."""
    found = [thing for thing in things if _matches(thing, request)]
    keys: dict[str, Callable[[Thing], Any]] = {
        "Name": lambda thing: thing.name,
        "LastModifiedTime": lambda thing: thing.modified,
        "Status": lambda thing: getattr(thing, "status", ""),
    }
    found.sort(key=keys.get(request.get("SortBy", ""), lambda thing: thing.created))
    if request.get("SortOrder", order) == "Descending":
        found.reverse()
    cut_out, token = cut(found, request.get("NextToken"), int(request.get("MaxResults", PAGE)))
    return [thing for thing in cut_out if keep(thing)], token


def page(member: str, summaries: list[Document], token: str | None) -> Document:
    """The answer of a List operation."""
    return {member: summaries, **({"NextToken": token} if token else {})}


def _matches(thing: Listed, request: Document) -> bool:
    if request.get("NameContains", "").lower() not in thing.name.lower():
        return False
    if "StatusEquals" in request and getattr(thing, "status", None) != request["StatusEquals"]:
        return False
    for moment, member in ((thing.created, "CreationTime"), (thing.modified, "LastModifiedTime")):
        if f"{member}After" in request and moment <= _moment(request[f"{member}After"]):
            return False
        if f"{member}Before" in request and moment >= _moment(request[f"{member}Before"]):
            return False
    return True


def _moment(value: Any) -> datetime:  # noqa: ANN401 - the wire's epoch seconds or a caller's datetime
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(value), UTC)
