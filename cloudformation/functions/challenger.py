"""The version that is to serve beside the one that is deployed, to be compared with it.

Like that one, it is what the build of the model-deploy repository names and this project's functions have judged.
"""

import re
from dataclasses import dataclass

from aws import Client
from deployments import CHALLENGER_VARIABLE
from live_model import version_of
from pipeline_job import ActionFailedError

NONE, VARIANT, SHADOW = "none", "variant", "shadow"
"""The values of the parameter Challenger of the model-deploy repository's template."""
KIND_VARIABLE, PERCENT_VARIABLE, WEIGHT_VARIABLE = "CHALLENGER_KIND", "CHALLENGER_TRAFFIC_PERCENT", "CHAMPION_WEIGHT"
WORDS_VARIABLE, TO_CHECK_VARIABLE = "CHALLENGER_IN_WORDS", "CHALLENGER_TO_CHECK"
UNUSED = "1"
"""For numbers that the template asks for and that mean nothing without a challenger."""


def version_pattern(group: str) -> str:
    """What the whole ARN of a version of a group looks like: it goes into the JSON of actions that follow."""
    return rf"arn:[a-z-]+:sagemaker:[a-z0-9-]+:\d{{12}}:model-package/{re.escape(group)}/\d+"


@dataclass(frozen=True)
class Challenger:
    """Which version, what it is, and of how many of a hundred requests."""

    arn: str = NONE
    kind: str = NONE
    percent: int = 0

    @property
    def is_there(self) -> bool:
        return self.kind != NONE

    @property
    def words(self) -> str:
        if not self.is_there:
            return "Challenger: none"
        what = "answers" if self.kind == VARIANT else "copies of"
        return f"Challenger: version {version_of(self.arn)} ({self.kind}, {what} {self.percent} % of the requests)"

    def variables(self, *, keeps: bool) -> dict[str, str]:
        """What later actions are told; one that only stays where it is, is not looked at again on the way back."""
        weight = 100 - self.percent if self.kind == VARIANT else 100
        return {
            CHALLENGER_VARIABLE: self.arn,
            KIND_VARIABLE: self.kind,
            PERCENT_VARIABLE: str(self.percent) if self.is_there else UNUSED,
            WEIGHT_VARIABLE: str(weight) if self.is_there else UNUSED,
            WORDS_VARIABLE: self.words,
            TO_CHECK_VARIABLE: NONE if keeps else self.arn,
        }


def named_by_build(arn: str, kind: str, percent: str, group: str) -> Challenger:
    """The challenger that a build names. Raises ActionFailedError for what is none, or is not of this project."""
    if (arn, kind) == (NONE, NONE):
        return Challenger()
    if not re.fullmatch(version_pattern(group), arn, re.I):
        raise ActionFailedError(f"The build names {arn!r} for a challenger, which is no version of {group}.")
    most = {VARIANT: 99, SHADOW: 100}.get(kind, 0)
    if not (re.fullmatch(r"[1-9]\d{0,2}", percent) and int(percent) <= most):
        raise ActionFailedError(
            f"The build names version {version_of(arn)} for a challenger, as {kind!r} with {percent!r} % of the "
            "requests: it has to be variant with 1 to 99, or shadow with 1 to 100."
        )
    return Challenger(arn, kind, int(percent))


def check_approved(sagemaker: Client, arn: str, group: str) -> None:
    """Raise ActionFailedError unless a challenger may serve."""
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    approval, status = package["ModelApprovalStatus"], package["ModelPackageStatus"]
    if approval == "Approved" and status == "Completed":
        return
    found = f"{approval}, not Approved" if approval != "Approved" else f"{status}, not Completed"
    raise ActionFailedError(
        f"Version {version_of(arn)} of {group}, the challenger, is {found}, so nothing goes into production with it. "
        "Start the pipeline again, by hand: its build leaves out a challenger that is rejected. Or approve the "
        "challenger, or set Challenger to none in prod-config.json and push."
    )
