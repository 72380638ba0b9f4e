"""Which two models are compared, and where their captured traffic is.

Without a word it is production: the variant that serves, and the challenger beside it, a production variant or a
shadow. Either may be named instead: `endpoint/variant`, an `s3://` folder, or a folder of this machine.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from deployment import served
from deployment.errors import ACCESS_DENIED, RefusedError, is_missing
from deployment.served import CHALLENGER, CHAMPION

RECORDS = {
    CHAMPION: ("production.deployed-at", "production.endpoint"),
    CHALLENGER: ("production.challenger-at", "production.challenger-on"),
}
"""What the Model Registry holds about a version that was deployed as either variant: when that had ended, and where."""


@dataclass(frozen=True)
class Side:
    """One of the two. `endpoint` and `variant` are empty for a folder that somebody named."""

    where: str
    title: str
    endpoint: str = ""
    variant: str = ""
    is_shadow: bool = False
    config: str = ""
    """The endpoint configuration that serves now."""
    began: datetime | None = None
    """Since when, in UTC, what the variant answers is the answer of this version."""
    because: str = ""
    """What was then, as the end of a sentence that begins with `since`."""


def find(sagemaker: Any, endpoint: str, champion: str, challenger: str) -> tuple[Side, Side]:
    """Both sides; raise RefusedError where there are not two."""
    first = _named(sagemaker, champion) if champion else None
    second = _named(sagemaker, challenger) if challenger else None
    if first and second:
        return first, second
    variants = _variants(sagemaker, endpoint)
    names = [each["VariantName"] for each, _ in variants]
    if first is None:
        first = _side(sagemaker, endpoint, CHAMPION if CHAMPION in names else names[0])
    if second is None:
        others = [name for name in names if (endpoint, name) != (first.endpoint, first.variant)]
        if not others:
            raise RefusedError(
                f"{endpoint} serves one variant only, {names[0]}: there is nothing to compare it with.\n"
                "Name both sides: make compare CHAMPION=<endpoint>/<variant> CHALLENGER=<endpoint>/<variant>, or "
                "folders of captures, s3://... or of this machine."
            )
        second = _side(sagemaker, endpoint, CHALLENGER if CHALLENGER in others else others[0])
    return first, second


def _named(sagemaker: Any, name: str) -> Side:
    bucket, _, folder = name.removeprefix("s3://").partition("/")
    if name.startswith((".", "/")) or (name.startswith("s3://") and bucket and folder):
        return Side(name, name)
    endpoint, _, variant = name.partition("/")
    if not endpoint or not variant or "/" in variant:
        raise RefusedError(
            f"{name!r} names no captures. Write <endpoint>/<variant>, s3://<bucket>/<folder>, or a path that begins "
            "with / or . ."
        )
    return _side(sagemaker, endpoint, variant)


def _variants(sagemaker: Any, endpoint: str) -> list[tuple[dict[str, Any], bool]]:
    """Every variant of the endpoint's configuration, and whether it is a shadow."""
    config = _config(sagemaker, endpoint)[1]
    found = [(each, False) for each in config["ProductionVariants"]]
    return [*found, *((each, True) for each in config.get("ShadowProductionVariants", []))]


def _config(sagemaker: Any, endpoint: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        described = sagemaker.describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if not is_missing(error):
            raise
        raise RefusedError(
            f"There is no endpoint {endpoint}. Deploy first, or name both sides: CHAMPION=... CHALLENGER=..."
        ) from error
    return described, sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])


def _side(sagemaker: Any, endpoint: str, name: str) -> Side:
    described, config = _config(sagemaker, endpoint)
    variants = _variants(sagemaker, endpoint)
    found = next(((each, shadow) for each, shadow in variants if each["VariantName"] == name), None)
    if found is None:
        raise RefusedError(
            f"{endpoint} has no variant {name}; it has {', '.join(each['VariantName'] for each, _ in variants)}."
        )
    capture = config.get("DataCaptureConfig", {})
    if not capture.get("EnableCapture"):
        raise RefusedError(
            f"{endpoint} captures nothing: there is no traffic to compare.\n"
            "Set EnableDataCapture to true in the stage's configuration, push, and let it serve for a while."
        )
    variant, is_shadow = found
    where = f"{capture['DestinationS3Uri'].rstrip('/')}/{described['EndpointName']}/{name}"
    arn, version = _version(sagemaker, variant)
    title = f"{endpoint}/{name}{' (shadow)' if is_shadow else ''}, {version}"
    # boto3 gives moments in the zone of this machine; captures go by UTC
    began, because = config["CreationTime"].astimezone(UTC), "the endpoint's configuration was made"
    ended = _ended(sagemaker, arn, described["EndpointName"], name) if arn else None
    if ended and ended > began:
        began, because = ended, f"the deployment of {version} had ended"
    return Side(
        where, title, described["EndpointName"], name, is_shadow, described["EndpointConfigName"], began, because
    )


def _version(sagemaker: Any, variant: dict[str, Any]) -> tuple[str | None, str]:
    """The ARN of the model package, and `version 7`, or why that cannot be told."""
    try:
        arn = (
            served.package_of(sagemaker.describe_model(ModelName=variant["ModelName"]))
            if "ModelName" in variant
            else None
        )
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] in ACCESS_DENIED:
            return None, "of a version that nobody can tell"
        raise
    return arn, f"version {arn.rpartition('/')[2]}" if arn else "of no model package"


def _ended(sagemaker: Any, arn: str, endpoint: str, variant: str) -> datetime | None:
    """When the deployment had ended that brought a version; None where the registry does not say.

    Until then the fleet before answers, too, and captures into the same folder: the configuration is older than that.
    """
    at, on = RECORDS.get(variant, ("", ""))
    try:
        noted = sagemaker.describe_model_package(ModelPackageName=arn).get("CustomerMetadataProperties", {})
        ended = datetime.fromisoformat(noted.get(at, "")) if noted.get(on) == endpoint else None
    except ValueError:
        return None
    except ClientError as error:
        if is_missing(error) or error.response["Error"]["Code"] in ACCESS_DENIED:
            return None
        raise
    return (ended if ended.tzinfo else ended.replace(tzinfo=UTC)).astimezone(UTC) if ended else None
