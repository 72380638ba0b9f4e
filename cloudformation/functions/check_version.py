"""CodePipeline action: the version may still go into production.

Hours may lie between the choice of a version and its deployment, and days when a stage is retried. The first action in
production looks at the registry once more, at the version and at the challenger that comes with it, and waits while the
endpoint is being scaled or maintained: SageMaker refuses to update it then, and the deployment would fail.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

import challenger
import pipeline_job
from aws import Client, client, is_missing
from live_model import version_of
from patience import Context, OutOfTimeError, Patience
from pipeline_job import ActionFailedError, Done, Job

# DiscardFailedCreation runs beside it and may delete a stack; never one that has served.
WHAT_NOW = "The version was not deployed; what production serves was not touched."
BUSY = ("Updating", "SystemUpdating")
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html#API_DescribeEndpoint_ResponseSyntax"""

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


def handler(event: Mapping[str, Any], context: Context) -> None:
    """Look at the version and answer CodePipeline, whatever happens."""
    patience = Patience(context.get_remaining_time_in_millis)
    pipeline_job.answer(event, lambda job: _check(job, patience), WHAT_NOW)


def _check(job: Job, patience: Patience) -> Done:
    """Do it. Raises ActionFailedError when the version may not be deployed (any more)."""
    arn, beside = pipeline_job.parameters(job, ("modelPackageArn", "challengerArn"))
    sagemaker = client("sagemaker")
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    version, group = version_of(arn), os.environ["MODEL_PACKAGE_GROUP_NAME"]
    status, approval = package["ModelPackageStatus"], package["ModelApprovalStatus"]
    if approval != "Approved":
        raise ActionFailedError(
            f"Version {version} of {group} is {approval} by now, so it does not go into production. To deploy it all "
            "the same, approve it in the Model Registry: that starts a new deployment."
        )
    if status != "Completed":
        raise ActionFailedError(
            f"Version {version} of {group} is {status}, not Completed, so it does not go into production. Approve "
            "another version."
        )
    found = f"Version {version} is approved"
    if beside != challenger.NONE:
        challenger.check_approved(sagemaker, beside, group)
        found = f"{found}, and version {version_of(beside)} beside it, too"
    endpoint = os.environ["PRODUCTION_ENDPOINT_NAME"]
    try:
        patience.wait_until(lambda: _status(sagemaker, endpoint) not in BUSY, f"{endpoint} to be in service again")
    except OutOfTimeError as waiting:
        raise ActionFailedError(
            f"Waited in vain for {waiting}: it is being scaled or maintained, and cannot be updated meanwhile. Retry "
            "the stage DeployProduction when it is InService."
        ) from None
    return Done(found)


def _status(sagemaker: Client, endpoint: str) -> str | None:
    """None where there is no such endpoint: before the first deployment, and with batch runs."""
    try:
        return str(sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"])
    except ClientError as error:
        if is_missing(error):
            return None
        raise
