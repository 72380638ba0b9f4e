"""A grant is an action entry on a resource entry of an Allow statement; a document without it has all the others."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.policy_documents import Place, UnknownFormError, only, places, without

ALLOW = {"Sid": "Files", "Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject"], "Resource": ["a/*", "b/*"]}
DENY = {"Sid": "Never", "Effect": "Deny", "NotAction": "s3:*", "NotResource": "a/*"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def entries(of: dict[str, Any]) -> list[tuple[str, str]]:
    return [(place.action, place.resource) for place in places(of)]


def test_every_action_on_every_resource_is_a_grant() -> None:
    assert entries(document(ALLOW)) == [
        ("s3:Get*", "a/*"), ("s3:Get*", "b/*"), ("s3:PutObject", "a/*"), ("s3:PutObject", "b/*"),
    ]  # fmt: skip


def test_a_wildcard_is_one_grant_and_what_is_no_list_counts_the_same() -> None:
    assert entries({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}) == [("s3:*", "*")]


def test_a_denial_grants_nothing() -> None:
    assert entries(document(DENY)) == []


@pytest.mark.parametrize(
    "statement",
    [
        {"Sid": "Most", "Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        {"Sid": "Most", "Effect": "Allow", "Action": "s3:*", "NotResource": "a/*"},
        {"Sid": "Most", "Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": "1"}},
    ],
)
def test_allowing_all_but_something_cannot_be_counted_and_is_refused(statement: dict[str, Any]) -> None:
    with pytest.raises(UnknownFormError, match="Most allows without naming"):
        list(places(document(statement)))


@pytest.mark.parametrize("place", list(places(document(ALLOW))), ids=lambda place: f"{place.action} {place.resource}")
def test_without_one_grant_all_others_are_left(place: Place) -> None:
    left = without(document(DENY, ALLOW, DENY), Place(1, place.action, place.resource))
    assert set(entries(left)) == set(entries(document(ALLOW))) - {(place.action, place.resource)}
    assert [each for each in left["Statement"] if each["Effect"] == "Deny"] == [DENY, DENY]
    sids = [each["Sid"] for each in left["Statement"] if each["Effect"] == "Allow"]
    assert len(set(sids)) == len(sids), "a Sid may stand once in a document"


def test_the_conditions_stay_on_what_is_left() -> None:
    condition = {"StringEquals": {"aws:ResourceTag/team": "claims"}}
    left = without(document({**ALLOW, "Condition": condition}), Place(0, "s3:PutObject", "a/*"))
    assert [each["Condition"] for each in left["Statement"]] == [condition, condition]


def test_without_its_last_grant_a_statement_is_gone() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "a/*"}
    assert without(document(statement), Place(0, "s3:GetObject", "a/*"))["Statement"] == []


def test_the_grants_of_a_trust_policy_stand_on_its_principals() -> None:
    services = {"Service": ["codebuild.amazonaws.com", "lambda.amazonaws.com"], "AWS": "arn:aws:iam::1:root"}
    trust = document({"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"})
    assert [place.resource for place in places(trust)] == [*services["Service"], services["AWS"]]
    left = without(trust, Place(0, "sts:AssumeRole", "lambda.amazonaws.com"))
    assert [place.resource for place in places(left)] == ["codebuild.amazonaws.com", "arn:aws:iam::1:root"]


def test_a_grant_alone_keeps_its_conditions() -> None:
    condition = {"Null": {"aws:TagKeys": "true"}}
    alone = only(document(DENY, {**ALLOW, "Condition": condition}), Place(1, "s3:Get*", "b/*"))
    assert entries(alone) == [("s3:Get*", "b/*")]
    assert alone["Statement"][0]["Condition"] == condition
