"""Every policy fits IAM's quotas in every partition, for the longest project name, with room for the next grant.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from checks.statements import documents
from checks.template_file import REGION, Template

MANAGED_POLICY, INLINE_POLICIES, TRUST_POLICY, MANAGED_POLICIES = 6144, 10240, 2048, 10
ROOM = 0.98
"""What of a quota may be used up."""
PARTITIONS = {"aws": REGION, "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}


def longest(document: Any) -> int:
    """The most characters that count of a policy in any partition: white space does not."""
    text = "".join(json.dumps(document, separators=(",", ":")).split())
    return max(
        len(text.replace("arn:aws:", f"arn:{partition}:").replace(REGION, region))
        for partition, region in PARTITIONS.items()
    )


def sizes(template: Template) -> Iterator[tuple[str, int, int]]:
    """What counts together, how long it is at its longest, and what IAM allows."""
    inline: dict[str, int] = {}
    for resource in template.resources:
        found = [(name, longest(template.resolve(document))) for name, document in documents(template, resource)]
        if resource.type == "AWS::IAM::ManagedPolicy":
            yield from ((f"managed policy {name}", characters, MANAGED_POLICY) for name, characters in found)
        elif resource.type == "AWS::IAM::Role":
            inline[template.name(resource)] = inline.get(template.name(resource), 0) + sum(each for _, each in found)
            trust = template.resolve(resource.properties["AssumeRolePolicyDocument"])
            yield f"trust of {resource.logical_id}", longest(trust), TRUST_POLICY
        elif resource.type == "AWS::IAM::Policy":
            for role in template.resolve(resource.properties["Roles"]):
                inline[role] = inline.get(role, 0) + sum(each for _, each in found)
    yield from ((f"policies of role {role}", characters, INLINE_POLICIES) for role, characters in inline.items())


@pytest.mark.parametrize("which", ["project", "account_setup"])
def test_every_policy_fits_with_room(which: str, request: pytest.FixtureRequest) -> None:
    found = list(sizes(request.getfixturevalue(which)))
    tight = [f"{what}: {characters} of {most}" for what, characters, most in found if characters > ROOM * most]
    assert tight == []
    assert len(found) > 3


def test_the_sizes_are_those_of_policies_that_say_something(account_setup: Template) -> None:
    found = {what: characters for what, characters, _ in sizes(account_setup)}
    assert found["managed policy MLOpsProjectBoundary"] > MANAGED_POLICY // 2


def test_a_longer_partition_and_region_count() -> None:
    assert longest(["arn:aws:s3:::b"]) == len('["arn:aws-us-gov:s3:::b"]')
    assert longest([REGION]) == len(f'["{REGION}"]')
    assert longest({"a b": 1}) == len('{"ab":1}')
