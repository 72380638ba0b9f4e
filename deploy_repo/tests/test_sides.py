"""Which two variants `make compare` takes, where it reads their captures, and what CloudWatch counts of them."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.compare import __main__ as verb
from deployment.compare import sides
from deployment.compare.sides import Side
from deployment.errors import RefusedError
from project_tools.project import Project

from .captured import model, truths

BUCKET = "sagemaker-project-p-abc123"
BEGAN = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
PROJECT = Project("fraud", "p-abc123")


class Aws:
    """SageMaker, S3 and CloudWatch of an account with the endpoint fraud-prod."""

    def __init__(self, variants: list[str], shadows: list[str] | None = None, *, captures: bool = True) -> None:
        self.variants, self.shadows, self.captures = variants, shadows or [], captures
        self.objects: dict[str, bytes] = {}
        self.asked: list[dict[str, Any]] = []
        self.denied: set[str] = set()

    def client(self, _service: str) -> "Aws":
        return self

    def describe_endpoint(self, **asked: str) -> dict[str, Any]:
        if asked["EndpointName"] != "fraud-prod":
            raise ClientError(
                {
                    "Error": {
                        "Code": "ValidationException",
                        "Message": f"Could not find endpoint {asked['EndpointName']}",
                    }
                },
                "DescribeEndpoint",
            )
        return {"EndpointName": "fraud-prod", "EndpointConfigName": "config-1"}

    def describe_endpoint_config(self, **asked: str) -> dict[str, Any]:
        assert asked == {"EndpointConfigName": "config-1"}
        capture = {"EnableCapture": True, "DestinationS3Uri": f"s3://{BUCKET}/data-capture"}
        return {
            "ProductionVariants": [{"VariantName": name, "ModelName": name} for name in self.variants],
            "ShadowProductionVariants": [{"VariantName": name, "ModelName": name} for name in self.shadows],
            "CreationTime": BEGAN,
            **({"DataCaptureConfig": capture} if self.captures else {}),
        }

    def describe_model(self, **asked: str) -> dict[str, Any]:
        version = 7 if asked["ModelName"] == "AllTraffic" else 8
        arn = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud-p-abc123/{version}"
        return {"PrimaryContainer": {"ModelPackageName": arn}}

    def get_paginator(self, operation: str) -> "Aws":
        if operation in self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(asked)
        if "MetricDataQueries" in asked:
            variant = asked["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"][1]["Value"]
            values = {"requests": [600, 400], "errors": [3] if variant == "AllTraffic" else [90], "timed": [1000]}
            values["microseconds"] = [12_000_000]
            yield {"MetricDataResults": [{"Id": name, "Values": each} for name, each in values.items()]}
        else:
            after = asked.get("StartAfter", "")
            keys = [key for key in sorted(self.objects) if key.startswith(asked["Prefix"]) and key > after]
            yield {"Contents": [{"Key": key} for key in keys]}

    def get_object(self, **asked: str) -> dict[str, Any]:
        assert asked["Bucket"] == BUCKET
        return {"Body": io.BytesIO(self.objects[asked["Key"]])}

    def capture(self, variant: str, hour: str, lines: list[dict[str, Any]]) -> None:
        text = "".join(f"{json.dumps(each)}\n" for each in lines)
        self.objects[f"data-capture/fraud-prod/{variant}/{hour}/00-00-000-x.jsonl"] = text.encode()


@pytest.mark.parametrize(
    ("aws", "expected"),
    [
        (Aws(["AllTraffic", "Challenger"]), ("AllTraffic", "Challenger", False)),
        (Aws(["Challenger", "AllTraffic"]), ("AllTraffic", "Challenger", False)),
        (Aws(["AllTraffic"], ["Challenger"]), ("AllTraffic", "Challenger", True)),
        (Aws(["old", "new"]), ("old", "new", False)),
    ],
)
def test_without_a_word_production_is_compared_with_what_serves_beside_it(
    aws: Aws, expected: tuple[str, str, bool]
) -> None:
    champion, challenger = sides.find(aws, "fraud-prod", "", "")
    assert (champion.variant, challenger.variant, challenger.is_shadow) == expected
    assert challenger.where == f"s3://{BUCKET}/data-capture/fraud-prod/{challenger.variant}"
    assert "version 8" in challenger.title
    assert champion.began == BEGAN


def test_either_side_may_be_named() -> None:
    aws = Aws(["AllTraffic", "Challenger"])
    assert sides.find(aws, "fraud-prod", "fraud-prod/Challenger", "")[1].variant == "AllTraffic"
    assert sides.find(aws, "fraud-prod", "", "s3://elsewhere/captured")[1] == Side(
        "s3://elsewhere/captured", "s3://elsewhere/captured"
    )


@pytest.mark.parametrize(
    ("aws", "named", "said"),
    [
        (
            Aws(["AllTraffic"]),
            "",
            "fraud-prod serves one variant only, AllTraffic: there is nothing to compare it with",
        ),
        (Aws(["AllTraffic", "Challenger"], captures=False), "", "fraud-prod captures nothing"),
        (Aws(["AllTraffic"]), "fraud-prod/Other", "fraud-prod has no variant Other; it has AllTraffic."),
        (Aws(["AllTraffic"]), "nobody/AllTraffic", "There is no endpoint nobody."),
    ],
)
def test_where_there_are_not_two_sides_it_says_what_to_do(aws: Aws, named: str, said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        sides.find(aws, "fraud-prod", "", named)
    assert said in str(refused.value)


def compare(aws: Aws, tmp_path: Path, *given: str) -> str:
    return verb.main(given, lambda: PROJECT, aws.client, tmp_path / "compare.html")


def test_captures_are_read_from_when_the_configuration_was_made_and_the_errors_from_cloudwatch(tmp_path: Path) -> None:
    aws = Aws(["AllTraffic", "Challenger"])
    for variant, prefix in (("AllTraffic", "a"), ("Challenger", "b")):
        lines = model(truths(40), 0.5, prefix, 1)
        aws.capture(variant, "2026/11/20/09", lines)
        aws.capture(variant, "2026/11/19/09", lines)  # of the models before
    printed = compare(aws, tmp_path)
    assert "Champion    fraud-prod/AllTraffic, version 7: 40 answers" in printed
    assert "Challenger  fraud-prod/Challenger, version 8: 40 answers" in printed
    assert "since the endpoint's configuration was made, 2026-11-20 08:30 UTC" in printed
    [errors] = [each for each in printed.splitlines() if each.startswith("share of 5xx")]
    assert errors.split()[3:6] == ["0.0030", "0.0900", "+0.0870"]
    [latency] = [each for each in printed.splitlines() if each.startswith("mean milliseconds")]
    assert latency.split()[2:4] == ["12.0000", "12.0000"]
    assert aws.asked[0]["StartAfter"] == "data-capture/fraud-prod/AllTraffic/2026/11/20/08"


def test_who_may_not_read_metrics_is_told_so_and_gets_the_rest(tmp_path: Path) -> None:
    aws = Aws(["AllTraffic"], ["Challenger"])
    for variant in ("AllTraffic", "Challenger"):
        aws.capture(variant, "2026/11/20/09", model(truths(40), 0.5, variant, 1, claim="same"))
    aws.denied = {"get_metric_data"}
    printed = compare(aws, tmp_path)
    assert "you may not read them (cloudwatch:GetMetricData: AccessDenied)" in printed
    assert "40 answers of either side are about the same record" in printed
    assert "Challenger  fraud-prod/Challenger (shadow), version 8" in printed
