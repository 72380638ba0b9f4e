"""CodePipeline action: the version may still go into production.

Hours may lie between the choice of a version and its deployment, and days when a stage is retried. The first action in
production looks at the registry once more, at the version and at the challenger that comes with it, and waits while the
endpoint is being scaled or maintained: SageMaker refuses to update it then, and the deployment would fail.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

import challenger
import pipeline_job
from aws import Client, client
from endpoint_status import CHANGING, status_of
from live_model import version_of
from patience import Context, OutOfTimeError, Patience
from pipeline_job import ActionFailedError, Done, Job

# DiscardFailedCreation runs beside it and may delete a stack; never one that has served.
WHAT_NOW = "The version was not deployed; what production serves was not touched."

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
    found = _approved(sagemaker, arn, beside)
    if _waited(sagemaker, os.environ["PRODUCTION_ENDPOINT_NAME"], patience):
        found = _approved(sagemaker, arn, beside)  # somebody may have rejected it meanwhile
    return Done(found)


def _approved(sagemaker: Client, arn: str, beside: str) -> str:
    """What the registry says of the version and its challenger. Raises ActionFailedError when it is not a yes."""
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
    if beside == challenger.NONE:
        return f"Version {version} is approved"
    challenger.check_approved(sagemaker, beside, group)
    return f"Version {version} is approved, and version {version_of(beside)} beside it, too"


def _waited(sagemaker: Client, endpoint: str, patience: Patience) -> bool:
    """Let the endpoint come to rest; whether that took any waiting. Raises ActionFailedError when it does not."""
    if status_of(sagemaker, endpoint) not in CHANGING:
        return False
    log.info("%s is being changed: waiting for the end of that", endpoint)
    try:
        patience.wait_until(
            lambda: status_of(sagemaker, endpoint) not in CHANGING, f"{endpoint} to be in service again"
        )
    except OutOfTimeError as waiting:
        raise ActionFailedError(
            f"Waited in vain for {waiting}: it is being scaled or maintained, and cannot be updated meanwhile. Retry "
            "the stage DeployProduction when it is InService."
        ) from None
    return True
