"""What a person sees: the launch form, its refusals, and the outputs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from checks.statements import Statement, statements
from checks.template_file import ACCOUNT, Template, line_of

POLICIES = f"arn:aws:iam::{ACCOUNT}:policy"


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
            [
                "synthetic",
                "s3://my-bucket/claims.csv",
                "s3://my.bucket/a/b/claims_2026-01.csv",
                "s3://my-bucket/folder/",
                "s3://my-bucket/1/2/3/4/5/6/7/8/9/10/",
            ],
            [
                "",
                "s3://my-bucket",
                "s3://my-bucket/",
                "s3://my-bucket/*.csv",
                "https://x/y.csv",
                "s3://my-bucket/a b.csv",
                "s3://my-bucket/a//b.csv",
                "s3://my-bucket/folder.csv/",
                "s3://my-bucket/1/2/3/4/5/6/7/8/9/10/11/",
            ],
        ),
        (
            "KmsKeyArn",
            ["", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/mrk-0a1b", f"arn:aws-us-gov:kms:us-gov-west-1:{ACCOUNT}:key/0a"],
            ["0a1b", "alias/ours", f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/ours", f"arn:aws:kms:*:{ACCOUNT}:key/0a"],
        ),
        (
            "VpcSubnetIds",
            ["", "subnet-0123abcd", ",".join(["subnet-0a1b2c3d4e5f60718"] * 16)],
            ["subnet-*", "subnet-0123abcd,", "sg-0123abcd", ",".join(["subnet-0a1b2c3d4e5f60718"] * 17)],
        ),
        (
            "VpcSecurityGroupIds",
            ["", "sg-0123abcd", ",".join(["sg-0a1b2c3d4e5f60718"] * 5)],
            ["sg-0123abcd sg-0123abce", "subnet-0123abcd", ",".join(["sg-0a1b2c3d4e5f60718"] * 6)],
        ),
        (
            "PermissionsBoundaryArn",
            ["", f"{POLICIES}/Ours", f"{POLICIES}/a/b/Ours_1+=.@-", POLICIES.replace("aws", "aws-cn") + "/Ours"],
            [
                "Ours",
                f"{POLICIES}/*",
                f"{POLICIES}/Ours,{POLICIES}/Theirs",
                f"arn:aws:iam::{ACCOUNT}:role/Ours",
                "arn:aws:iam::aws:policy/AdministratorAccess",
            ],
        ),
    ],
)
def test_the_form_takes_and_refuses(project: Template, name: str, accepted: list[str], refused: list[str]) -> None:
    pattern = parameters(project)[name]["AllowedPattern"]
    assert [value for value in accepted if not re.fullmatch(pattern, value)] == []
    assert [value for value in refused if re.fullmatch(pattern, value)] == []


def test_what_the_form_takes_for_a_boundary_is_what_the_account_can_allow(
    project: Template, account_setup: Template
) -> None:
    allowed = parameters(account_setup)["AllowedPermissionsBoundaries"]
    assert allowed["AllowedPattern"] == parameters(project)["PermissionsBoundaryArn"]["AllowedPattern"]
    assert allowed["Default"] == ""


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


@pytest.mark.parametrize(
    ("url", "objects", "prefix"),
    [
        ("s3://their-bucket/claims/2026.csv", "their-bucket/claims/2026.csv", "claims/2026.csv"),
        ("s3://their-bucket/claims.csv", "their-bucket/claims.csv", "claims.csv"),
        ("s3://their-bucket/claims/2026/", "their-bucket/claims/2026/*", "claims/2026/*"),
        ("s3://their-bucket/a/b/c/d/e/f/g/h/i/j/", "their-bucket/a/b/c/d/e/f/g/h/i/j/*", "a/b/c/d/e/f/g/h/i/j/*"),
        (
            "s3://their-bucket/a/b/c/d/e/f/g/h/i/j.csv",
            "their-bucket/a/b/c/d/e/f/g/h/i/j.csv",
            "a/b/c/d/e/f/g/h/i/j.csv",
        ),
    ],
)
def test_the_pipeline_may_read_and_list_what_it_is_given_and_nothing_beside_it(
    project: Template, url: str, objects: str, prefix: str
) -> None:
    read, listed = own_data(project, url)
    assert (read.actions, read.resources) == (["s3:GetObject"], [f"arn:aws:s3:::{objects}"])
    assert (listed.actions, listed.resources) == (["s3:ListBucket"], ["arn:aws:s3:::their-bucket"])
    assert listed.condition == {"StringLike": {"s3:prefix": prefix}}


def test_synthetic_data_needs_no_further_grant(project: Template) -> None:
    assert own_data(project, "synthetic") == []


def chosen(project: Template, **parameters: str) -> Template:
    """The template with some fields filled in and the other options left empty."""
    empty = {"KmsKeyArn": "", "VpcSubnetIds": "", "VpcSecurityGroupIds": ""}
    return Template(project.path, {**project.parameters, **empty, **parameters}, project.document)


def role_statements(template: Template, service: str) -> dict[str, list[dict[str, Any]]]:
    """The statements about a service that each role really gets, by role."""
    found = {}
    for role in template.of_type("AWS::IAM::Role"):
        policies = template.resolve(role.properties.get("Policies", []))
        about = [
            statement
            for policy in policies
            for statement in policy["PolicyDocument"]["Statement"]
            if f"{service}:" in str(statement["Action"])
        ]
        found.update({role.logical_id: about} if about else {})
    return found


def test_without_a_key_and_a_network_no_role_may_use_any(project: Template) -> None:
    assert role_statements(chosen(project), "kms") == role_statements(chosen(project), "ec2") == {}


def test_roles_use_the_chosen_key_alone_and_only_through_a_service(project: Template) -> None:
    key = "arn:aws:kms:ap-northeast-1:123456789012:key/ours"
    found = role_statements(chosen(project, KmsKeyArn=key), "kms")
    through = {
        (role, each["Condition"]["StringEquals"]["kms:ViaService"].split(".")[0])
        for role, about in found.items()
        for each in about
    }
    assert {each["Resource"] for about in found.values() for each in about} == {key}
    assert through == {
        *((role, "s3") for role in ("BuildPipelineRole", "DeployPipelineRole", "ModelBuildRole", "ModelDeployRole")),
        *((role, "s3") for role in ("ModelExecutionRole", "PipelineExecutionRole", "StagingTestRole")),
        *((role, "sagemaker") for role in ("BatchRole", "EndpointDeploymentRole", "PipelineExecutionRole")),
        ("CheckBatchRole", "s3"),
        *((role, "sns") for role in ("CleanUpRole", "DeployPipelineRole", "ModelExecutionRole")),
        *((role, "sns") for role in ("FollowDeploymentsRole", "FollowRejectionRole")),
    }


def test_whoever_publishes_to_the_topic_may_encrypt_for_it(project: Template) -> None:
    found = role_statements(chosen(project, KmsKeyArn="arn:key"), "kms")
    publishers = set(role_statements(project, "sns"))
    assert publishers == {role for role, about in found.items() if "sns." in str(about)}


def test_roles_join_the_chosen_network_alone(project: Template) -> None:
    found = role_statements(chosen(project, VpcSubnetIds="subnet-1,subnet-2", VpcSecurityGroupIds="sg-1"), "ec2")
    assert set(found) == {"ModelExecutionRole", "PipelineExecutionRole"}
    assert found["ModelExecutionRole"] == found["PipelineExecutionRole"]
    conditions = {each["Sid"]: each.get("Condition") for each in found["ModelExecutionRole"]}
    assert conditions == {
        "JoinChosenSubnets": {"StringEquals": {"ec2:SubnetID": ["subnet-1", "subnet-2"]}},
        "TakeChosenSecurityGroups": {"StringEquals": {"ec2:SecurityGroupID": ["sg-1"]}},
        "MakeInterfaces": None,
        "ManageInterfacesThere": {"StringLike": {"ec2:Subnet": ["*/subnet-1", "*/subnet-2"]}},
        "LookAtNetwork": None,
    }


def test_every_rule_says_the_remedy(project: Template) -> None:
    for name, rule in project.document["Rules"].items():
        for each in rule["Assertions"]:
            assert re.search(r"\b(Add|Leave|Choose)\b", each["AssertDescription"]), name


def test_every_place_that_can_be_encrypted_with_the_key_is(project: Template) -> None:
    """Whoever adds a resource of these types has to think of the key."""
    key = "arn:aws:kms:ap-northeast-1:123456789012:key/ours"
    where = {
        "AWS::CodeBuild::Project": "EncryptionKey",
        "AWS::CodePipeline::Pipeline": "ArtifactStore",
        "AWS::Logs::LogGroup": "KmsKeyId",
        "AWS::S3::Bucket": "BucketEncryption",
        "AWS::SNS::Topic": "KmsMasterKeyId",
    }
    for template, expected in ((chosen(project, KmsKeyArn=key), True), (chosen(project), False)):
        for kind, name in where.items():
            for resource in template.of_type(kind):
                value = template.resolve(resource.properties).get(name)
                assert (key in str(value)) is expected, f"{resource.logical_id}: {name}"
