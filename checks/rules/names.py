"""Names that fit: whoever launches a project with the longest name allowed is not told so by a service, halfway."""

from __future__ import annotations

from collections.abc import Iterator

from checks import rule
from checks.template_file import Resource, Template, line_of, schema

# The longest name of a resource, and where AWS says so. Others are looked up in the type's schema.
LIMITS = {
    ("AWS::ApplicationAutoScaling::ScalingPolicy", "PolicyName"): (
        256,
        "https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html",
    ),
    ("AWS::CloudWatch::Alarm", "AlarmName"): (
        255,
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html",
    ),
    ("AWS::CodeBuild::Project", "Name"): (
        150,
        "https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html",
    ),
    ("AWS::CodeBuild::ReportGroup", "Name"): (
        128,
        "https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateReportGroup.html",
    ),
    ("AWS::CodeCommit::Repository", "RepositoryName"): (
        100,
        "https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html",
    ),
    ("AWS::CodePipeline::Pipeline", "Name"): (
        100,
        "https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html",
    ),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): (
        128,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ("AWS::IAM::Policy", "PolicyName"): (
        128,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    ("AWS::IAM::Role", "RoleName"): (64, "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"),
    ("AWS::Logs::LogGroup", "LogGroupName"): (
        512,
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
    ),
    ("AWS::S3::Bucket", "BucketName"): (
        63,
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
    ),
    ("AWS::SNS::Topic", "DisplayName"): (
        100,
        "https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html",
    ),
    ("AWS::SNS::Topic", "TopicName"): (256, "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"),
    ("AWS::SageMaker::CodeRepository", "CodeRepositoryName"): (
        63,
        "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateCodeRepository.html",
    ),
    ("AWS::SageMaker::Endpoint", "EndpointName"): (
        63,
        "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html",
    ),
    ("AWS::SageMaker::ModelPackageGroup", "ModelPackageGroupName"): (
        63,
        "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackageGroup.html",
    ),
}
# Properties that name something else than the resource itself.
NAMES_OF_OTHERS = {
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::Lambda::Permission", "FunctionName"),
    ("AWS::SageMaker::Endpoint", "EndpointConfigName"),
}


class NameLimits(rule.TemplateRule):
    """Every name fits its service for the longest project name, project id and region."""

    id = "E9002"
    shortdesc = "Names fit their service"
    description = "Every name is within its limit when project name and id are as long as they may be"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        for resource in template.resources:
            for name, value in resource.properties.items():
                key = (resource.type, str(name))
                if not str(name).endswith("Name") or resource.type.startswith("Custom::") or key in NAMES_OF_OTHERS:
                    continue
                found = limit(resource, str(name))
                if found is None:
                    words = f"{name} of {resource.logical_id} has no limit in checks/rules/names.py: add AWS's"
                    yield rule.Complaint(line_of(name), words)
                    continue
                most, source = found
                longest = str(template.resolve(value))
                if len(longest) > most:
                    words = f"{name} of {resource.logical_id} can have {len(longest)} characters; {most} fit ({source})"
                    yield rule.Complaint(line_of(name), words)


def limit(resource: Resource, name: str) -> tuple[int, str] | None:
    """The most characters of a name, and who says so; None when nobody does."""
    if known := LIMITS.get((resource.type, name)):
        return known
    most = schema(resource.type).get("properties", {}).get(name, {}).get("maxLength")
    return (int(most), f"AWS's schema of {resource.type}") if most else None
