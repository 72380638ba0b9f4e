"""A stack touches only what its role may touch, and a template that is not valid is not deployed."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AccessDenied
from rehearsal.cloud.resources.servicecatalog import SERVICECATALOG_TYPES
from rehearsal.cloud.service import Call, Credentials
from rehearsal.cloud.servicecatalog import ServiceCatalog
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.core.test_identity import allow, role
from tests.waiting import WAITER, at_rest

BUCKET = """
Resources:
  Data:
    Type: AWS::S3::Bucket
    Properties: {BucketName: %s, VersioningConfiguration: {Status: Enabled}}
"""
PORTFOLIO = """
Resources:
  Offer:
    Type: AWS::ServiceCatalog::Portfolio
    Properties: {DisplayName: %s, ProviderName: me}
"""


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([ServiceCatalog], SERVICECATALOG_TYPES)


@pytest.fixture(scope="module")
def iam(cloud: Cloud) -> Any:
    return cloud.client("iam", cloud.identity.root)


@pytest.fixture(scope="module")
def cloudformation(cloud: Cloud) -> Any:
    return cloud.client("cloudformation", cloud.identity.root)


def settled(cloudformation: Any, name: str) -> tuple[str, str]:
    """The stack's final status and the first failure's reason."""
    stack = at_rest(cloudformation, name)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each["ResourceStatusReason"] for each in reversed(events) if "FAILED" in each["ResourceStatus"]]
    return stack["StackStatus"], (failed or [""])[0]


@pytest.mark.parametrize(
    ("template", "action"),
    [(BUCKET % "weak", "s3:CreateBucket"), (PORTFOLIO % "weak", "servicecatalog:CreatePortfolio")],
)
def test_a_powerless_role_fails_at_the_first_resource(
    cloud: Cloud, iam: Any, cloudformation: Any, template: str, action: str
) -> None:
    name = f"powerless-{action.split(':')[0]}"
    arn = role(iam, name)
    cloudformation.create_stack(StackName=name, TemplateBody=template, RoleARN=arn)
    status, reason = settled(cloudformation, name)
    assert status == "ROLLBACK_COMPLETE"
    assert f"is not authorized to perform: {action}" in reason
    assert "HandlerErrorCode: AccessDenied" in reason
    buckets = cloud.client("s3", cloud.identity.root).list_buckets()["Buckets"]
    assert "weak" not in [bucket["Name"] for bucket in buckets]


def test_a_property_brings_its_own_permission(iam: Any, cloudformation: Any) -> None:
    arn = role(iam, "no-versioning", allow("s3:CreateBucket"), allow("s3:ListBucket"))
    cloudformation.create_stack(StackName="no-versioning", TemplateBody=BUCKET % "unversioned", RoleARN=arn)
    status, reason = settled(cloudformation, "no-versioning")
    assert status == "ROLLBACK_COMPLETE"
    assert "s3:PutBucketVersioning" in reason


def test_a_role_with_what_it_needs_creates_and_deletes(iam: Any, cloudformation: Any) -> None:
    actions = ("s3:CreateBucket", "s3:ListBucket", "s3:PutBucketVersioning", "s3:DeleteBucket")
    arn = role(iam, "enough", *(allow(action, "arn:aws:s3:::enough") for action in actions))
    cloudformation.create_stack(StackName="enough", TemplateBody=BUCKET % "enough", RoleARN=arn)
    assert settled(cloudformation, "enough")[0] == "CREATE_COMPLETE"
    stack_id = cloudformation.describe_stacks(StackName="enough")["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName="enough")
    assert settled(cloudformation, stack_id)[0] == "DELETE_COMPLETE"


def test_a_stack_keeps_the_role_it_was_made_with(iam: Any, cloudformation: Any) -> None:
    arn = role(iam, "keeps", allow("servicecatalog:CreatePortfolio"))
    cloudformation.create_stack(StackName="keeps", TemplateBody=PORTFOLIO % "keeps", RoleARN=arn)
    assert settled(cloudformation, "keeps")[0] == "CREATE_COMPLETE"
    cloudformation.update_stack(StackName="keeps", TemplateBody=PORTFOLIO % "renamed")
    status, reason = settled(cloudformation, "keeps")
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "servicecatalog:UpdatePortfolio" in reason


def test_a_new_stack_does_not_inherit_the_role_of_a_deleted_one(iam: Any, cloudformation: Any) -> None:
    arn = role(iam, "first-owner", allow("servicecatalog:*Portfolio"))
    made = cloudformation.create_stack(StackName="again", TemplateBody=PORTFOLIO % "again", RoleARN=arn)
    assert settled(cloudformation, "again")[0] == "CREATE_COMPLETE"
    cloudformation.delete_stack(StackName="again")
    assert settled(cloudformation, made["StackId"])[0] == "DELETE_COMPLETE"
    cloudformation.create_stack(StackName="again", TemplateBody=BUCKET % "no-longer-the-role")
    assert settled(cloudformation, "again") == ("CREATE_COMPLETE", "")


def test_deleting_an_earlier_stack_again_does_not_change_who_acts(cloud: Cloud, iam: Any, cloudformation: Any) -> None:
    first = cloudformation.create_stack(StackName="twice", TemplateBody=PORTFOLIO % "twice")["StackId"]
    assert settled(cloudformation, first)[0] == "CREATE_COMPLETE"
    cloudformation.delete_stack(StackName="twice")
    assert settled(cloudformation, first)[0] == "DELETE_COMPLETE"
    cloudformation.create_stack(StackName="twice", TemplateBody=PORTFOLIO % "twice")
    assert settled(cloudformation, "twice")[0] == "CREATE_COMPLETE"
    deleter = cloud.identity.session_of(role(iam, "deleter", allow("cloudformation:DeleteStack")), "test")
    cloud.client("cloudformation", deleter).delete_stack(StackName=first)
    assert cloud.front_door.stacks.actor("twice") == cloud.identity.root


def test_a_refused_operation_does_not_change_who_acts(cloud: Cloud, iam: Any, cloudformation: Any) -> None:
    cloudformation.create_stack(StackName="mine", TemplateBody=PORTFOLIO % "mine")
    assert settled(cloudformation, "mine")[0] == "CREATE_COMPLETE"
    passed = role(iam, "passed-in-vain", allow("*"))
    stranger = cloud.identity.session_of(role(iam, "stranger", allow("iam:PassRole")), "test")
    with pytest.raises(ClientError, match="cloudformation:UpdateStack"):
        cloud.client("cloudformation", stranger).update_stack(
            StackName="mine", TemplateBody=PORTFOLIO % "theirs", RoleARN=passed
        )
    assert cloud.front_door.stacks.actor("mine") == cloud.identity.root


def changed(cloudformation: Any, stack: str, template: str, kind: str, **options: Any) -> str:
    """The ARN of a change set that is ready to be executed."""
    made: str = cloudformation.create_change_set(
        StackName=stack, ChangeSetName=f"{stack}-changes", ChangeSetType=kind, TemplateBody=template, **options
    )["Id"]
    cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=made, WaiterConfig=WAITER)
    return made


@pytest.mark.parametrize("body", [BUCKET, PORTFOLIO], ids=["of the base", "of a room"])
def test_without_a_role_a_stack_acts_in_the_name_of_its_caller_through_cloudformation(
    cloud: Cloud, iam: Any, body: str
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-calledvia"""
    name = "via-" + ("base" if body is BUCKET else "room")
    through = {
        "ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"},
        "StringEquals": {"aws:CalledViaFirst": "cloudformation.amazonaws.com"},
        "Bool": {"aws:ViaAWSService": "true"},
    }
    what = ("s3:*", "servicecatalog:*")
    may = [allow("cloudformation:*"), *(allow(action, **through) for action in what)]
    caller = cloud.identity.session_of(role(iam, name, *may), "caller")
    stacks = cloud.client("cloudformation", caller)
    stacks.create_stack(StackName=name, TemplateBody=body % name)
    assert settled(stacks, name) == ("CREATE_COMPLETE", "")
    for call in (cloud.client("s3", caller).list_buckets, cloud.client("servicecatalog", caller).list_portfolios):
        with pytest.raises(ClientError, match="not authorized"):
            call()
    acting = role(iam, f"{name}-acting", *(allow(action, **through) for action in what))
    cloud.client("cloudformation", cloud.identity.root).create_stack(
        StackName=f"{name}-role", TemplateBody=body % f"{name}-role", RoleARN=acting
    )
    status, reason = settled(cloud.client("cloudformation", cloud.identity.root), f"{name}-role")
    assert status == "ROLLBACK_COMPLETE", "a role is nobody's name"
    assert "not authorized" in reason


@pytest.mark.parametrize("named", ["by its ARN", "by its name"])
def test_a_change_set_is_executed_as_whoever_executes_it(
    cloud: Cloud, iam: Any, cloudformation: Any, named: str
) -> None:
    stack = f"set-{named.rpartition(' ')[2].lower()}"
    made = changed(cloudformation, stack, PORTFOLIO % "set", "CREATE")
    arn = role(iam, f"executes-{stack}", allow("cloudformation:ExecuteChangeSet"))
    executor = cloud.client("cloudformation", cloud.identity.session_of(arn, "test"))
    if named == "by its ARN":
        executor.execute_change_set(ChangeSetName=made)
    else:
        executor.execute_change_set(ChangeSetName=f"{stack}-changes", StackName=stack)
    status, reason = settled(cloudformation, stack)
    assert status == "ROLLBACK_COMPLETE"
    assert "servicecatalog:CreatePortfolio" in reason
    assert f"executes-{stack}" in reason


def test_a_change_set_is_executed_as_the_role_it_was_made_with(cloud: Cloud, iam: Any, cloudformation: Any) -> None:
    arn = role(iam, "role-of-set", allow("servicecatalog:*Portfolio"))
    made = changed(cloudformation, "set-with-role", PORTFOLIO % "set", "CREATE", RoleARN=arn)
    executor = cloud.identity.session_of(role(iam, "only-executes", allow("cloudformation:ExecuteChangeSet")), "test")
    cloud.client("cloudformation", executor).execute_change_set(ChangeSetName=made)
    assert settled(cloudformation, "set-with-role") == ("CREATE_COMPLETE", "")
    assert ":assumed-role/role-of-set/" in cloud.front_door.stacks.actor("set-with-role").principal_arn


def test_making_a_change_set_does_not_change_who_acts(cloud: Cloud, iam: Any, cloudformation: Any) -> None:
    cloudformation.create_stack(StackName="proposed", TemplateBody=PORTFOLIO % "proposed")
    assert settled(cloudformation, "proposed")[0] == "CREATE_COMPLETE"
    proposer = cloud.identity.session_of(role(iam, "proposer", allow("cloudformation:*")), "test")
    made = changed(cloud.client("cloudformation", proposer), "proposed", PORTFOLIO % "changed", "UPDATE")
    assert cloud.front_door.stacks.actor("proposed") == cloud.identity.root
    cloudformation.execute_change_set(ChangeSetName=made)
    assert settled(cloudformation, "proposed") == ("UPDATE_COMPLETE", "")


def test_passing_a_role_needs_pass_role(cloud: Cloud, iam: Any) -> None:
    passed = role(iam, "passed")
    session: Credentials = cloud.identity.session_of(role(iam, "may-not-pass", allow("cloudformation:*")), "test")
    with pytest.raises(ClientError, match="iam:PassRole"):
        cloud.client("cloudformation", session).create_stack(
            StackName="unpassed", TemplateBody=BUCKET % "unpassed", RoleARN=passed
        )


def test_a_role_that_does_not_trust_cloudformation_is_refused(cloud: Cloud, iam: Any, cloudformation: Any) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    made = iam.create_role(RoleName="for-ec2", AssumeRolePolicyDocument=json.dumps(document))
    with pytest.raises(ClientError, match="trust policy does not name the service"):
        cloudformation.create_stack(
            StackName="untrusted", TemplateBody=BUCKET % "untrusted", RoleARN=made["Role"]["Arn"]
        )


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("Resources: {A: {Type: AWS::S3::Buckett}}", "Resource type 'AWS::S3::Buckett' does not exist"),
        ("Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref Nobody}}}", "Nobody"),
        ("Resources: {A: {Type: AWS::S3::Bucket, Properties: {Colour: red}}}", "Colour"),
        ("Resources: [", "line"),
    ],
)
def test_a_template_that_is_not_valid_is_refused_with_the_line(
    cloudformation: Any, template: str, complaint: str
) -> None:
    with pytest.raises(ClientError, match=r"Template validation error: line \d") as refused:
        cloudformation.create_stack(StackName="invalid", TemplateBody=template)
    assert complaint in str(refused.value)
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName="invalid")


def test_a_resource_type_nobody_plays_is_an_error_that_names_it(cloudformation: Any) -> None:
    template = "Resources: {A: {Type: AWS::DeviceFarm::Project, Properties: {Name: x}}}"
    with pytest.raises(ClientError, match="AWS::DeviceFarm::Project"):
        cloudformation.create_stack(StackName="unplayed", TemplateBody=template)


@pytest.mark.parametrize(
    ("type_name", "properties"),
    [
        ("AWS::Glue::Job", "{Role: anybody, Command: {Name: glueetl, ScriptLocation: s3://nowhere/script}}"),
        (
            "AWS::StepFunctions::StateMachine",
            "{RoleArn: 'arn:aws:iam::123456789012:role/nobody', "
            "Definition: {StartAt: A, States: {A: {Type: Pass, End: true}}}}",
        ),
        ("AWS::SecretsManager::Secret", "{GenerateSecretString: {}}"),
    ],
)
def test_a_type_that_the_base_would_only_record_fails_its_stack(
    cloudformation: Any, type_name: str, properties: str
) -> None:
    stack = type_name.replace("::", "-")
    cloudformation.create_stack(
        StackName=stack, TemplateBody=f"Resources: {{A: {{Type: {type_name}, Properties: {properties}}}}}"
    )
    status, reasons = settled(cloudformation, stack)
    assert status == "ROLLBACK_COMPLETE"
    assert f"the resource type {type_name} is not implemented by the rehearsal's cloud" in str(reasons)


def test_a_role_made_by_a_stack_is_held_by_its_boundary(cloud: Cloud, iam: Any, cloudformation: Any) -> None:
    template = """
    Resources:
      Boundary:
        Type: AWS::IAM::ManagedPolicy
        Properties:
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]
      Held:
        Type: AWS::IAM::Role
        Properties:
          PermissionsBoundary: !Ref Boundary
          AssumeRolePolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Principal: {Service: codebuild.amazonaws.com}, Action: "sts:AssumeRole"}]
          Policies:
            - PolicyName: everything
              PolicyDocument:
                Version: "2012-10-17"
                Statement: [{Effect: Allow, Action: "*", Resource: "*"}]
    Outputs: {Arn: {Value: !GetAtt Held.Arn}}
    """
    cloudformation.create_stack(
        StackName="held", TemplateBody=textwrap.dedent(template), Capabilities=["CAPABILITY_IAM"]
    )
    assert settled(cloudformation, "held")[0] == "CREATE_COMPLETE"
    arn = cloudformation.describe_stacks(StackName="held")["Stacks"][0]["Outputs"][0]["OutputValue"]
    session = cloud.identity.assume_role(arn, "codebuild.amazonaws.com", "test")
    cloud.identity.require(session, [Call("s3:GetObject", "arn:aws:s3:::b/k")])
    with pytest.raises(AccessDenied, match="s3:PutObject"):
        cloud.identity.require(session, [Call("s3:PutObject", "arn:aws:s3:::b/k")])
    assert iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]["PermissionsBoundary"]
