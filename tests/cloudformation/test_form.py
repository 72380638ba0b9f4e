"""What a person sees: the launch form, its refusals, and the outputs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from checks.statements import Statement, statements
from checks.template_file import Template, line_of


@pytest.fixture
def template(request: pytest.FixtureRequest) -> Template:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


BOTH_TEMPLATES = pytest.mark.parametrize("template", ["project", "account_setup"], indirect=True)


def parameters(template: Template) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = template.document["Parameters"]
    return found


@BOTH_TEMPLATES
def test_every_parameter_has_description_group_label_and_allowed_values(template: Template) -> None:
    interface = template.document["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(parameters(template)) == sorted(interface["ParameterLabels"])
    for name, parameter in parameters(template).items():
        place = f"{template.at(line_of(parameter))}: {name}"
        assert parameter["Description"], place
        assert "AllowedPattern" in parameter or "AllowedValues" in parameter, place
        assert ("ConstraintDescription" in parameter) is ("AllowedPattern" in parameter), place


def test_whatever_sagemaker_does_not_fill_in_has_a_default_that_works(project: Template) -> None:
    filled_in = {"SageMakerProjectName", "SageMakerProjectId"}
    with_default = {name: each["Default"] for name, each in parameters(project).items() if "Default" in each}
    assert set(with_default) == set(parameters(project)) - filled_in
    for name, default in with_default.items():
        parameter = parameters(project)[name]
        allowed = parameter.get("AllowedValues")
        assert default in allowed if allowed else re.fullmatch(parameter["AllowedPattern"], default), name
    rules = project.document["Metadata"]["SagemakerTemplateParameterRules"]
    assert {name: each["Optional"] for name, each in rules.items()} == dict.fromkeys(with_default, True)


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        (
            "SageMakerProjectName",
            ["f", "fraud", "fraud-2", "a--b"],
            ["Fraud", "2fraud", "fraud-", "-fraud", "fr_aud", ""],
        ),
        ("SageMakerProjectId", ["p-abc123def456"], ["P-ABC", "p_abc", "-p", ""]),
        ("NotificationEmail", ["", "a.b+c@example.co.uk"], ["someone", "a@b", "a b@example.com", "a@b.c, d@e.f"]),
        (
            "InputDataUrl",
            ["synthetic", "s3://my-bucket/claims.csv", "s3://my.bucket/a/b/claims_2026-01.csv"],
            [
                "",
                "s3://my-bucket",
                "s3://my-bucket/",
                "s3://my-bucket/*.csv",
                "https://x/y.csv",
                "s3://my-bucket/a b.csv",
            ],
        ),
    ],
)
def test_the_form_takes_and_refuses(project: Template, name: str, accepted: list[str], refused: list[str]) -> None:
    pattern = parameters(project)[name]["AllowedPattern"]
    assert [value for value in accepted if not re.fullmatch(pattern, value)] == []
    assert [value for value in refused if re.fullmatch(pattern, value)] == []


def test_the_refusal_of_an_upper_case_name_says_why(project: Template) -> None:
    assert "lower-cases the ARNs" in parameters(project)["SageMakerProjectName"]["ConstraintDescription"]


def test_whoever_does_not_choose_keeps_their_work(project: Template) -> None:
    choice = parameters(project)["WhenProjectIsDeleted"]
    assert choice["Default"] == "keep-code-models-data"
    assert choice["AllowedValues"] == ["keep-code-models-data", "delete-everything"]
    for value in choice["AllowedValues"]:
        assert value in choice["Description"]


def test_the_project_id_is_not_echoed(project: Template) -> None:
    assert parameters(project)["SageMakerProjectId"]["NoEcho"] is True


@BOTH_TEMPLATES
def test_every_output_is_described(template: Template) -> None:
    for name, output in template.document["Outputs"].items():
        assert output["Description"], f"{template.at(line_of(output))}: {name}"


def test_the_outputs_a_person_needs_are_there(project: Template) -> None:
    values = {name: project.resolve(each["Value"]) for name, each in project.document["Outputs"].items()}
    group = project.name(project.resource("ModelPackageGroup"))
    assert values["ModelPackageGroupName"] == values["SageMakerPipelineName"] == group
    assert values["ArtifactBucketName"] == project.name(project.resource("ArtifactBucket"))
    assert values["ModelBuildCloneUrlGrc"].startswith("codecommit::ap-northeast-1://sagemaker-")
    for name, pipeline in (("BuildPipelineUrl", "BuildPipeline"), ("DeployPipelineUrl", "DeployPipeline")):
        assert f"/pipelines/{project.name(project.resource(pipeline))}/view" in values[name]
    assert {"ModelBuildCloneUrl", "ModelDeployCloneUrl", "ModelDeployCloneUrlGrc", "NotificationTopicArn"} <= set(
        values
    )


def test_publishing_finds_each_token_of_the_archives_once(project: Template) -> None:
    text = "\n".join(project.lines)
    keys = {
        ("SeedArchives", "ModelBuild"): "seed/modelbuild-@modelbuild-sha256@.zip",
        ("SeedArchives", "ModelDeploy"): "seed/modeldeploy-@modeldeploy-sha256@.zip",
        ("FunctionArchives", "Project"): "functions/project-@functions-sha256@.zip",
    }
    for (mapping, name), key in keys.items():
        assert project.document["Mappings"][mapping][name]["Key"] == key
        assert text.count(key) == 1


def own_data(project: Template, url: str) -> list[Statement]:
    chosen = Template(project.path, {**project.parameters, "InputDataUrl": url})
    role = chosen.resolve(chosen.resource("PipelineExecutionRole").properties)
    names = {policy["PolicyName"] for policy in role["Policies"]}
    return [each for each in statements(chosen) if each.policy == "own-input-data" and each.policy in names]


def test_the_pipeline_may_read_the_file_it_is_given_and_no_other(project: Template) -> None:
    read, listed = own_data(project, "s3://their-bucket/claims/2026.csv")
    assert (read.actions, read.resources) == (["s3:GetObject"], ["arn:aws:s3:::their-bucket/claims/2026.csv"])
    assert (listed.actions, listed.resources) == (["s3:ListBucket"], ["arn:aws:s3:::their-bucket"])


def test_synthetic_data_needs_no_further_grant(project: Template) -> None:
    assert own_data(project, "synthetic") == []
