"""The roles a pipeline acts with: its own, and those that single actions name.

https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-create-cross-account.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

SERVICE = "codepipeline.amazonaws.com"


def pipeline_role(cloud: Cloud, role: str, pipeline_arn: str, session: str) -> Credentials:
    """CodePipeline assumes the pipeline's role. Raises AccessDenied when the role does not trust it."""
    return cloud.identity.assume_role(role, SERVICE, session, source_arn=pipeline_arn)


def action_role(cloud: Cloud, pipeline: Credentials, role: str, session: str) -> Credentials:
    """The pipeline's role assumes the role of an action: it must be allowed to, and that role must trust it."""
    try:
        answer = cloud.client("sts", pipeline).assume_role(RoleArn=role, RoleSessionName=session[:64])
    except ClientError as problem:
        raise AccessDenied(problem.response["Error"].get("Message", "")) from problem
    keys = answer["Credentials"]
    return Credentials(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], answer["AssumedRoleUser"]["Arn"]
    )


def check_roles(cloud: Cloud, declaration: Document, pipeline_arn: str) -> None:
    """Raise AwsError, as CreatePipeline and UpdatePipeline do, for the first role that cannot be assumed."""
    own = declaration["roleArn"]
    try:
        credentials = pipeline_role(cloud, own, pipeline_arn, "validation")
    except AccessDenied:
        raise _not_authorized("CodePipeline", own) from None
    roles = [action["roleArn"] for stage in declaration["stages"] for action in stage["actions"] if "roleArn" in action]
    for role in dict.fromkeys(roles):
        try:
            action_role(cloud, credentials, role, "validation")
        except AccessDenied:
            raise _not_authorized(own, role) from None


def _not_authorized(who: str, role: str) -> AwsError:
    return AwsError("InvalidStructureException", f"{who} is not authorized to perform AssumeRole on role {role}")
