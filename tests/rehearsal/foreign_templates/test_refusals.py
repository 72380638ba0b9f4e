"""What a template of somebody else's needs and the rehearsal has not: each thing named in a line, before the launch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rehearsal.foreign.command import play
from rehearsal.foreign.template import ForeignTemplateError
from rehearsal.people import settle
from rehearsal.progress import Progress
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.foreign_templates.test_foreign_templates import Lab, wish

TEMPLATE = """\
Parameters:
  SageMakerProjectName: {Type: String}
  SageMakerProjectId: {Type: String}
  Mode: {Type: String, Default: plain}
Conditions:
  Special: !Equals [!Ref Mode, special]
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Sub 'sagemaker-project-${SageMakerProjectId}'}
%s"""
PIPELINE = """\
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      RoleArn: !Sub arn:aws:iam::${AWS::AccountId}:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole
      ArtifactStore: {Type: S3, Location: !Ref Bucket}
      Stages:
        - Name: Source
          Actions:
            - Name: FromGitHub
              ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeStarSourceConnection, Version: '1'}
              Configuration: {ConnectionArn: 'arn:aws:codestar-connections:us-east-1:123456789012:connection/a',
                FullRepositoryId: me/it, BranchName: main}
              OutputArtifacts: [{Name: Source}]
        - Name: Build
          Actions:
            - Name: OnJenkins
              ActionTypeId: {Category: Build, Owner: Custom, Provider: Jenkins, Version: '1'}
              InputArtifacts: [{Name: Source}]
"""
PROJECT = """\
  Project:
    Type: AWS::CodeBuild::Project
    Properties:
      ServiceRole: !Sub arn:aws:iam::${AWS::AccountId}:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole
      Artifacts: {Type: NO_ARTIFACTS}
      Source: {Type: GITHUB, Location: 'https://github.com/me/it.git'}
      Environment: {Type: LINUX_CONTAINER, ComputeType: BUILD_GENERAL1_SMALL, Image: 'me/my-image:1'}
"""
FUNCTION = """\
  Version:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: somebody}
"""
MONITORING = """\
  Schedule:
    Type: AWS::SageMaker::MonitoringSchedule
    Condition: Special
    Properties:
      MonitoringScheduleName: it
      MonitoringScheduleConfig: {MonitoringJobDefinitionName: one, MonitoringType: DataQuality}
"""
RECORDED_ONLY = """\
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !Sub arn:aws:iam::${AWS::AccountId}:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole
      DefinitionString: '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
  Instance:
    Type: AWS::EC2::Instance
    Properties: {ImageId: ami-12345678, InstanceType: t3.micro}
"""
OTHER_ROLE = """\
  Rule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 day)
      Targets:
        - Id: it
          Arn: arn:aws:codepipeline:us-east-1:123456789012:it
          RoleArn: !Sub arn:aws:iam::${AWS::AccountId}:role/of-my-own
"""
REFUSED: dict[str, tuple[str, list[str], list[str]]] = {
    "action_providers": (
        PIPELINE,
        [],
        [
            "Pipeline (AWS::CodePipeline::Pipeline): the rehearsal does not play the action provider "
            "CodeStarSourceConnection (AWS, Source) of action FromGitHub in stage Source.",
            "the action provider Jenkins (Custom, Build) of action OnJenkins in stage Build.",
        ],
    ),
    "what_builds_run_in": (
        PROJECT,
        [],
        ["Project (AWS::CodeBuild::Project): the rehearsal does not play source type GITHUB.", "image me/my-image:1 "],
    ),
    "resource_types_of_functions": (
        FUNCTION,
        [],
        ["Version (AWS::Lambda::Version): the rehearsal does not play this resource type."],
    ),
    "resource_types_that_nobody_plays": (
        MONITORING,
        ["--parameter", "Mode=special"],
        ["Schedule (AWS::SageMaker::MonitoringSchedule): the rehearsal does not play this resource type."],
    ),
    "resource_types_that_the_base_would_only_record": (
        RECORDED_ONLY,
        [],
        [
            "Machine (AWS::StepFunctions::StateMachine): the rehearsal does not play this resource type.",
            "Instance (AWS::EC2::Instance): the rehearsal does not play this resource type.",
        ],
    ),
    "roles_that_are_not_there": (
        OTHER_ROLE,
        [],
        ["Rule (AWS::Events::Rule) names the role arn:aws:iam::123456789012:role/of-my-own, which is not there."],
    ),
}


@pytest.fixture(scope="module")
def lab(start_cloud: StartCloud) -> Lab:
    from rehearsal.cloud.rooms import PROVIDERS, SERVICES

    cloud = start_cloud(SERVICES, PROVIDERS)
    return Lab(cloud, settle(cloud))


@pytest.mark.parametrize("case", REFUSED)
def test_each_thing_that_is_not_played_is_named_in_a_line(lab: Lab, tmp_path: Path, case: str) -> None:
    more, options, lines = REFUSED[case]
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE % more)
    with pytest.raises(ForeignTemplateError) as refusal:
        play(wish(file, *options), lab.cloud, lab.people, Progress())
    told = str(refusal.value).splitlines()
    assert all(re.match(rf"{re.escape(str(file))}:\d+: ", line) for line in told), told
    for expected in lines:
        assert sum(expected in line for line in told) == 1, told
    assert not lab.client("sagemaker").list_projects(NameContains="rehearsed")["ProjectSummaryList"]


def test_what_a_condition_leaves_out_is_not_asked_about(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE % MONITORING)
    launched = play(wish(file, "--project-name", "plain"), lab.cloud, lab.people, Progress())
    assert lab.client("s3").head_bucket(Bucket=f"sagemaker-project-{launched.id}")


def test_what_the_linter_says_is_told_with_its_line(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE % "  Topic: {Type: AWS::SNS::Topic, Properties: {Colour: red}}\n")
    with pytest.raises(ForeignTemplateError, match=rf"^{re.escape(str(file))}:11: .*'Colour' was unexpected"):
        play(wish(file), lab.cloud, lab.people, Progress())


def test_a_launch_that_fails_says_why(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE.replace("sagemaker-project-", "my-own-") % "")
    with pytest.raises(ForeignTemplateError, match=r"The launch failed: Bucket \(AWS::S3::Bucket\): .*s3:CreateBucket"):
        play(wish(file, "--project-name", "elsewhere"), lab.cloud, lab.people, Progress())
