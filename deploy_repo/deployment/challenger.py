"""A second version behind the production endpoint, to be compared with the one that serves.

    Challenger: variant     it answers a part of the requests: an A/B test
    Challenger: shadow      it gets copies of a part of the requests, and nobody sees its answers

What is approved is what is deployed holds for it, too: it must be an approved version of this project's group. One that
was rejected meanwhile is left out, and so is, on the way back, one that cannot be deployed for whatever reason: nothing
about a challenger holds a rollback up. Nor does a configuration keep one that was rejected in production.

SageMaker shifts traffic step by step, watched by alarms, only between configurations with the same variants. So the
deployment in which a challenger begins or ends moves at once, and must not bring another champion with it.
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
"""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment import artefacts, served
from deployment.contradictions import Values
from deployment.errors import ACCESS_DENIED, RefusedError, is_missing
from deployment.registry import Chosen
from deployment.served import CHALLENGER, NONE, VARIANT, Served
from deployment.settings import AUTO, ROLLBACK, BuildSettings

RESOLVED_PARAMETERS = frozenset({"ChallengerModelPackageName", "ChampionWeight", "VariantsChange"})
"""What build.py sets where a challenger begins, stays or ends; their defaults mean that there is none."""
ABSENT = {
    "CHALLENGER_MODEL_PACKAGE_ARN": "none",
    "CHALLENGER_KIND": "none",
    "CHALLENGER_TRAFFIC_PERCENT": "none",
}
"""What the pipeline is told where there is none."""


@dataclass(frozen=True)
class Plan:
    """What it means for the export, what a person should know, and what the pipeline is told."""

    parameters: dict[str, str]
    said: list[str]
    answers: dict[str, str]
    leaves_rejected: bool = False
    """Whether the challenger that serves was rejected, so that it must serve no longer."""

    @property
    def changes_variants(self) -> bool:
        """Whether the deployment makes or takes away the challenger."""
        return self.parameters.get("VariantsChange") == "true"


def contradictions(values: Values, *, for_tests: bool) -> list[str]:
    """One line for each thing of a configuration file that goes with no challenger."""
    kind = values.text(CHALLENGER)
    if kind == NONE:
        return []
    if for_tests:
        return [f"Parameters.{CHALLENGER}: is {kind}, but staging tests one version alone; set it in prod-config.json"]
    faults = []
    if (mode := values.text("DeploymentMode")) != "realtime":
        faults.append(f"Parameters.{CHALLENGER}: is {kind}, which DeploymentMode {mode} does not have; write none")
    if not values.number("ChallengerVersion"):
        faults.append("Parameters.ChallengerVersion: missing; write the number of the version, such as 8")
    if kind == VARIANT and values.number("ChallengerTrafficPercent") > 99:
        faults.append("Parameters.ChallengerTrafficPercent: is 100, but the champion must keep some; use 99 or less")
    routing = values.text("TrafficRouting")
    if routing == "ROLLING":
        faults.append(
            f"Parameters.TrafficRouting: is ROLLING, but SageMaker rolls no endpoint that has a {kind} besides; use "
            "CANARY, LINEAR or ALL_AT_ONCE"
        )
    if kind == VARIANT and routing in ("CANARY", "LINEAR") and values.number("ChallengerInstanceCount") < 2:
        faults.append(
            f"Parameters.ChallengerInstanceCount: is 1, but TrafficRouting {routing} needs at least 2 of each variant; "
            "use 2 or more, or ALL_AT_ONCE"
        )
    if values.text("EnableDataCapture") != "true":
        faults.append(
            "Parameters.EnableDataCapture: is false, but what is not captured cannot be compared; write true, or "
            f"{CHALLENGER} none"
        )
    return faults


def plan(
    sagemaker: Any, s3: Any, settings: BuildSettings, values: Values, endpoint_name: str, champion: Chosen
) -> Plan:
    """Find out what of the challenger is to be deployed with the champion; raise RefusedError where that cannot be."""
    goes_back = settings.model_package_arn == ROLLBACK
    wanted, said = values.text(CHALLENGER), []
    version = values.number("ChallengerVersion")
    arn = f"{champion.arn.rpartition('/')[0]}/{version}"
    present = served.describe(sagemaker, endpoint_name)
    leaves_rejected = present is not None and _is_rejected(sagemaker, present, arn)
    if goes_back and wanted != NONE and (present is None or present.challenger != wanted):
        said.append("No challenger: a rollback begins none and makes none another, it keeps or drops what is there.")
        wanted = NONE
    if wanted != NONE and (why := _left_out(sagemaker, s3, arn, goes_on=goes_back or leaves_rejected)):
        said.append(f"No challenger: {why}.")
        wanted = NONE
    begins = present is None or present.challenger == NONE
    if begins and wanted != NONE and arn == champion.arn:
        said.append(f"No challenger: version {version} is the champion itself.")
        wanted = NONE
    now = present.challenger if present else wanted  # a new endpoint is made with whatever is wanted
    if present and now != wanted and present.model_package_arn != champion.arn and not goes_back:
        if now != NONE:
            if settings.model_package_arn == AUTO:
                raise RefusedError(
                    f"{endpoint_name} would lose its challenger or change what it is ({now} to {wanted}) in the same "
                    f"deployment that brings version {champion.version}, and `auto` brings that one because the "
                    "version that serves is not approved.\nApprove the version that serves again, or reject it, in "
                    "the Model Registry; then start the pipeline with `auto` once more."
                )
            raise RefusedError(
                f"{endpoint_name} would lose its challenger or change what it is ({now} to {wanted}) in the same "
                f"deployment that brings version {champion.version}. SageMaker moves that traffic at once, watched by "
                "no alarm.\nStart the pipeline with `auto` first, which leaves the version that serves in place; then "
                "approve this one again."
            )
        said.append(
            f"No challenger yet: version {champion.version} comes in alone, watched by its alarms. Start the pipeline "
            f"with `auto` when it serves: then version {version} begins as challenger."
        )
        wanted = NONE
    if present and now == wanted != NONE and not goes_back and _counts_differ(values, present):
        if not leaves_rejected:
            raise _another_count(values, endpoint_name, present)
        said.append(
            f"No challenger: the one before it has {present.challenger_instances} instances, and "
            f"ChallengerInstanceCount {values.number('ChallengerInstanceCount')} would not change that. Start the "
            f"pipeline with `auto` once more: then version {version} begins as challenger."
        )
        wanted = NONE
    parameters, answers = {}, ABSENT
    if wanted != NONE:
        percent = values.number("ChallengerTrafficPercent")
        weight = 100 - percent if wanted == VARIANT else 100
        parameters = {"ChallengerModelPackageName": arn, "ChampionWeight": str(weight)}
        answers = {
            "CHALLENGER_MODEL_PACKAGE_ARN": arn,
            "CHALLENGER_KIND": wanted,
            "CHALLENGER_TRAFFIC_PERCENT": str(percent),
        }
        what = "answers" if wanted == VARIANT else "gets a copy of"
        said.append(f"Challenger: version {version} {what} {percent} % of the requests of {endpoint_name}.")
    elif values.text(CHALLENGER) != NONE:
        parameters = {CHALLENGER: NONE}
    if now != wanted:
        parameters["VariantsChange"] = "true"
        said.append(f"{endpoint_name} gets other variants: traffic moves at once, and no alarm brings it back.")
    return Plan(parameters, said, answers, leaves_rejected)


def _is_rejected(sagemaker: Any, present: Served, named: str) -> bool:
    """Whether somebody rejected the challenger that serves; where it is not known which that is, the one named."""
    if present.challenger == NONE:
        return False
    arn = served.challenger_package_arn(sagemaker, present) or named
    try:
        approval: str = sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"]
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] in ACCESS_DENIED:
            return False
        raise
    return approval == "Rejected"


def _counts_differ(values: Values, present: Served) -> bool:
    """Whether a number of instances is wanted that a living challenger would not get.

    While the champion autoscales, deployments keep the count of every variant: see RetainAllVariantProperties in the
    template.
    """
    scales = values.number("EndpointInstanceCount") != values.number("EndpointMaxInstanceCount")
    return scales and present.challenger_instances not in (None, values.number("ChallengerInstanceCount"))


def _another_count(values: Values, endpoint_name: str, present: Served) -> RefusedError:
    count = values.number("ChallengerInstanceCount")
    return RefusedError(
        f"The challenger of {endpoint_name} has {present.challenger_instances} instances, and "
        f"ChallengerInstanceCount {count} would not change that while the champion scales by itself.\n"
        f"Set it to {present.challenger_instances}; or end the challenger first ({CHALLENGER} none), then begin it "
        f"with {count}."
    )


def _left_out(sagemaker: Any, s3: Any, arn: str, *, goes_on: bool) -> str | None:
    """Why there is none, or None; raise RefusedError where somebody has to put something right before it goes on."""
    fault, was_rejected = _fault(sagemaker, s3, arn)
    if fault is None or was_rejected or goes_on:
        return fault
    raise RefusedError(
        f"The challenger cannot be deployed: {fault}.\n"
        f"Set ChallengerVersion in prod-config.json to an approved version, or {CHALLENGER} to none. Nothing was "
        "deployed."
    )


def _fault(sagemaker: Any, s3: Any, arn: str) -> tuple[str | None, bool]:
    """What keeps a version from being deployed, and whether that is somebody's decision."""
    version = arn.rpartition("/")[2]
    try:
        package = sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if is_missing(error):
            return f"version {version} does not exist", False
        raise
    approval, status = package["ModelApprovalStatus"], package["ModelPackageStatus"]
    if approval != "Approved":
        return f"version {version} is {approval}, not Approved", approval == "Rejected"
    if status != "Completed":
        return f"version {version} is {status}, not Completed", False
    fault = artefacts.fault(s3, package)
    return (f"version {version}: {fault}" if fault else None), False
