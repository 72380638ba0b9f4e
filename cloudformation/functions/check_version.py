"""CodePipeline action: the version may still go into production.

Hours may lie between the choice of a version and its deployment, and days when a stage is retried. The first action in
production looks at the registry once more, at the version and at the challenger that comes with it.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

import challenger
import pipeline_job
from aws import client
from live_model import version_of
from pipeline_job import ActionFailedError, Done, Job

# DiscardFailedCreation runs beside it and may delete a stack; never one that has served.
WHAT_NOW = "The version was not deployed; what production serves was not touched."

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Look at the version and answer CodePipeline, whatever happens."""
    pipeline_job.answer(event, _check, WHAT_NOW)


def _check(job: Job) -> Done:
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
    if beside == challenger.NONE:
        return Done(f"Version {version} is approved")
    challenger.check_approved(sagemaker, beside, group)
    return Done(f"Version {version} is approved, and version {version_of(beside)} beside it, too")
