"""Every composed name fits its service, for the longest project name and id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from checks.rules.names import LIMITS
from checks.template_file import LONGEST_ID, LONGEST_NAME, Template, line_of, walk

# What the seed code creates under names it is given.
VARIABLE_LIMITS = {
    "SAGEMAKER_PIPELINE_NAME": 256,  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePipeline.html
    "MODEL_PACKAGE_GROUP_NAME": 63,
    "STAGING_ENDPOINT_NAME": 63,  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html
    "PRODUCTION_ENDPOINT_NAME": 63,
}
LONGEST_STACK_NAME = 128  # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
LONGEST_BUCKET_NAME = 63


def sums(template: Template) -> Iterator[tuple[int, list[int], int]]:
    """Line, addends and total of every sum in a comment: `# 63+11=74`."""
    for number, text in enumerate(template.lines, start=1):
        if found := re.search(r"#\s+(\d+(?:\+\d+)+)=(\d+)\b", text):
            yield number, [int(addend) for addend in found[1].split("+")], int(found[2])


def _subs_by_line(template: Template) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for node in template.calls_of("Fn::Sub"):
        found.setdefault(line_of(node), []).append(node)
    return found


def test_the_longest_name_and_id_are_the_ones_the_parameters_allow(project: Template) -> None:
    parameters = project.document["Parameters"]
    assert len(LONGEST_NAME) == parameters["SageMakerProjectName"]["MaxLength"] == 32
    assert len(LONGEST_ID) == parameters["SageMakerProjectId"]["MaxLength"] == 20


def test_names_handed_to_the_seed_code_fit(project: Template) -> None:
    for build in project.of_type("AWS::CodeBuild::Project"):
        for variable in project.resolve(build.properties["Environment"]["EnvironmentVariables"]):
            longest = VARIABLE_LIMITS.get(variable["Name"])
            if longest is not None:
                value = variable["Value"]
                assert len(value) <= longest, f"{project.at(build.line)}: {variable['Name']}: {value}"


def test_stack_and_seed_bucket_names_fit(project: Template) -> None:
    for node in walk(project.document["Resources"]):
        if isinstance(node, dict) and "StackName" in node:
            assert len(project.resolve(node["StackName"])) <= LONGEST_STACK_NAME, project.at(line_of(node))
        if isinstance(node, dict) and "S3Bucket" in node:
            assert len(project.resolve(node["S3Bucket"])) <= LONGEST_BUCKET_NAME, project.at(line_of(node))
    for repository in project.of_type("AWS::CodeCommit::Repository"):
        bucket = project.resolve(repository.properties["Code"]["S3"]["Bucket"])
        assert len(bucket) <= LONGEST_BUCKET_NAME, project.at(repository.line)


def test_every_sum_beside_a_name_is_right(project: Template) -> None:
    names = _subs_by_line(project)
    checked = 0
    for line, addends, total in sums(project):
        place = f"{project.at(line)}: {project.lines[line - 1].strip()}"
        assert sum(addends) == total, place
        if line in names:  # the head of the file explains P with a sum and no name
            assert [len(project.resolve(node)) for node in names[line]] == [total], place
            checked += 1
    assert checked > 20


def test_every_composed_name_has_its_sum_beside_it(project: Template) -> None:
    with_sum = {line for line, *_ in sums(project)}
    for resource in project.resources:
        for name, value in resource.properties.items():
            if (resource.type, str(name)) in LIMITS and not isinstance(value, str):
                assert line_of(value) in with_sum, f"{project.at(line_of(value))}: {name} of {resource.logical_id}"


def test_a_wrong_sum_is_noticed(project: Template) -> None:
    line, addends, total = next(iter(sums(project)))
    project_lines = list(project.lines)
    try:
        project.lines[line - 1] = project.lines[line - 1].replace(f"={total}", f"={total + 1}")
        with pytest.raises(AssertionError):
            test_every_sum_beside_a_name_is_right(project)
    finally:
        project.lines[:] = project_lines
    assert sum(addends) == total
