"""Lists in pages: a token names where the next page begins, and a token that nobody gave out is refused.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListModels.html (NextToken, MaxResults)
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials, Document

Item = TypeVar("Item")
Handler = Callable[[Any, Document, Credentials], Document]
TOKEN = re.compile(r"from ([1-9]\d*)")


def cut(
    items: Sequence[Item], token: str | None, size: int, error: str = "ValidationException"
) -> tuple[list[Item], str | None]:
    """One page of `items` and the token of the next. Raises AwsError for a token nobody gave out."""
    start = _offset(token, error)
    end = start + size
    return list(items[start:end]), _token(end) if end < len(items) else None


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


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"from {offset}".encode()).decode()


def _offset(token: str | None, error: str) -> int:
    if not token:
        return 0
    try:
        found = TOKEN.fullmatch(base64.urlsafe_b64decode(token).decode())
    except (ValueError, binascii.Error):
        found = None
    if found is None or _token(int(found[1])) != token:
        raise AwsError(error, "Invalid pagination token.")
    return int(found[1])
