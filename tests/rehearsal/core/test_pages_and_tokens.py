"""Lists come in pages whose tokens lead on, and a request with a token of its own acts once."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.pages import Tokens, asking, cut, paged
from rehearsal.cloud.service import Credentials, Document

CALLER = Credentials("key", "secret")


class Room:
    """Keeps what it made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    @once("Token", "ConflictException")
    def make(self, request: Document, _: Credentials) -> Document:
        if request["Name"] == "wrong":
            raise AwsError("ValidationException", "no such name")
        self.made.append(request["Name"])
        return {"Id": len(self.made)}

    @paged("Things", 2, most=3, error="InvalidNextTokenException")
    def things(self, _request: Document, _: Credentials) -> Document:
        return {"Things": self.made, "Kind": "thing"}


def room(*made: str) -> Any:
    found = Room()
    found.made = list(made)
    return found


def test_pages_follow_each_other_to_the_end() -> None:
    pages, token = [], None
    while True:
        page, token = cut(list("abcde"), token, 2)
        pages.append("".join(page))
        if token is None:
            break

    assert pages == ["ab", "cd", "e"]


def test_a_list_that_ends_with_its_page_has_no_next() -> None:
    assert cut(["a", "b"], None, 2) == (["a", "b"], None)


@pytest.mark.parametrize("token", ["nonsense", "2", "ZnJvbSAx", "ZnJvbSA5OTk5OQ==", "ä"])
def test_a_token_nobody_gave_out_is_refused(token: str) -> None:
    with pytest.raises(AwsError, match=r"InvalidNextTokenException: Invalid pagination token\."):
        cut(list("abc"), token, 2, "InvalidNextTokenException")


def turned(tokens: Tokens, operation: str, request: Document, items: str) -> tuple[str, str | None]:
    """One page of two, as `operation` would answer it."""
    with asking(tokens, operation, request):
        page, token = cut(list(items), request.get("NextToken"), int(request.get("MaxResults", 2)))
    return "".join(page), token


@pytest.mark.parametrize(
    ("operation", "request_"),
    [("a:ListOthers", {"NameContains": "x"}), ("a:ListThings", {"NameContains": "y"}), ("a:ListThings", {})],
)
def test_a_token_of_another_list_or_of_other_filters_is_refused(operation: str, request_: Document) -> None:
    tokens = Tokens()
    _, token = turned(tokens, "a:ListThings", {"NameContains": "x"}, "abc")

    with pytest.raises(AwsError, match="ValidationException: Invalid pagination token"):
        turned(tokens, operation, {**request_, "NextToken": token}, "abc")
    more = {"NameContains": "x", "NextToken": token, "MaxResults": 5}
    assert turned(tokens, "a:ListThings", more, "abc") == ("c", None)


def test_a_token_of_another_cloud_is_refused() -> None:
    _, token = turned(Tokens(), "a:ListThings", {}, "abc")

    with pytest.raises(AwsError, match="Invalid pagination token"):
        turned(Tokens(), "a:ListThings", {"NextToken": token}, "abc")


@pytest.mark.parametrize(
    ("then", "second"), [("zabcd", "cd"), ("abcxd", "cd"), ("cd", "cd"), ("bd", "d"), ("ab", ""), ("dcba", "cd")]
)
def test_what_comes_or_goes_between_two_pages_neither_repeats_nor_hides_anything(then: str, second: str) -> None:
    tokens = Tokens()
    first, token = turned(tokens, "a:ListThings", {}, "abcd")

    assert first == "ab"
    assert turned(tokens, "a:ListThings", {"NextToken": token}, then) == (second, None)


def test_summaries_are_the_same_when_their_states_change_and_alike_ones_are_told_apart() -> None:
    first, token = cut([{"Name": "a", "State": 1}, {"Name": "b", "State": 1}, {"Name": "b", "State": 1}], None, 1)

    assert first == [{"Name": "a", "State": 1}]
    later = [{"Name": "new"}, {"Name": "a"}, {"Name": "b", "State": 2}, {"Name": "b", "State": 3}]
    assert cut(later, token, 5) == ([{"Name": "b", "State": 2}, {"Name": "b", "State": 3}], None)


def test_the_oldest_tokens_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.cloud.pages.MOST_TOKENS", 1)
    tokens = Tokens()
    oldest, newest = (turned(tokens, "a:ListThings", {}, "abc")[1] for _ in range(2))

    assert turned(tokens, "a:ListThings", {"NextToken": newest}, "abc") == ("c", None)
    with pytest.raises(AwsError, match="Invalid pagination token"):
        turned(tokens, "a:ListThings", {"NextToken": oldest}, "abc")


def test_a_handler_answers_pages_of_its_list() -> None:
    first = room("a", "b", "c").things({}, CALLER)

    assert (first["Things"], first["Kind"]) == (["a", "b"], "thing")
    assert room("a", "b", "c").things({"NextToken": first["NextToken"]}, CALLER) == {"Things": ["c"], "Kind": "thing"}
    assert room("a", "b", "c").things({"MaxResults": 3}, CALLER) == {"Things": ["a", "b", "c"], "Kind": "thing"}


def test_a_page_larger_than_the_api_has_is_refused() -> None:
    with pytest.raises(AwsError, match="MaxResults must be between 1 and 3, not 4"):
        room().things({"MaxResults": 4}, CALLER)


def test_the_same_token_acts_once_and_another_or_none_again() -> None:
    made = room()

    assert made.make({"Name": "a", "Token": "t"}, CALLER) == made.make({"Name": "a", "Token": "t"}, CALLER)
    made.make({"Name": "a", "Token": "u"}, CALLER)
    made.make({"Name": "a"}, CALLER)
    made.make({"Name": "a"}, CALLER)
    assert made.made == ["a"] * 4


def test_a_token_is_not_used_for_another_request() -> None:
    made = room()
    made.make({"Name": "a", "Token": "t"}, CALLER)

    with pytest.raises(AwsError, match="ConflictException: Token 't' was used for a request with other parameters"):
        made.make({"Name": "b", "Token": "t"}, CALLER)


def test_a_request_that_failed_can_be_sent_again() -> None:
    made = room()
    with pytest.raises(AwsError):
        made.make({"Name": "wrong", "Token": "t"}, CALLER)

    assert made.make({"Name": "a", "Token": "t"}, CALLER) == {"Id": 1}


def test_each_room_has_its_own_tokens() -> None:
    one, other = room(), room()
    one.make({"Name": "a", "Token": "t"}, CALLER)

    assert other.make({"Name": "b", "Token": "t"}, CALLER) == {"Id": 1}
