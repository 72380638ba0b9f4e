"""Listings page by page. A token says where the next page begins; whoever makes one up is told so."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import TypeVar

from rehearsal.cloud.errors import AwsError

Item = TypeVar("Item")
PLACE = re.compile(r"from:([1-9]\d*)")


def page(items: Sequence[Item], token: str | None, size: int, invalid: AwsError) -> tuple[list[Item], str | None]:
    """`size` items from where `token` says (None: the first), and the token of the next page, if there is one.

    Raises `invalid`, the service's own error, for a token that no listing gave out.
    """
    start = 0 if token is None else _place(token, invalid)
    end = start + size
    if end >= len(items):
        return list(items[start:]), None
    return list(items[start:end]), base64.urlsafe_b64encode(f"from:{end}".encode()).decode()


def _place(token: str, invalid: AwsError) -> int:
    try:
        found = PLACE.fullmatch(base64.urlsafe_b64decode(token.encode()).decode())
    except (ValueError, binascii.Error):
        raise invalid from None
    if found is None:
        raise invalid
    return int(found[1])
