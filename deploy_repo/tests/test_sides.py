"""Which two variants `make compare` takes, where it reads their captures, and what CloudWatch counts of them."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment.compare import __main__ as verb
from deployment.compare import sides
from deployment.compare.sides import Side
from deployment.errors import RefusedError
from project_tools.project import Project

from .captured import line, model, truths

BUCKET = "sagemaker-project-p-abc123"
BEGAN = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
PROJECT = Project("fraud", "p-abc123")


def dimensions(asked: dict[str, Any]) -> dict[str, str]:
    [found] = {
        tuple((each["Name"], each["Value"]) for each in query["MetricStat"]["Metric"]["Dimensions"])
        for query in asked["MetricDataQueries"]
    }
    return dict(found)


class Aws:
    """SageMaker, S3 and CloudWatch of an account with the endpoint fraud-prod."""

    def __init__(self, variants: list[str], shadows: list[str] | None = None, *, captures: bool = True) -> None:
        self.variants, self.shadows, self.captures = variants, shadows or [], captures
        self.objects: dict[str, bytes] = {}
        self.asked: list[dict[str, Any]] = []
        self.denied: set[str] = set()
        self.began = BEGAN
        self.recorded: dict[str, dict[str, str]] = {}
        """What the Model Registry holds about a version's time in production, by its number."""

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
            "CreationTime": self.began,
            **({"DataCaptureConfig": capture} if self.captures else {}),
        }

    def describe_model(self, **asked: str) -> dict[str, Any]:
        version = 7 if asked["ModelName"] == "AllTraffic" else 8
        arn = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud-p-abc123/{version}"
        return {"PrimaryContainer": {"ModelPackageName": arn}}

    def describe_model_package(self, **asked: str) -> dict[str, Any]:
        if "describe_model_package" in self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeModelPackage")
        return {"CustomerMetadataProperties": self.recorded.get(asked["ModelPackageName"].rpartition("/")[2], {})}

    def get_paginator(self, operation: str) -> "Aws":
        if operation in self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(asked)
        if "MetricDataQueries" in asked:
            variant = dimensions(asked)["VariantName"]
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


TOKYO = timezone(timedelta(hours=9))


def test_a_machine_in_another_time_zone_reads_the_same_captures(tmp_path: Path) -> None:
    """boto3 gives moments in the zone of the machine."""
    aws = Aws(["AllTraffic", "Challenger"])
    aws.began = BEGAN.astimezone(TOKYO)
    for variant, prefix in (("AllTraffic", "a"), ("Challenger", "b")):
        aws.capture(variant, "2026/11/20/09", model(truths(40), 0.5, prefix, 1))
    printed = compare(aws, tmp_path)
    assert aws.asked[0]["StartAfter"] == "data-capture/fraud-prod/AllTraffic/2026/11/20/08"
    assert "2026-11-20 08:30 UTC" in printed
    aws.asked.clear()
    compare(aws, tmp_path, "--since", "2026-11-20T18:00+09:00", "--until", "2026-11-20T19:00+09:00")
    assert aws.asked[0]["StartAfter"] == "data-capture/fraud-prod/AllTraffic/2026/11/20/09"


CHAMPION_LIVE = {"production.deployed-at": "2026-11-20T09:20:00Z", "production.endpoint": "fraud-prod"}
CHALLENGER_ON = {"production.challenger-at": "2026-11-20T09:20:00Z", "production.challenger-on": "fraud-prod"}


def one_answer_a_minute(aws: Aws) -> None:
    for variant in ("AllTraffic", "Challenger"):
        lines = [line(0.5, event=f"{variant}{minute}", minute=minute) for minute in range(60)]
        aws.capture(variant, "2026/11/20/09", lines)


@pytest.mark.parametrize(
    "recorded", [{"7": CHAMPION_LIVE}, {"8": CHALLENGER_ON}, {"7": CHAMPION_LIVE, "8": CHALLENGER_ON}]
)
def test_what_the_version_before_answered_while_the_traffic_moved_is_not_counted(
    tmp_path: Path, recorded: dict[str, dict[str, str]]
) -> None:
    """Both fleets capture into the folder of the variant until the deployment has ended."""
    aws = Aws(["AllTraffic", "Challenger"])
    aws.recorded = recorded
    one_answer_a_minute(aws)
    printed = compare(aws, tmp_path)
    assert "Champion    fraud-prod/AllTraffic, version 7: 40 answers" in printed
    assert "Challenger  fraud-prod/Challenger, version 8: 40 answers" in printed
    assert "of all that was captured since the deployment of version" in printed
    assert "had ended, 2026-11-20 09:20 UTC" in printed


@pytest.mark.parametrize(
    "recorded",
    [
        {"production.deployed-at": "2026-11-20T08:00:00Z", "production.endpoint": "fraud-prod"},
        {"production.deployed-at": "2026-11-20T09:20:00Z", "production.endpoint": "another"},
        {"production.deployed-at": "once", "production.endpoint": "fraud-prod"},
        {"production.challenger-at": "2026-11-20T09:20:00Z", "production.challenger-on": "fraud-prod"},
    ],
    ids=["before this configuration", "on another endpoint", "unreadable", "as a challenger, once"],
)
def test_a_record_of_another_deployment_changes_nothing(tmp_path: Path, recorded: dict[str, str]) -> None:
    aws = Aws(["AllTraffic", "Challenger"])
    aws.recorded = {"7": recorded}
    one_answer_a_minute(aws)
    printed = compare(aws, tmp_path)
    assert "version 7: 60 answers" in printed
    assert "since the endpoint's configuration was made, 2026-11-20 08:30 UTC" in printed


def test_who_may_not_read_the_registry_is_told_since_when_it_is_counted(tmp_path: Path) -> None:
    aws = Aws(["AllTraffic", "Challenger"])
    aws.recorded, aws.denied = {"7": CHAMPION_LIVE}, {"describe_model_package"}
    one_answer_a_minute(aws)
    assert "since the endpoint's configuration was made, 2026-11-20 08:30 UTC" in compare(aws, tmp_path)


def test_whoever_asks_for_an_earlier_time_is_told_that_others_answered_then(tmp_path: Path) -> None:
    aws = Aws(["AllTraffic", "Challenger"])
    aws.recorded = {"7": CHAMPION_LIVE}
    one_answer_a_minute(aws)
    earlier = compare(aws, tmp_path, "--since", "2026-11-20T09:10")
    assert "version 7: 50 answers" in earlier
    assert "versions before may have given some of the answers: the deployment of version 7 had ended, 2026" in earlier
    assert "versions before" not in compare(aws, tmp_path, "--since", "2026-11-20T09:30")


def test_metrics_are_those_of_the_fleet_that_serves(tmp_path: Path) -> None:
    aws = Aws(["AllTraffic", "Challenger"])
    one_answer_a_minute(aws)
    compare(aws, tmp_path)
    assert [dimensions(each) for each in aws.asked if "MetricDataQueries" in each] == [
        {"EndpointName": "fraud-prod", "VariantName": name, "EndpointConfigName": "config-1"}
        for name in ("AllTraffic", "Challenger")
    ]


def test_a_folder_below_a_variant_is_read_from_a_moment_on(tmp_path: Path) -> None:
    """Its keys begin with no year: nothing of it may be skipped."""
    aws = Aws(["AllTraffic", "Challenger"])
    one_answer_a_minute(aws)
    sides = [
        f"--{role}=s3://{BUCKET}/data-capture/fraud-prod/{variant}/2026/11"
        for role, variant in (("champion", "AllTraffic"), ("challenger", "Challenger"))
    ]
    assert "Challenger/2026/11: 50 answers" in compare(aws, tmp_path, *sides, "--since", "2026-11-20T09:10")


def test_who_may_not_read_metrics_is_told_so_and_gets_the_rest(tmp_path: Path) -> None:
    aws = Aws(["AllTraffic"], ["Challenger"])
    for variant in ("AllTraffic", "Challenger"):
        aws.capture(variant, "2026/11/20/09", model(truths(40), 0.5, variant, 1, claim="same"))
    aws.denied = {"get_metric_data"}
    printed = compare(aws, tmp_path)
    assert "you may not read them (cloudwatch:GetMetricData: AccessDenied)" in printed
    assert "40 answers of either side are about the same record" in printed
    assert "Challenger  fraud-prod/Challenger (shadow), version 8" in printed
