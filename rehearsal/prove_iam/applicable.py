"""Whether an action can ever be asked on what a resource entry names.

A statement of several actions and several resources grants every pair of them; `codebuild:StartBuild` on a report group
is a pair that nobody can ask for. Which action knows which kind of resource, and how those are named, is in AWS's
Service Authorization Reference, as cfn-lint bundles it: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

PLACEHOLDER = re.compile(r"\$\{[^}]*\}|\.\*")


@cache
def service_authorization() -> dict[str, Any]:
    """Every service's actions and resources."""
    import cfnlint.data

    file = resources.files(cfnlint.data) / "AdditionalSpecs" / "Policies.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def applicable(action: str, resource: str) -> bool:
    """Whether the pair can be asked for. An action pattern, or an action that AWS does not list, can."""
    service, _, name = action.partition(":")
    known = service_authorization().get(service, {"Actions": {}, "Resources": {}})
    found = known["Actions"].get(name.lower())
    if resource == "*" or found is None:
        return True
    kinds = found.get("Resources", [])
    if any(kind not in known["Resources"] for kind in kinds):  # a kind whose names the table does not know
        return True
    shapes = [shape for kind in kinds for shape in known["Resources"][kind]["ARNFormats"]]
    return any(same_kind(PLACEHOLDER.sub("*", shape), resource) for shape in shapes)


def same_kind(one: str, other: str) -> bool:
    """Whether some ARN fits both patterns, part by part: a `*` between two colons ends at them."""
    parts = one.split(":", 5), other.split(":", 5)
    return len(parts[0]) == len(parts[1]) and all(map(overlap, *parts))


@cache
def overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns (`*` is any text, `?` any character)."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(one, other[1:]) or overlap(one[1:], other)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and overlap(one[1:], other[1:])
