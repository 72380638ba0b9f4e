"""Do the variable references of a declaration point at something that will exist when they are resolved?

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rehearsal.cloud.codepipeline.variables import (
    PIPELINE_KEYS,
    PIPELINE_NAMESPACE,
    VARIABLES_NAMESPACE,
    references,
)
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Document

VALID = "Valid format for a pipeline execution variable reference is a namespace and a key separated by a period (.). "
FORMAT = f"{VALID}The following pipeline execution variables are referencing "
MALFORMED = f"{VALID}The following pipeline execution variables are referenced in an invalid format."
BEFORE_ACTIONS, AFTER_ACTIONS = 0, 1000
"""Where conditions stand among run orders (1 to 999): BeforeEntry first, OnSuccess last."""


@dataclass(frozen=True)
class Place:
    """Where a reference stands: in which action (or rule), under which key, and when it is resolved."""

    stage: str
    action: str
    key: str
    text: str
    namespace: str
    variable: str
    order: tuple[int, int]
    source: bool

    def __str__(self) -> str:
        return (
            f"StageName=[{self.stage}], ActionName=[{self.action}], ActionConfigurationKey=[{self.key}], "
            f"VariableReferenceText=[{self.text}]"
        )


def check_references(declaration: Document) -> None:
    """Raise AwsError when a reference is malformed or nothing before it can have produced its namespace."""
    produced = _namespaces(declaration)
    variables = {variable["name"] for variable in declaration.get("variables", [])}
    for place in _places(declaration):
        if not place.namespace:
            raise _problem(MALFORMED, place)
        if place.namespace == PIPELINE_NAMESPACE:
            if place.variable not in PIPELINE_KEYS:
                raise _problem(f"{FORMAT}a variable that does not exist.", place)
        elif place.namespace == VARIABLES_NAMESPACE and variables:
            if place.source:
                raise AwsError(
                    "InvalidStructureException",
                    f"Variables at the pipeline level cannot be used in source actions.\n{place}",
                )
            if place.variable not in variables:
                raise _problem(f"{FORMAT}a pipeline variable that is not declared.", place)
        elif place.namespace not in produced:
            raise _problem(f"{FORMAT}a namespace that does not exist.", place)
        elif produced[place.namespace] >= place.order:
            raise _problem(f"{FORMAT}a namespace of an action that does not occur before them.", place)


def _problem(message: str, place: Place) -> AwsError:
    return AwsError("InvalidActionDeclarationException", f"{message}\n{place}")


def _namespaces(declaration: Document) -> dict[str, tuple[int, int]]:
    """When the variables of each namespace exist: after this run order of this stage."""
    found: dict[str, tuple[int, int]] = {}
    for number, stage in enumerate(declaration["stages"]):
        for action in stage["actions"]:
            namespace = action.get("namespace")
            if namespace is None:
                continue
            where = f"StageName=[{stage['name']}], ActionName=[{action['name']}], Namespace=[{namespace}]"
            if namespace in (PIPELINE_NAMESPACE, VARIABLES_NAMESPACE):
                raise AwsError("InvalidActionDeclarationException", f"The namespace is reserved.\n{where}")
            if namespace in found:
                raise AwsError(
                    "InvalidActionDeclarationException",
                    "Namespaces must be unique across the pipeline definition. The following occur more than once in "
                    f"the pipeline.\n{where}",
                )
            found[namespace] = (number, action["runOrder"])
    return found


def _places(declaration: Document) -> Iterator[Place]:
    for number, stage in enumerate(declaration["stages"]):
        for action in stage["actions"]:
            source = action["actionTypeId"]["category"] == "Source"
            order = (number, action["runOrder"])
            for key, value in action["configuration"].items():
                for text, namespace, variable in references(value):
                    yield Place(stage["name"], action["name"], key, text, namespace, variable, order, source)
        for when, moment in (("beforeEntry", BEFORE_ACTIONS), ("onSuccess", AFTER_ACTIONS)):
            for condition in stage.get(when, {}).get("conditions", []):
                for rule in condition.get("rules", []):
                    for key, value in rule.get("configuration", {}).items():
                        for text, namespace, variable in references(value):
                            order = (number, moment)
                            yield Place(stage["name"], rule["name"], key, text, namespace, variable, order, False)
