"""The calls CloudFormation makes for a resource: the permissions of the handlers in the type's published schema.

https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

from checks.template_file import schema

# Calls of a type's handlers that our templates never cause, because they leave out the properties that bring them, or
# because the resource is kept.
NOT_CAUSED = {
    "AWS::S3::Bucket": {
        "kept on deletion": {"s3:DeleteBucket", "s3:DeleteObject"},
        "properties that are not set": {
            "iam:PassRole",
            "s3:CreateBucketMetadataTableConfiguration",
            "s3:DeleteBucketAnalyticsConfiguration",
            "s3:DeleteBucketCors",
            "s3:DeleteBucketEncryption",
            "s3:DeleteBucketLifecycle",
            "s3:DeleteBucketMetadataTableConfiguration",
            "s3:DeleteBucketMetricsConfiguration",
            "s3:DeleteBucketReplication",
            "s3:DeleteBucketWebsite",
            "s3:GetAccelerateConfiguration",
            "s3:GetAnalyticsConfiguration",
            "s3:GetBucketAbac",
            "s3:GetBucketAcl",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketMetadataTableConfiguration",
            "s3:GetBucketNotification",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketWebsite",
            "s3:GetIntelligentTieringConfiguration",
            "s3:GetInventoryConfiguration",
            "s3:GetMetricsConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:PutAccelerateConfiguration",
            "s3:PutAnalyticsConfiguration",
            "s3:PutBucketAbac",
            "s3:PutBucketAcl",
            "s3:PutBucketCORS",
            "s3:PutBucketLogging",
            "s3:PutBucketNotification",
            "s3:PutBucketObjectLockConfiguration",
            "s3:PutBucketReplication",
            "s3:PutBucketWebsite",
            "s3:PutIntelligentTieringConfiguration",
            "s3:PutInventoryConfiguration",
            "s3:PutMetricsConfiguration",
            "s3:PutObjectAcl",
            "s3:PutObjectLockConfiguration",
            "s3:PutReplicationConfiguration",
            "s3:UpdateBucketMetadataAnnotationTableConfiguration",
            "s3:UpdateBucketMetadataInventoryTableConfiguration",
            "s3:UpdateBucketMetadataJournalTableConfiguration",
            "s3tables:CreateNamespace",
            "s3tables:CreateTable",
            "s3tables:CreateTableBucket",
            "s3tables:GetTable",
            "s3tables:GetTableMetadataLocation",
            "s3tables:PutTableBucketPolicy",
            "s3tables:PutTableEncryption",
            "s3tables:PutTablePolicy",
            "s3tables:UpdateTableMetadataLocation",
        },
    },
    "AWS::S3::BucketPolicy": {"kept on deletion": {"s3:DeleteBucketPolicy"}},
    "AWS::CodeCommit::Repository": {
        "a changed name replaces the repository's project": {"codecommit:UpdateRepositoryName"},
        "properties that are not set": {"codecommit:UpdateRepositoryEncryptionKey"},
    },
    "AWS::SageMaker::ModelPackageGroup": {
        "properties that are not set": {
            "sagemaker:DeleteModelPackageGroupPolicy",
            "sagemaker:PutModelPackageGroupPolicy",
        },
    },
    "AWS::Logs::LogGroup": {
        "properties that are not set": {
            "firehose:TagDeliveryStream",
            "logs:CreateLogDelivery",
            "logs:DeleteDataProtectionPolicy",
            "logs:DeleteIndexPolicy",
            "logs:DeleteResourcePolicy",
            "logs:PutBearerTokenAuthentication",
            "logs:PutDataProtectionPolicy",
            "logs:PutIndexPolicy",
            "logs:PutLogGroupDeletionProtection",
            "logs:PutResourcePolicy",
            "s3:REST.PUT.OBJECT",
        },
    },
    "AWS::CodePipeline::Pipeline": {
        "properties that are not set": {
            "codepipeline:DisableStageTransition",
            "codepipeline:EnableStageTransition",
            "codepipeline:StartPipelineExecution",
            "codestar-connections:PassConnection",
        },
    },
    "AWS::SNS::Topic": {
        "properties that are not set": {
            "iam:GetRole",
            "iam:PassRole",
            "sns:PutDataProtectionPolicy",
            "sns:Unsubscribe",
        },
    },
    "AWS::SNS::Subscription": {"properties that are not set": {"iam:GetRole", "iam:PassRole"}},
    "AWS::IAM::Role": {
        "policies are inline": {"iam:AttachRolePolicy", "iam:DetachRolePolicy"},
        "the boundary stays": {"iam:DeleteRolePermissionsBoundary"},
    },
    "AWS::SageMaker::EndpointConfig": {"properties that are not set": {"iam:PassRole"}},
    "AWS::ApplicationAutoScaling::ScalableTarget": {
        "properties that are not set": {
            "application-autoscaling:DeleteScheduledAction",
            "application-autoscaling:PutScheduledAction",
            "iam:PassRole",
        },
        "what is scaled is no function": {
            "lambda:DeleteProvisionedConcurrencyConfig",
            "lambda:GetProvisionedConcurrencyConfig",
            "lambda:PutProvisionedConcurrencyConfig",
        },
    },
    "AWS::Lambda::Function": {
        "properties that are not set": {
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "elasticfilesystem:DescribeMountTargets",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "lambda:AssociateRuntimeAlias",
            "lambda:DeleteFunctionCodeSigningConfig",
            "lambda:DeleteFunctionConcurrency",
            "lambda:GetCodeSigningConfig",
            "lambda:GetLayerVersion",
            "lambda:PassCapacityProvider",
            "lambda:PublishVersion",
            "lambda:PutFunctionCodeSigningConfig",
            "lambda:PutFunctionConcurrency",
            "lambda:PutFunctionRecursionConfig",
            "lambda:PutFunctionScalingConfig",
            "lambda:PutRuntimeManagementConfig",
            "s3files:ListMountTargets",
        },
    },
    "AWS::IAM::Policy": {
        "only roles have it": {
            "iam:DeleteGroupPolicy",
            "iam:DeleteUserPolicy",
            "iam:GetGroupPolicy",
            "iam:GetUserPolicy",
            "iam:PutGroupPolicy",
            "iam:PutUserPolicy",
        },
    },
}

# AWS publishes no handlers for these types; their API calls are these.
# https://docs.aws.amazon.com/codebuild/latest/userguide/auth-and-access-control-iam-access-control-identity-based.html
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources-lambda.html
UNPUBLISHED = {
    "AWS::CodeBuild::Project": {
        "codebuild:BatchGetProjects",
        "codebuild:CreateProject",
        "codebuild:DeleteProject",
        "codebuild:UpdateProject",
        "iam:PassRole",
    },
    "Custom::ProjectCleanUp": {"lambda:InvokeFunction"},
}
HANDLERS = ("create", "read", "update", "delete")


def all_calls(type_name: str) -> set[str]:
    """The calls that CloudFormation may make for resources of a type."""
    if type_name in UNPUBLISHED:
        return UNPUBLISHED[type_name]
    handlers = schema(type_name)["handlers"]
    return {call for handler in HANDLERS for call in handlers.get(handler, {}).get("permissions", [])}


def caused_calls(type_name: str) -> set[str]:
    """The calls that CloudFormation makes for the resources of a type in our templates."""
    return all_calls(type_name).difference(*NOT_CAUSED.get(type_name, {}).values())
