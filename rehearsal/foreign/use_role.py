"""What `AmazonSageMakerServiceCatalogProductsUseRole` may do: the one role whose policy AWS does not manage.

SageMaker's console writes this policy into the role, and AWS's reference of managed policies does not have it. Here are
its grants as accounts show them, for the services that a rehearsal plays.
https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol-sc.html
"""

from __future__ import annotations

import json
from typing import Any

STACK = "CreateChangeSet CreateStack DescribeChangeSet DeleteChangeSet DeleteStack DescribeStacks ExecuteChangeSet"
BUCKET = "CreateBucket DeleteBucket GetBucketAcl GetBucketCors GetBucketLocation ListAllMyBuckets ListBucket"
LOGS = "CreateLogDelivery CreateLogGroup CreateLogStream DeleteLogDelivery Describe* GetLogDelivery GetLogEvents"
GRANTS: tuple[tuple[str, str, str], ...] = (
    ("cloudformation", f"{STACK} SetStackPolicy UpdateStack", "arn:aws:cloudformation:*:*:stack/sagemaker-*"),
    # AWS gave its newer pipeline roles these two when stacks' tags began to be authorised; without them it stops there.
    ("cloudformation", "TagResource UntagResource", "arn:aws:cloudformation:*:*:stack/sagemaker-*"),
    ("cloudwatch", "PutMetricData", "*"),
    ("codebuild", "BatchGetBuilds StartBuild", "arn:aws:codebuild:*:*:project/sagemaker-*"),
    ("codebuild", "BatchGetBuilds StartBuild", "arn:aws:codebuild:*:*:build/sagemaker-*"),
    (
        "codecommit",
        "CancelUploadArchive GetBranch GetCommit GetUploadArchiveStatus UploadArchive",
        "arn:aws:codecommit:*:*:sagemaker-*",
    ),
    ("codepipeline", "StartPipelineExecution", "arn:aws:codepipeline:*:*:sagemaker-*"),
    ("ecr", "BatchCheckLayerAvailability BatchGetImage Describe* GetAuthorizationToken GetDownloadUrlForLayer", "*"),
    ("events", "DeleteRule DescribeRule PutRule PutTargets RemoveTargets", "arn:aws:events:*:*:rule/sagemaker-*"),
    ("iam", "PassRole", "arn:aws:iam::*:role/service-role/AmazonSageMakerServiceCatalogProductsUse*"),
    ("lambda", "InvokeFunction", "arn:aws:lambda:*:*:function:sagemaker-*"),
    ("logs", f"{LOGS} ListLogDeliveries PutLogEvents PutResourcePolicy UpdateLogDelivery", "*"),
    ("s3", f"{BUCKET} ListBucketMultipartUploads PutBucketCors PutObjectAcl", "arn:aws:s3:::sagemaker-*"),
    ("s3", "AbortMultipartUpload DeleteObject GetObject GetObjectVersion PutObject", "arn:aws:s3:::sagemaker-*"),
)
"""Service, actions, resource."""
NOT_OF_SAGEMAKER = ("domain", "user-profile", "app", "flow-definition")
"""Of these the role may do nothing in SageMaker, where it may do all else."""


def policy() -> str:
    """The policy as a document."""
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": [f"{service}:{action}" for action in actions.split()], "Resource": resource}
        for service, actions, resource in GRANTS
    ]
    others = [f"arn:aws:sagemaker:*:*:{kind}/*" for kind in NOT_OF_SAGEMAKER]
    statements.append({"Effect": "Allow", "Action": "sagemaker:*", "NotResource": others})
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
