"""What an update may change of an endpoint, and what it keeps."""

from __future__ import annotations

from contextlib import nullcontext

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.endpoint_configs import EndpointConfig
from rehearsal.cloud.sagemaker.endpoint_state import Endpoint
from rehearsal.cloud.sagemaker.fleets import Fleet
from rehearsal.cloud.service import Document


def refuse_another_way_of_hosting(endpoint_name: str, now: EndpointConfig, planned: EndpointConfig) -> None:
    """AWS says that this is a ValidationError; its words are not documented. From serverless to instances is allowed.

    That an endpoint stays asynchronous is SageMaker's answer as users have heard it, cut off where it says what to do;
    nobody has told what it answers to the other way round.
    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html#serverless-endpoints-how-it-works-exclusions
    https://github.com/aws/sagemaker-python-sdk/pull/3124
    """
    if now.async_inference and not planned.async_inference:
        raise AwsError(
            "ValidationException",
            f"The AsyncInferenceConfig parameter cannot be removed from this endpoint {endpoint_name}.",
        )
    if planned.serverless and not now.serverless:
        raise AwsError("ValidationException", "Cannot update an instance-based endpoint to a serverless endpoint.")
    if planned.async_inference and not now.async_inference:
        raise NotImplementedHere("Updating an endpoint to asynchronous inference")


def refuse_the_configuration_in_use(now: EndpointConfig, planned: EndpointConfig) -> None:
    """ "To update an endpoint, you must create a new EndpointConfig"; the words are those that users have been told.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html
    """
    if now.name.lower() == planned.name.lower():
        raise AwsError(
            "ValidationException",
            f'Cannot update endpoint with the currently in use endpoint configuration "{planned.name}".',
        )


def refuse_guardrails_between_other_variants(
    now: EndpointConfig, planned: EndpointConfig, given: Document | None
) -> None:
    """With guardrails the new configuration "must have the same variant name"; AWS's words of refusal are undocumented.

    https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
    """
    if given and now.names != planned.names:
        raise AwsError(
            "ValidationException",
            "With a DeploymentConfig, the new endpoint configuration must have the same variant names as the old one: "
            f"{_told(now)} would become {_told(planned)}.",
        )


def _told(config: EndpointConfig) -> str:
    production, shadows = config.names
    return ", ".join([*sorted(production), *(f"{name} (shadow)" for name in sorted(shadows))])


def refuse_changed_scalable_instances(endpoint: Endpoint, planned: EndpointConfig, scaled: set[str]) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-edit.html"""
    types = {variant["VariantName"]: variant.get("InstanceType") for variant in planned.variants}
    for name in sorted(scaled):
        now = endpoint.variant(name)
        if now is not None and types.get(name) != now.instance_type:
            raise AwsError(
                "ValidationException",
                f'The variant(s) "{name}" must be deregistered as scalable targets with AWS Application Auto '
                "Scaling before they can be removed or have their instance type updated.",
            )


def refuse_impossible_size(endpoint: Endpoint, change: Document) -> None:
    """Of one entry of UpdateEndpointWeightsAndCapacities."""
    variant = endpoint.variant(change["VariantName"])
    if variant is None:
        raise AwsError("ValidationException", f'Could not find variant "{change["VariantName"]}".')
    if "ServerlessUpdateConfig" in change:
        raise NotImplementedHere("ServerlessUpdateConfig (provisioned concurrency changed in place)")
    if variant.serverless is not None and "DesiredInstanceCount" in change:
        raise AwsError("ValidationException", f'Variant "{variant.name}" is serverless: it has no instances.')
    least = 0 if endpoint.fleet is not None and endpoint.fleet.config.async_inference else 1
    if change.get("DesiredInstanceCount", 1) < least:
        raise AwsError("ValidationException", f"DesiredInstanceCount must be at least {least}.")


def resize(endpoint: Endpoint, change: Document) -> None:
    """Carry one entry out. No instance means no container; the first of them has to start."""
    variant = endpoint.variant(change["VariantName"])
    if variant is None:
        return
    before, after = variant.instances, int(change.get("DesiredInstanceCount", variant.instances))
    if before == 0 and after > 0:
        variant.server.wake()
    with endpoint.backlog.holding() if endpoint.backlog else nullcontext(), endpoint.lock:
        variant.instances = after
        variant.weight = float(change.get("DesiredWeight", variant.weight))
    if after == 0 and before > 0:
        variant.server.sleep()


def retain(blue: Fleet, green: Fleet, excluded: set[str]) -> None:
    """Counts and weights as they are now rather than as the configuration says.

    The third retainable property, data capture, is "not currently supported": the new configuration's counts.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_VariantProperty.html
    """
    present = {variant.name: variant for variant in [*blue.variants, *blue.shadows]}
    for variant in [*green.variants, *green.shadows]:
        now = present.get(variant.name)
        if now is None:
            continue
        if "DesiredInstanceCount" not in excluded and now.serverless is None and variant.serverless is None:
            variant.instances = now.instances or variant.instances  # what AWS does with none is undocumented
        if "DesiredWeight" not in excluded:
            variant.weight = now.weight
