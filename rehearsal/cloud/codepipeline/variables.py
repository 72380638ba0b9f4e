"""`#{namespace.variable}`: references to what earlier actions found out.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

REFERENCE = re.compile(r"#\{([^{}]*)\}")
WELL_FORMED = re.compile(r"(?P<namespace>[A-Za-z0-9@\-_]+)\.(?P<key>[A-Za-z0-9@\-_]+)")
PIPELINE_NAMESPACE = "codepipeline"
VARIABLES_NAMESPACE = "variables"
PIPELINE_KEYS = frozenset({"PipelineExecutionId"})


class Unresolvable(Exception):
    """A reference to a variable that does not exist (yet). `references` are their texts."""

    def __init__(self, references: list[str]) -> None:
        super().__init__(", ".join(references))
        self.references = references


def references(text: str) -> Iterator[tuple[str, str, str]]:
    """Every reference in `text` as (text, namespace, key); namespace and key are empty when it is malformed."""
    for found in REFERENCE.finditer(text):
        parts = WELL_FORMED.fullmatch(found[1])
        yield (found[1], parts["namespace"], parts["key"]) if parts else (found[1], "", "")


def resolve(text: str, namespaces: Mapping[str, Mapping[str, str]]) -> str:
    """`text` with every reference replaced. Raises Unresolvable naming those that nobody produced."""
    missing = [written for written, namespace, key in references(text) if key not in namespaces.get(namespace, {})]
    if missing:
        raise Unresolvable(missing)

    def value(found: re.Match[str]) -> str:
        namespace, _, key = found[1].partition(".")
        return namespaces[namespace][key]

    return REFERENCE.sub(value, text)


def resolve_all(configuration: Mapping[str, str], namespaces: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A configuration with every value resolved. Raises Unresolvable naming all references that fail."""
    resolved: dict[str, str] = {}
    missing: list[str] = []
    for key, text in configuration.items():
        try:
            resolved[key] = resolve(text, namespaces)
        except Unresolvable as problem:
            missing += problem.references
    if missing:
        raise Unresolvable(missing)
    return resolved
