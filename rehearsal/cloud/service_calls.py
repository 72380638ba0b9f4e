"""The calls AWS services make with a role they are given.

Nobody sees these calls in a template, which is why templates forget to grant them. Each entry names who acts, when,
which actions it needs, and where AWS documents that. A room asks
`cloud.identity.require_service_calls(credentials, ENTRY, resource, context)` before it does the thing itself; calls
that a room really makes through an API (boto3 with the role's credentials) need no entry: the front door authorises
them like anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceCalls:
    """Actions that `service` performs with the role it was given, when `when` happens."""

    service: str
    when: str
    actions: tuple[str, ...]
    source: str


CODEPIPELINE_CODECOMMIT_SOURCE = ServiceCalls(
    "codepipeline.amazonaws.com",
    "a CodeCommit source action fetches a commit",
    (
        "codecommit:GetBranch",
        "codecommit:GetCommit",
        "codecommit:UploadArchive",
        "codecommit:GetUploadArchiveStatus",
        "codecommit:CancelUploadArchive",
    ),
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/security-iam.html#how-to-custom-role",
)

CODEPIPELINE_ARTIFACT_VERSION = ServiceCalls(
    "codepipeline.amazonaws.com",
    # AWS also lists s3:GetBucketVersioning, GetBucketAcl and GetBucketLocation among the least, but a pipeline without
    # them runs: AWS's own AmazonSageMakerServiceCatalogProductsCodePipelineServiceRolePolicy has none of the three.
    "an action reads an input artifact, which is one version of an object (on the object)",
    ("s3:GetObjectVersion",),
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html#how-to-custom-role-policy",
)

CODEPIPELINE_LAMBDA = ServiceCalls(
    "codepipeline.amazonaws.com",
    "an invoke action looks for its function (invoking it is a call that really happens)",
    ("lambda:ListFunctions",),
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html",
)

CODEPIPELINE_STACK_TAGS = ServiceCalls(
    "codepipeline.amazonaws.com",
    "a CloudFormation action gives its stack the tags of its template configuration",
    ("cloudformation:TagResource",),
    # Version 5 of the policy AWS itself gives the pipelines of SageMaker projects.
    "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/"
    "AmazonSageMakerServiceCatalogProductsCodePipelineServiceRolePolicy.html",
)

CODEPIPELINE_STACK_POLICY = ServiceCalls(
    "codepipeline.amazonaws.com",
    "a CloudFormation action gives its stack the policy of its template configuration",
    ("cloudformation:SetStackPolicy",),
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html",
)

CLOUDFORMATION_CODECOMMIT_SEED = ServiceCalls(
    "cloudformation.amazonaws.com",
    "a stack makes the archive named in a repository's Code property its first commit",
    ("codecommit:CreateCommit",),
    # The create handler's permissions in AWS's published schema of AWS::CodeCommit::Repository.
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html",
)

CLOUDFORMATION_CODECOMMIT_FIND = ServiceCalls(
    "cloudformation.amazonaws.com",
    "a stack looks up the name of the repository whose id it holds, to delete it",
    ("codecommit:ListRepositories",),
    # The delete handler's permissions in AWS's published schema of AWS::CodeCommit::Repository.
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codecommit-repository.html",
)

CODEBUILD_BUCKET = ServiceCalls(
    "codebuild.amazonaws.com",
    "a build makes sure whose bucket it reads its source from, or puts its artifacts into (on the bucket)",
    ("s3:GetBucketAcl", "s3:GetBucketLocation"),
    "https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html",
)

CODEBUILD_SOURCE_VERSION = ServiceCalls(
    "codebuild.amazonaws.com",
    "a build fetches its source, which is one version of an object (on the object)",
    ("s3:GetObjectVersion",),
    "https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html",
)

CODEBUILD_REPORT = ServiceCalls(
    "codebuild.amazonaws.com",
    "a build publishes a test report",
    ("codebuild:CreateReport", "codebuild:UpdateReport", "codebuild:BatchPutTestCases"),
    "https://docs.aws.amazon.com/codebuild/latest/userguide/test-permissions.html",
)

SAGEMAKER_ENDPOINT_ALARMS = ServiceCalls(
    "sagemaker.amazonaws.com",
    "a deployment watches an auto-rollback alarm, with the execution role of the new model (on the alarm)",
    ("cloudwatch:DescribeAlarms",),
    "https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html",
)

SAGEMAKER_ECR_LOGIN = ServiceCalls(
    "sagemaker.amazonaws.com",
    "a job or an endpoint pulls its image: the login",
    ("ecr:GetAuthorizationToken",),
    "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createtrainingjob-perms",
)

SAGEMAKER_ECR_PULL = ServiceCalls(
    "sagemaker.amazonaws.com",
    "a job or an endpoint pulls its image, from the image's repository",
    ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"),
    "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createtrainingjob-perms",
)

SAGEMAKER_JOB_METRICS = ServiceCalls(
    "sagemaker.amazonaws.com",
    "a job writes its instance's and its algorithm's metrics",
    ("cloudwatch:PutMetricData",),
    "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createtrainingjob-perms",
)

SAGEMAKER_JOB_LOGS = ServiceCalls(
    "sagemaker.amazonaws.com",
    "a job looks up its log stream (creating it and writing to it are calls that really happen)",
    ("logs:DescribeLogStreams",),
    "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createprocessingjob-perms",
)

SAGEMAKER_OUTPUT_KEY = ServiceCalls(
    "sagemaker.amazonaws.com",
    "a job has a customer managed key for what it uploads (what S3 asks of the key, it asks itself)",
    ("kms:Encrypt",),
    "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createtrainingjob-perms",
)

SAGEMAKER_VPC_INTERFACES = ServiceCalls(
    "sagemaker.amazonaws.com",
    "a job's or a model's instance joins a VPC (CreateNetworkInterface is asked besides, on what the interface joins)",
    (
        "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteNetworkInterfacePermission",
    ),
    "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createtrainingjob-perms",
)

SAGEMAKER_VPC_LOOKS = ServiceCalls(
    "sagemaker.amazonaws.com",
    "a job's or a model's instance joins a VPC: what knows no resource",
    (
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVpcs",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups",
    ),
    "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createtrainingjob-perms",
)
