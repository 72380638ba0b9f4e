"""CloudFormation actions: stacks created, updated, replaced and deleted by the role they are given."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_lab import PIPELINE_GRANTS, Lab, action, approve, stage

TEMPLATE = {
    "Parameters": {"Owner": {"Type": "String"}, "Colour": {"Type": "String", "Default": "red"}},
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Owner"}}}},
    "Outputs": {"OwnerOut": {"Value": {"Ref": "Owner"}}, "TopicArn": {"Value": {"Ref": "Topic"}}},
}
CONFIGURATION = {"Parameters": {"Owner": "Ada"}, "Tags": {"team": "claims"}}
STACK_GRANTS = ["sns:*"]


@pytest.fixture(scope="session")
def stack_role(lab: Lab) -> str:
    return lab.make_role("StackRole", "cloudformation.amazonaws.com", STACK_GRANTS)


def files(**changed: Any) -> dict[str, str]:
    """The commit's files; `template`, `configuration` and `more` (further files) may differ."""
    return {
        "template.yml": changed.get("template") or json.dumps(TEMPLATE),
        "configuration.json": changed.get("configuration") or json.dumps(CONFIGURATION),
        **changed.get("more", {}),
    }


def deploy(name: str, role: str, stack: str, **configuration: str) -> dict[str, Any]:
    given = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": stack,
        "RoleArn": role,
        "TemplatePath": "SourceCode::template.yml",
        "TemplateConfiguration": "SourceCode::configuration.json",
        **configuration,
    }
    return action(
        name,
        "Deploy",
        "CloudFormation",
        configuration={key: value for key, value in given.items() if value},
        inputArtifacts=[{"name": "SourceCode"}],
        namespace="Stack",
    )


def played(lab: Lab, declared: dict[str, Any], **changed: Any) -> tuple[str, dict[str, Any]]:
    """Commit the files, create a pipeline with this action; its name and the action's state at the end."""
    lab.commit(files(**changed), "Deploy")
    declaration = lab.declaration("deploys", stage("Deploy", declared))
    lab.finished(declaration["name"], lab.create(declaration))
    return declaration["name"], lab.action(declaration["name"], "Deploy", declared["name"])


def stack(lab: Lab, name: str) -> dict[str, Any]:
    return dict(lab.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0])


@pytest.mark.parametrize("grant", ["s3:GetObject", "s3:GetObjectVersion"])
def test_a_template_is_read_out_of_the_store_with_the_pipelines_rights(lab: Lab, stack_role: str, grant: str) -> None:
    lab.commit(files(), "Deploy")
    rights = [each for each in PIPELINE_GRANTS if each != grant]
    role = lab.make_role(f"Blind-{grant.partition(':')[2]}", "codepipeline.amazonaws.com", rights)
    declared = lab.declaration("blind", stage("Deploy", deploy("Ship", stack_role, f"blind-{len(grant)}")))
    lab.finished(declared["name"], lab.create({**declared, "roleArn": role}))
    error = lab.action(declared["name"], "Deploy", "Ship")["errorDetails"]
    assert error["code"] == "PermissionError"
    assert f"is not authorized to perform: {grant} " in error["message"]


def test_a_stack_is_created_with_parameters_and_tags(lab: Lab, stack_role: str) -> None:
    _, shown = played(lab, deploy("Ship", stack_role, "created", ParameterOverrides='{"Colour": "blue"}'))
    assert shown["status"] == "Succeeded"
    made = stack(lab, "created")
    assert made["StackStatus"] == "CREATE_COMPLETE"
    assert {each["ParameterKey"]: each["ParameterValue"] for each in made["Parameters"]} == {
        "Owner": "Ada",
        "Colour": "blue",
    }
    assert {"Key": "team", "Value": "claims"} in made["Tags"]
    assert shown["externalExecutionId"] == made["StackId"]


def test_outputs_become_variables_and_a_file(lab: Lab, stack_role: str) -> None:
    lab.commit(files(), "Deploy")
    declared = deploy("Ship", stack_role, "outputs", OutputFileName="outputs.json")
    declaration = lab.declaration(
        "outputs",
        stage("Deploy", {**declared, "outputArtifacts": [{"name": "Outputs"}]}),
        stage("Approve", approve(CustomData="#{Stack.OwnerOut}")),
    )
    name = declaration["name"]
    lab.create(declaration)
    token = lab.token(name)
    assert lab.room.pipelines[name].slot("Approve").actions["Approve"].configuration["CustomData"] == "Ada"
    execution = lab.room.pipelines[name].executions[0]
    body = lab.s3.get_object(Bucket=execution.artifacts["Outputs"].bucket, Key=execution.artifacts["Outputs"].key)
    written = json.loads(zipfile.ZipFile(io.BytesIO(body["Body"].read())).read("outputs.json"))
    assert written["OwnerOut"] == "Ada"
    lab.answer(name, token)


def test_a_second_deployment_updates_and_a_third_has_nothing_to_do(lab: Lab, stack_role: str) -> None:
    name, _ = played(lab, deploy("Ship", stack_role, "updated"))
    lab.commit(files(configuration=json.dumps({"Parameters": {"Owner": "Grace"}})), "Another owner")
    lab.finished(name, lab.start(name))
    assert stack(lab, "updated")["StackStatus"] == "UPDATE_COMPLETE"
    assert stack(lab, "updated")["Parameters"][0]["ParameterValue"] == "Grace"
    assert lab.finished(name, lab.start(name))["status"] == "Succeeded"
    assert lab.action(name, "Deploy", "Ship")["summary"] == "No updates are to be performed."


def test_a_parameter_is_read_from_a_file_of_the_artifact(lab: Lab, stack_role: str) -> None:
    overrides = {
        "Owner": {"Fn::GetParam": ["SourceCode", "build.json", "owner"]},
        "Colour": {"Fn::GetArtifactAtt": ["SourceCode", "BucketName"]},
    }
    declared = deploy("Ship", stack_role, "functions", ParameterOverrides=json.dumps(overrides))
    played(lab, declared, more={"build.json": '{"owner": "Linus"}'})
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack(lab, "functions")["Parameters"]}
    assert values == {"Owner": "Linus", "Colour": "pipeline-artifacts"}


def test_a_failed_stack_names_its_first_failed_resource(lab: Lab) -> None:
    powerless = lab.make_role("Powerless", "cloudformation.amazonaws.com", [])
    _, shown = played(lab, deploy("Ship", powerless, "powerless"))
    assert shown["status"] == "Failed"
    message = shown["errorDetails"]["message"]
    assert "First failed resource: Topic (AWS::SNS::Topic) CREATE_FAILED" in message
    assert "sns:CreateTopic" in message


def test_without_describestackevents_the_failure_stays_general(lab: Lab) -> None:
    powerless = lab.make_role("Powerless2", "cloudformation.amazonaws.com", [])
    grants = [each for each in PIPELINE_GRANTS if not each.startswith("cloudformation")]
    calls = ("CreateStack", "UpdateStack", "DeleteStack", "DescribeStacks", "TagResource")
    lab.make_role("Blind", "codepipeline.amazonaws.com", [*grants, *(f"cloudformation:{call}" for call in calls)])
    lab.commit(files(), "Deploy")
    declaration = lab.declaration("blind", stage("Deploy", deploy("Ship", powerless, "blind")))
    declaration["roleArn"] = f"arn:aws:iam::{lab.cloud.account}:role/Blind"
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))
    message = lab.action(name, "Deploy", "Ship")["errorDetails"]["message"]
    assert message.startswith("Failed to create stack blind: it is in state ROLLBACK_COMPLETE")
    assert "First failed resource" not in message


def test_a_rolled_back_stack_is_not_updated_but_can_be_replaced(lab: Lab, stack_role: str) -> None:
    powerless = lab.make_role("Powerless3", "cloudformation.amazonaws.com", [])
    name, _ = played(lab, deploy("Ship", powerless, "stuck"))
    lab.finished(name, lab.start(name))
    message = lab.action(name, "Deploy", "Ship")["errorDetails"]["message"]
    assert message.endswith("is in ROLLBACK_COMPLETE state and can not be updated.")
    _, shown = played(lab, deploy("Ship", stack_role, "stuck", ActionMode="REPLACE_ON_FAILURE"))
    assert shown["status"] == "Succeeded"
    assert stack(lab, "stuck")["StackStatus"] == "CREATE_COMPLETE"


def test_a_stack_is_deleted_and_deleting_nothing_is_no_error(lab: Lab, stack_role: str) -> None:
    played(lab, deploy("Ship", stack_role, "gone"))
    declared = deploy("Remove", stack_role, "gone", ActionMode="DELETE_ONLY", TemplatePath="", TemplateConfiguration="")
    name, shown = played(lab, {**declared, "inputArtifacts": []})
    assert shown["status"] == "Succeeded"
    with pytest.raises(ClientError, match="does not exist"):
        stack(lab, "gone")
    assert lab.finished(name, lab.start(name))["status"] == "Succeeded"


BAD_FILES = {
    "a template that is not there": (
        {"TemplatePath": "SourceCode::nowhere.yml"},
        {},
        "File [nowhere.yml] does not exist in artifact [SourceCode]",
    ),
    "a configuration that is no JSON": ({}, {"configuration": "Owner: Ada"}, "configuration.json is not valid JSON"),
    "a configuration with unknown members": (
        {},
        {"configuration": '{"Parameters": {}, "Colours": {}}'},
        "has unknown members: Colours",
    ),
    "a parameter that is no string": (
        {},
        {"configuration": '{"Parameters": {"Owner": 7}}'},
        "the value of Owner is not a string: 7",
    ),
    "a key the file does not have": (
        {"ParameterOverrides": '{"Owner": {"Fn::GetParam": ["SourceCode", "configuration.json", "owner"]}}'},
        {},
        "configuration.json has no key owner, wanted by Owner",
    ),
    "an override that the template does not have": (
        {"ParameterOverrides": '{"Size": "large"}'},
        {},
        "Parameters: [Size] do not exist in the template",
    ),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_bad_files_are_named_and_no_stack_is_touched(lab: Lab, stack_role: str, what: str) -> None:
    configuration, changed, words = BAD_FILES[what]
    _, shown = played(lab, deploy("Ship", stack_role, "never", **configuration), **changed)
    assert shown["status"] == "Failed"
    assert words in shown["errorDetails"]["message"]
    with pytest.raises(ClientError, match="does not exist"):
        stack(lab, "never")


def test_the_pipelines_role_must_be_allowed_to_pass_the_stacks_role(lab: Lab, stack_role: str) -> None:
    lab.make_role(
        "PassLess", "codepipeline.amazonaws.com", [each for each in PIPELINE_GRANTS if each != "iam:PassRole"]
    )
    lab.commit(files(), "Deploy")
    declaration = lab.declaration("passless", stage("Deploy", deploy("Ship", stack_role, "passless")))
    declaration["roleArn"] = f"arn:aws:iam::{lab.cloud.account}:role/PassLess"
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Failed"
    error = lab.action(name, "Deploy", "Ship")["errorDetails"]
    assert error["code"] == "PermissionError"
    assert f"iam:PassRole on resource: {stack_role}" in error["message"]


def test_tags_need_a_right_of_their_own(lab: Lab, stack_role: str) -> None:
    grants = [each for each in PIPELINE_GRANTS if not each.startswith("cloudformation")]
    lab.make_role(
        "TagLess",
        "codepipeline.amazonaws.com",
        [*grants, *(f"cloudformation:{call}" for call in ("CreateStack", "UpdateStack", "DescribeStacks"))],
    )
    lab.commit(files(), "Deploy")
    declaration = lab.declaration("tagless", stage("Deploy", deploy("Ship", stack_role, "tagless")))
    declaration["roleArn"] = f"arn:aws:iam::{lab.cloud.account}:role/TagLess"
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Failed"
    message = lab.action(name, "Deploy", "Ship")["errorDetails"]["message"]
    assert (
        "cloudformation:TagResource on resource: arn:aws:cloudformation:us-east-1:123456789012:stack/tagless/"
        in message
    )


def test_rights_on_the_stack_itself_are_enough(lab: Lab, stack_role: str) -> None:
    account = lab.cloud.account
    lab.make_role("Scoped", "codepipeline.amazonaws.com", [])
    calls = ["CreateStack", "UpdateStack", "DescribeStacks", "TagResource"]
    statements = [
        {
            "Effect": "Allow",
            "Action": [each for each in PIPELINE_GRANTS if not each.startswith(("cloudformation", "iam"))],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": [f"cloudformation:{call}" for call in calls],
            "Resource": f"arn:aws:cloudformation:us-east-1:{account}:stack/scoped/*",
        },
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": stack_role},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    lab.iam.put_role_policy(RoleName="Scoped", PolicyName="grants", PolicyDocument=policy)
    lab.commit(files(), "Deploy")
    declaration = lab.declaration("scoped", stage("Deploy", deploy("Ship", stack_role, "scoped")))
    declaration["roleArn"] = f"arn:aws:iam::{account}:role/Scoped"
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Succeeded"
    assert lab.finished(name, lab.start(name))["status"] == "Succeeded"
