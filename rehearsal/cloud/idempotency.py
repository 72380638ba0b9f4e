"""Requests that carry a token of their own: the second one with a token does nothing and is answered as the first.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html says it at length, each API in a line.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials, Document

Handler = Callable[[Any, Document, Credentials], Document]
_adding = threading.Lock()


class _Answered:
    """What one token was used for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.request: Document | None = None
        self.answer: Document = {}


def once(token: str, error: str = "ValidationException") -> Callable[[Handler], Handler]:
    """Mark a handler that acts once per value of the request's member `token`.

    The same token with another request is an error; so is it at AWS, which uses an error code of its own in each API.
    A request that failed can be sent again.
    """

    def mark(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def act(room: Any, request: Document, caller: Credentials) -> Document:  # noqa: ANN401 - a room
            if token not in request:
                return handler(room, request, caller)
            with _adding:
                answers: dict[tuple[str, str], _Answered] = room.__dict__.setdefault("_answers_by_token", {})
                answered = answers.setdefault((handler.__name__, request[token]), _Answered())
            with answered.lock:
                if answered.request is None:
                    answered.answer = handler(room, request, caller)
                    answered.request = dict(request)
                elif answered.request != request:
                    raise AwsError(error, f"{token} '{request[token]}' was used for a request with other parameters.")
                return answered.answer

        return act

    return mark
