"""Two models behind one endpoint: production variants share its requests by weight, a shadow gets copies of them."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.hosting import Hosting, Stage
from tests.waiting import until

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://models/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}
CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 0,
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        }
    }
}
ROLLING = {
    "RollingUpdatePolicy": {
        "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 0,
    }
}


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud([Hosting, SageMakerRuntime], speed=240.0)).set()


@pytest.fixture(scope="module")
def models(stage: Stage) -> dict[str, str]:
    """Models by what they always answer."""
    role = stage.role()
    return {answer: stage.model(answer, role) for answer in ("champion", "challenger", "broken")}


def variant(name: str, model: str, weight: float = 1.0, instances: int = 2) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": instances,
        "InitialVariantWeight": weight,
    }


def config(stage: Stage, *variants: dict[str, Any], shadow: dict[str, Any] | None = None, **more: Any) -> str:
    name = f"config-{uuid4().hex[:8]}"
    shadows = {"ShadowProductionVariants": [shadow]} if shadow else {}
    stage.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=list(variants),
        **{"DataCaptureConfig": CAPTURE, **shadows, **more},
    )
    return name


@pytest.fixture(scope="module")
def split(stage: Stage, models: dict[str, str]) -> str:
    """An endpoint with a champion and a challenger that gets no request of its own accord."""
    both = (variant("AllTraffic", models["champion"], 1), variant("Challenger", models["challenger"], 0))
    return stage.endpoint(config(stage, *both))


@pytest.fixture(scope="module")
def mirrored(stage: Stage, models: dict[str, str]) -> str:
    """An endpoint whose shadow gets a copy of every request."""
    shadow = variant("Challenger", models["challenger"])
    return stage.endpoint(config(stage, variant("AllTraffic", models["champion"]), shadow=shadow))


def captured(stage: Stage, endpoint: str, name: str) -> list[dict[str, Any]]:
    s3 = stage.client("s3")
    found = s3.list_objects_v2(Bucket="models", Prefix=f"captured/{endpoint}/{name}/").get("Contents", [])
    texts = [s3.get_object(Bucket="models", Key=each["Key"])["Body"].read().decode() for each in found]
    return [json.loads(line) for text in texts for line in text.splitlines()]


# ---- production variants


def test_a_request_goes_where_it_says_or_else_by_weight_and_is_captured_under_that_variants_name(
    stage: Stage, split: str
) -> None:
    for _ in range(5):
        assert stage.invoke(split)["InvokedProductionVariant"] == "AllTraffic"
    answer = stage.invoke(split, TargetVariant="Challenger", InferenceId="claim-7")
    assert json.loads(answer["Body"]) == {"predictions": ["challenger"]}
    [line] = until(lambda: captured(stage, split, "Challenger"))
    assert line["eventMetadata"]["inferenceId"] == "claim-7"
    assert {
        each["VariantName"] for each in stage.sagemaker.describe_endpoint(EndpointName=split)["ProductionVariants"]
    } == {
        "AllTraffic",
        "Challenger",
    }


def test_weights_change_while_it_serves(stage: Stage, split: str) -> None:
    changes = [{"VariantName": "AllTraffic", "DesiredWeight": 0}, {"VariantName": "Challenger", "DesiredWeight": 1}]
    stage.sagemaker.update_endpoint_weights_and_capacities(EndpointName=split, DesiredWeightsAndCapacities=changes)
    stage.until_status(split, "InService")
    assert {stage.prediction(split) for _ in range(5)} == {"challenger"}
    back = [{"VariantName": "AllTraffic", "DesiredWeight": 1}, {"VariantName": "Challenger", "DesiredWeight": 0}]
    stage.sagemaker.update_endpoint_weights_and_capacities(EndpointName=split, DesiredWeightsAndCapacities=back)
    stage.until_status(split, "InService")


def test_with_guardrails_the_variants_keep_their_names(stage: Stage, models: dict[str, str], split: str) -> None:
    one = config(stage, variant("AllTraffic", models["champion"]))
    shadow = config(stage, variant("AllTraffic", models["champion"]), shadow=variant("Other", models["champion"]))
    for other in (one, shadow):
        with pytest.raises(ClientError, match="must have the same variant names as the old one"):
            stage.sagemaker.update_endpoint(EndpointName=split, EndpointConfigName=other, DeploymentConfig=CANARY)


def test_two_variants_come_in_by_canary_but_not_rolling_and_each_needs_two_instances(
    stage: Stage, models: dict[str, str], split: str
) -> None:
    both = [variant("AllTraffic", models["champion"], 1), variant("Challenger", models["champion"], 1)]
    with pytest.raises(ClientError, match="not supported for multi-variant inference endpoints"):
        stage.sagemaker.update_endpoint(
            EndpointName=split, EndpointConfigName=config(stage, *both), DeploymentConfig=ROLLING
        )
    lonely = config(stage, both[0], variant("Challenger", models["champion"], 1, instances=1))
    with pytest.raises(ClientError, match="A fleet must have at least 2 instances"):
        stage.sagemaker.update_endpoint(EndpointName=split, EndpointConfigName=lonely, DeploymentConfig=CANARY)
    stage.sagemaker.update_endpoint(
        EndpointName=split, EndpointConfigName=config(stage, *both), DeploymentConfig=CANARY
    )
    assert stage.until_status(split, "InService").get("FailureReason") is None
    assert {stage.prediction(split) for _ in range(5)} == {"champion"}


# ---- a shadow


def test_a_shadow_gets_copies_and_its_answers_are_captured_and_never_given_to_a_caller(
    stage: Stage, mirrored: str
) -> None:
    for number in range(5):
        answer = stage.invoke(mirrored, {"records": [number]}, InferenceId=f"claim-{number}")
        assert json.loads(answer["Body"]) == {"predictions": ["champion"]}
        assert answer["InvokedProductionVariant"] == "AllTraffic"
    until(lambda: all(len(captured(stage, mirrored, name)) == 5 for name in ("AllTraffic", "Challenger")))
    sides = {name: captured(stage, mirrored, name) for name in ("AllTraffic", "Challenger")}
    asked, ids = (
        {name: sorted(get(line) for line in lines) for name, lines in sides.items()}
        for get in (
            lambda line: line["captureData"]["endpointInput"]["data"],
            lambda line: line["eventMetadata"]["inferenceId"],
        )
    )
    assert asked["AllTraffic"] == asked["Challenger"]
    assert ids["AllTraffic"] == ids["Challenger"] == [f"claim-{number}" for number in range(5)]
    answers = {line["captureData"]["endpointOutput"]["data"] for line in sides["Challenger"]}
    assert answers == {json.dumps({"predictions": ["challenger"]})}


def test_a_shadow_is_described_and_cannot_be_asked(stage: Stage, mirrored: str) -> None:
    described = stage.sagemaker.describe_endpoint(EndpointName=mirrored)
    assert [each["VariantName"] for each in described["ProductionVariants"]] == ["AllTraffic"]
    assert [each["VariantName"] for each in described["ShadowProductionVariants"]] == ["Challenger"]
    with pytest.raises(ClientError, match="Variant Challenger of endpoint"):
        stage.invoke(mirrored, TargetVariant="Challenger")


def test_a_broken_shadow_costs_no_caller_an_answer_and_is_counted(stage: Stage, models: dict[str, str]) -> None:
    broken = config(stage, variant("AllTraffic", models["champion"]), shadow=variant("Challenger", models["broken"]))
    name = stage.endpoint(broken)
    assert {stage.prediction(name) for _ in range(5)} == {"champion"}
    metrics = stage.cloud.services["sagemaker"].metrics  # type: ignore[attr-defined]
    dimensions = {"EndpointName": name, "VariantName": "Challenger"}
    until(lambda: sum(each.value for each in metrics.points("Invocation5XXErrors", dimensions, 0)) == 5)
    assert captured(stage, name, "Challenger") == []
    stage.sagemaker.delete_endpoint(EndpointName=name)


def test_the_weights_say_how_many_requests_are_copied(stage: Stage, mirrored: str) -> None:
    def shadow_weight(weight: float) -> None:
        stage.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=mirrored,
            DesiredWeightsAndCapacities=[{"VariantName": "Challenger", "DesiredWeight": weight}],
        )
        stage.until_status(mirrored, "InService")

    shadow_weight(0)
    for number in range(5):
        stage.invoke(mirrored, InferenceId=f"not-copied-{number}")
    shadow_weight(1)
    stage.invoke(mirrored, InferenceId="copied")

    def copied() -> set[str]:
        return {line["eventMetadata"].get("inferenceId", "") for line in captured(stage, mirrored, "Challenger")}

    until(lambda: "copied" in copied())
    assert not {each for each in copied() if each.startswith("not-copied")}


def test_a_new_version_comes_in_with_its_shadow_and_the_old_one_ends(
    stage: Stage, models: dict[str, str], mirrored: str
) -> None:
    swapped = config(
        stage, variant("AllTraffic", models["challenger"]), shadow=variant("Challenger", models["champion"])
    )
    stage.sagemaker.update_endpoint(EndpointName=mirrored, EndpointConfigName=swapped, DeploymentConfig=CANARY)
    assert stage.until_status(mirrored, "InService").get("FailureReason") is None
    assert stage.prediction(mirrored) == "challenger"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ProductionVariants": 2}, "there can be only one variant in ProductionVariants"),
        ({"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}, "does not support shadow variants"),
        (
            {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://models/answers"}}},
            "Asynchronous inference does not support shadow variants",
        ),
        ({"VariantName": "AllTraffic"}, "Duplicate variant names"),
    ],
)
def test_what_goes_with_no_shadow_is_refused(
    stage: Stage, models: dict[str, str], change: dict[str, Any], named: str
) -> None:
    variants, shadow = [variant("AllTraffic", models["champion"])], variant("Challenger", models["champion"])
    more: dict[str, Any] = {}
    if "ProductionVariants" in change:
        variants.append(variant("Second", models["champion"]))
    elif "AsyncInferenceConfig" in change:
        more = {**change, "DataCaptureConfig": CAPTURE | {"EnableCapture": False}}
    elif "ServerlessConfig" in change:
        shadow = {"VariantName": "Challenger", "ModelName": models["champion"], **change}
    else:
        shadow |= change
    with pytest.raises(ClientError, match=named):
        config(stage, *variants, shadow=shadow, **more)
