"""Lists in pages: a token leads on in the listing that gave it out, and any other token is refused.

A token belongs to its operation and to the filters and order that were asked for; only the size of a page may change.
It remembers what was still to come, so that nothing is shown twice or left out when things are made or deleted between
two pages: what is new is not in this listing any more, what is gone is not shown.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListModels.html (NextToken, MaxResults)
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListPipelineExecutions.html (InvalidNextTokenException:
"The next token was specified in an invalid format. Make sure that the next token you provide is the token returned by
a previous call.")
"""

from __future__ import annotations

import functools
import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials, Document

Item = TypeVar("Item")
Handler = Callable[[Any, Document, Credentials], Document]
TURNS = frozenset({"nexttoken", "pagetoken", "marker", "maxresults", "pagesize", "maxitems"})
"""Members of a request that say which page is wanted, in lower case. All others say of what."""
IDENTITIES = (
    *("actionExecutionId", "ruleExecutionId", "pipelineExecutionId", "PipelineExecutionArn", "PipelineArn", "DomainId"),
    *("ScalableTargetARN", "PolicyARN", "ActivityId", "ConstraintId", "ProductARN", "PrincipalARN", "Id"),
    *("OutputKey", "StepName", "Name", "name", "Key", "key"),
)
"""What tells one summary of a list from the next; the first of them that a summary has."""
MOST_TOKENS = 10_000
"""So many are remembered; the oldest go first, as AWS's expire."""


@dataclass(frozen=True)
class _Place:
    """What a token stands for: which listing it leads on in, and what is still to come there."""

    listing: str
    rest: tuple[Hashable, ...]


class Tokens:
    """The tokens that one cloud has given out. They cannot be guessed, and say nothing."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()

    def give(self, listing: str, rest: Sequence[Hashable]) -> str:
        """A token for the rest of a listing."""
        token = secrets.token_hex(24)
        with self._lock:
            self._places[token] = _Place(listing, tuple(rest))
            while len(self._places) > MOST_TOKENS:
                del self._places[next(iter(self._places))]
        return token

    def rest(self, token: str, listing: str) -> tuple[Hashable, ...] | None:
        """What is still to come; None for a token that this listing did not give out."""
        with self._lock:
            place = self._places.get(token)
        return place.rest if place is not None and place.listing == listing else None


_asked: ContextVar[tuple[Tokens, str, Mapping[str, Any]]] = ContextVar("asked", default=(Tokens(), "", {}))


@contextmanager
def asking(tokens: Tokens, operation: str, request: Mapping[str, Any]) -> Iterator[None]:
    """While `operation` is answered: the tokens given out belong to it and to everything it was asked for."""
    before = _asked.set((tokens, operation, request))
    try:
        yield
    finally:
        _asked.reset(before)


def cut(
    items: Sequence[Item], token: str | None, size: int, error: str = "ValidationException"
) -> tuple[list[Item], str | None]:
    """One page of `items` and the token of the next. Raises AwsError for a token that this listing did not give out."""
    tokens, operation, request = _asked.get()
    of_what = {name: value for name, value in request.items() if name.lower() not in TURNS}
    listing = f"{operation} {json.dumps(of_what, sort_keys=True, default=str)}"
    found = _by_identity(items)
    left = tokens.rest(token, listing) if token else tuple(found)
    if left is None:
        raise AwsError(error, "Invalid pagination token.")
    rest = [each for each in left if each in found]
    page = [found[each] for each in rest[:size]]
    return page, tokens.give(listing, rest[size:]) if len(rest) > size else None


def paged(
    member: str,
    size: int,
    *,
    asked: str = "NextToken",
    answered: str = "NextToken",
    limit: str = "MaxResults",
    most: int | None = None,
    error: str = "ValidationException",
) -> Callable[[Handler], Handler]:
    """Mark a handler whose answer holds a whole list as `member`: it answers pages of it instead.

    `asked` and `limit` are the request's members for token and size, `answered` the answer's. Without a size, or with
    0, a page has `size` items. `most` bounds a size that the service model leaves open.
    """

    def mark(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def page(room: Any, request: Document, caller: Credentials) -> Document:  # noqa: ANN401 - a room
            wanted = int(request.get(limit) or size)
            if most is not None and not 1 <= wanted <= most:
                raise AwsError("ValidationException", f"{limit} must be between 1 and {most}, not {wanted}.")
            answer = handler(room, request, caller)
            items, token = cut(answer[member], request.get(asked), wanted, error)
            return {**answer, member: items, **({answered: token} if token else {})}

        return page

    return mark


def _by_identity(items: Sequence[Item]) -> dict[Hashable, Item]:
    """The items by what tells them apart; those that nothing tells apart by their order."""
    seen: Counter[Hashable] = Counter()
    found: dict[Hashable, Item] = {}
    for item in items:
        identity = _identity(item)
        found[identity, seen[identity]] = item
        seen[identity] += 1
    return found


def _identity(item: Any) -> Hashable:  # noqa: ANN401 - a summary, a name or a record
    if isinstance(item, Mapping):
        member = next((each for each in IDENTITIES if each in item), None)
        return (member, str(item[member])) if member else json.dumps(item, sort_keys=True, default=str)
    for attribute in ("arn", "name"):
        if isinstance(getattr(item, attribute, None), str):
            return attribute, str(getattr(item, attribute))
    return str(item)
