"""The parts of a step beside its arguments, checked when a pipeline is created: caching, retries, property files.

A misspelt member would otherwise be ignored in silence until the day it is needed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.step_cache import duration

CACHE_MEMBERS = {"Enabled", "ExpireAfter"}
"""https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-caching-enabling.html"""
RETRY_MEMBERS = {
    "ExceptionType": (list,),
    "IntervalSeconds": (int,),
    "BackoffRate": (int, float),
    "MaxAttempts": (int,),
    "ExpireAfterMin": (int,),
}
"""https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html"""
RETRY_BOUNDS = {"IntervalSeconds": 43_200, "MaxAttempts": 20, "ExpireAfterMin": 14_400}
EXCEPTION_TYPES = {
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
}
OUTPUT_TYPES = ("String", "Integer", "Float", "Boolean")
"""https://sagemaker.readthedocs.io/en/v2/workflows/pipelines/sagemaker.workflow.pipelines.html#lambda-step"""
PROPERTY_FILE_MEMBERS = ("PropertyFileName", "OutputName", "FilePath")
"""https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-propertyfile.html"""


class InvalidDefinition(AwsError):
    """AWS begins every complaint about a definition with the same words."""

    def __init__(self, problem: str) -> None:
        super().__init__("ValidationException", f"Unable to parse pipeline definition. {problem}")


def members(what: str, item: Any, allowed: Collection[str]) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The item itself, when it is an object with no other members. Raises InvalidDefinition naming those."""
    if not isinstance(item, dict):
        raise InvalidDefinition(f"Expecting start of Json Object for {what}.")
    unknown = sorted(set(item) - set(allowed))
    if unknown:
        raise InvalidDefinition(f"{what[0].upper()}{what[1:]} has unknown properties: [{', '.join(unknown)}].")
    return item


def listed(what: str, value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """A list that may be left out. Raises InvalidDefinition for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidDefinition(f"Expecting start of Json Array for {what}.")
    return value


def cache_config(step: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """CacheConfig; its duration must be one already when the pipeline is created."""
    if value is None:
        return {}
    cache = members(f"CacheConfig of step [{step}]", value, CACHE_MEMBERS)
    if not isinstance(cache.get("Enabled", False), bool):
        raise InvalidDefinition(f"Enabled in CacheConfig of step [{step}] must be true or false.")
    if cache.get("Enabled") and not cache.get("ExpireAfter"):
        raise InvalidDefinition(f"CacheConfig of step [{step}] needs ExpireAfter.")
    if "ExpireAfter" in cache:
        try:
            duration(str(cache["ExpireAfter"]))
        except AwsError as problem:
            raise InvalidDefinition(f"CacheConfig of step [{step}]: {problem.message}") from problem
    return cache


def retry_policies(step: str, value: Any) -> tuple[dict[str, Any], ...]:  # noqa: ANN401 - JSON
    """RetryPolicies, each with at least one known exception type."""
    what = f"RetryPolicies of step [{step}]"
    policies = tuple(members(f"one of the {what}", item, RETRY_MEMBERS) for item in listed(what, value))
    for policy in policies:
        for name, kinds in RETRY_MEMBERS.items():
            if name in policy and (not isinstance(policy[name], kinds) or isinstance(policy[name], bool)):
                raise InvalidDefinition(f"{what}: '{policy[name]}' is not a value of {name}.")
        for name, most in RETRY_BOUNDS.items():
            if not 0 <= policy.get(name, 0) <= most:
                raise InvalidDefinition(f"{what}: {name} must be between 0 and {most}, not {policy[name]}.")
        if policy.get("BackoffRate", 0) < 0:
            raise InvalidDefinition(f"{what}: BackoffRate must not be negative.")
        if "MaxAttempts" in policy and "ExpireAfterMin" in policy:
            raise InvalidDefinition(f"{what}: only one of MaxAttempts and ExpireAfterMin can be given.")
        types = policy.get("ExceptionType") or []
        unknown = sorted(str(each) for each in types if each not in EXCEPTION_TYPES)
        if unknown or not types:
            raise InvalidDefinition(f"{what}: unknown ExceptionType {unknown}.")
    return policies


def property_files(step: str, value: Any) -> dict[str, dict[str, str]]:  # noqa: ANN401 - JSON
    """PropertyFiles by their names."""
    what = f"PropertyFiles of step [{step}]"
    found: dict[str, dict[str, str]] = {}
    for item in listed(what, value):
        file = members(f"one of the {what}", item, PROPERTY_FILE_MEMBERS)
        for name in PROPERTY_FILE_MEMBERS:
            if not isinstance(file.get(name), str) or not file[name]:
                raise InvalidDefinition(f"{what}: {name} is missing.")
        if file["PropertyFileName"] in found:
            raise InvalidDefinition(f"{what}: [{file['PropertyFileName']}] is used more than once.")
        found[file["PropertyFileName"]] = file
    return found


def output_parameters(step: str, value: Any) -> tuple[dict[str, str], ...]:  # noqa: ANN401 - JSON
    """OutputParameters of a Lambda step: a name and a type each."""
    what = f"OutputParameters of step [{step}]"
    found = tuple(members(f"one of the {what}", item, ("OutputName", "OutputType")) for item in listed(what, value))
    for output in found:
        if not isinstance(output.get("OutputName"), str) or not output["OutputName"]:
            raise InvalidDefinition(f"{what}: OutputName is missing.")
        if output.get("OutputType") not in OUTPUT_TYPES:
            raise InvalidDefinition(f"{what}: '{output.get('OutputType')}' is not one of {', '.join(OUTPUT_TYPES)}.")
    return found


def depends_on(step: str, value: Any) -> frozenset[str]:  # noqa: ANN401 - JSON
    """DependsOn: names of steps."""
    names = listed(f"DependsOn of step [{step}]", value)
    for name in names:
        if not isinstance(name, str):
            raise InvalidDefinition(f"DependsOn of step [{step}] must name steps: '{name}' is not a name.")
    return frozenset(names)
