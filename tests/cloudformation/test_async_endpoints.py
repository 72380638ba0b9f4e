"""What an asynchronous endpoint's stack names is in the project, and the project's roles may use exactly that."""

from __future__ import annotations

from typing import Any

import pytest

from checks.statements import statements
from checks.template_file import PROJECT, WORST_CASE, Template

ENDPOINT = PROJECT.parents[1] / "deploy_repo" / "endpoint-config-template.yml"


def output_config(project: Template, stage: str) -> dict[str, Any]:
    """Of a stage's asynchronous endpoint, with what the build exports."""
    document = Template(ENDPOINT, {}).document
    defaults = {name: str(each["Default"]) for name, each in document["Parameters"].items() if "Default" in each}
    names = {name: WORST_CASE[name] for name in ("SageMakerProjectName", "SageMakerProjectId", "KmsKeyArn")}
    bucket = project.name(project.resource("ArtifactBucket"))
    given = {
        **names,
        "DeploymentMode": "async",
        "AsyncS3Uri": f"s3://{bucket}/async",
        "EndpointName": f"{WORST_CASE['SageMakerProjectName']}-{stage}",
    }
    template = Template(ENDPOINT, {**defaults, **given}, document)
    config: dict[str, Any] = template.resolve(template.resource("EndpointConfig").properties["AsyncInferenceConfig"])
    return dict(config["OutputConfig"])


def arns(url: str) -> str:
    return url.replace("s3://", "arn:aws:s3:::")


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_what_an_asynchronous_endpoint_is_told_is_what_the_project_has_and_its_role_may_use(
    project: Template, stage: str
) -> None:
    config = output_config(project, stage)
    topics = config["NotificationConfig"]
    assert topics["SuccessTopic"] == project.arn(project.resource("AsyncSuccessTopic"))
    assert topics["ErrorTopic"] == project.arn(project.resource("AsyncErrorTopic"))

    output, failure = arns(config["S3OutputPath"]), arns(config["S3FailurePath"])
    request = f"{output.removesuffix('/output')}/input"
    of_model = [each for each in statements(project) if each.owner.logical_id == "ModelExecutionRole" and each.allows]

    def may(action: str, resource: str) -> bool:
        return any(each.covers(action, resource) for each in of_model)

    assert all(may("sns:Publish", topic) for topic in topics.values())
    assert may("s3:GetObject", f"{request}/1.json")
    assert all(may("s3:PutObject", f"{folder}/1.out") for folder in (output, failure))
    assert not may("s3:PutObject", f"{request}/1.json")
    assert not may("sns:Publish", project.arn(project.resource("NotificationTopic")))


def test_the_staging_tests_ask_and_hear_staging_alone(project: Template) -> None:
    of_tests = [each for each in statements(project) if each.owner.logical_id == "StagingTestRole" and each.allows]
    for stage, allowed in (("staging", True), ("prod", False)):
        config = output_config(project, stage)
        output, failure = arns(config["S3OutputPath"]), arns(config["S3FailurePath"])
        request = f"{output.removesuffix('/output')}/input"
        for action, resource in (
            ("s3:PutObject", f"{request}/1.json"),
            ("s3:GetObject", f"{output}/1.out"),
            ("s3:GetObject", f"{failure}/1-error.out"),
        ):
            assert any(each.covers(action, resource) for each in of_tests) is allowed, (action, resource)


@pytest.mark.parametrize("word", ["Success", "Error"])
def test_the_topics_are_encrypted_with_the_projects_key_or_the_one_that_aws_manages(
    project: Template, word: str
) -> None:
    topic = project.resource(f"Async{word}Topic").properties
    for key, expected in ((WORST_CASE["KmsKeyArn"], WORST_CASE["KmsKeyArn"]), ("", "alias/aws/sns")):
        template = Template(PROJECT, {**WORST_CASE, "KmsKeyArn": key}, project.document)
        assert template.resolve(topic["KmsMasterKeyId"]) == expected
    policy = project.resolve(project.resource(f"Async{word}TopicPolicy").properties)
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
