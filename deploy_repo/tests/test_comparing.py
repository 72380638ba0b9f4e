"""What the approver is told of the candidate and the live model."""

import pytest

from deployment import approval_page
from deployment.comparison import NAMES, Comparison, compare
from deployment.figures import Figures

from .fake_registry import Registry

LONGEST_SUMMARY = 440
"""As much of the approval message as the pipeline's template leaves for it."""
LONGEST_ARN = f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{'n' * 53}/99999"


def found(registry: Registry, arn: str) -> Comparison:
    return compare(registry.sagemaker, registry.s3, registry.package(arn), "fraud-prod")


def test_the_candidate_stands_beside_the_version_that_production_serves(registry: Registry) -> None:
    live, candidate = registry.register(), registry.register()
    registry.evaluate(live, accuracy=0.9, auc=0.85)
    registry.evaluate(candidate, accuracy=0.91234, auc=0.8, top_decile_lift=4.5)
    registry.serve(live)
    compared = found(registry, candidate)
    assert compared.in_short() == "metrics (and of live version 1): accuracy 0.912 (0.900), auc 0.800 (0.850)"
    assert compared.rows() == [
        ("accuracy", "0.9123", "0.9000"),
        ("auc", "0.8000", "0.8500"),
        ("top_decile_lift", "4.5000", "-"),
    ]


def test_a_first_version_has_nothing_to_be_compared_with(registry: Registry) -> None:
    candidate = registry.register()
    registry.evaluate(candidate, accuracy=0.9)
    compared = found(registry, candidate)
    assert compared.in_short() == "not compared with production"
    assert compared.clause == "there is no endpoint fraud-prod yet"
    assert compared.rows() == [("accuracy", "0.9000", "-")]


def test_a_version_that_is_live_already_is_not_compared_with_itself(registry: Registry) -> None:
    candidate = registry.register()
    registry.evaluate(candidate, accuracy=0.9)
    registry.serve(candidate)
    assert found(registry, candidate).clause == "fraud-prod serves version 1, which is this one"


def test_a_version_registered_by_hand_says_why_there_are_no_numbers(registry: Registry) -> None:
    assert found(registry, registry.register()).clause == "version 1 was registered without a report of its quality"


@pytest.mark.parametrize(
    ("content", "clause"), [(None, "cannot be read"), (b"[]", "is not one of"), (b"no json", "is not one of")]
)
def test_a_live_version_whose_report_is_of_no_use_is_told_and_stops_nothing(
    registry: Registry, content: bytes | None, clause: str
) -> None:
    live, candidate = registry.register(), registry.register()
    registry.evaluate(candidate, accuracy=0.9)
    registry.evaluate(live, accuracy=0.9)
    statistics = registry.package(live)["ModelMetrics"]["ModelQuality"]["Statistics"]
    if content is None:
        statistics["S3Uri"] = "s3://bucket/gone.json"
    else:
        registry.put_file(statistics["S3Uri"], content)
    registry.serve(live)
    compared = found(registry, candidate)
    assert f"the report of version 1 {clause}" in compared.clause
    assert compared.in_short() == "not compared with production"


def test_without_the_right_to_look_at_production_that_is_told(registry: Registry) -> None:
    candidate = registry.register()
    registry.evaluate(candidate, accuracy=0.9)
    registry.refuses["DescribeEndpoint"] = "AccessDeniedException"
    assert found(registry, candidate).clause == "AWS does not say what fraud-prod serves: AccessDeniedException"


def test_the_page_holds_table_pictures_and_the_way_back_and_no_markup_of_others(registry: Registry) -> None:
    candidate = registry.register()
    registry.evaluate(candidate, accuracy=0.9)
    package = registry.package(candidate)
    pictures = approval_page.pictures(registry.s3, package)
    assert pictures == {"lift_chart.png": b"a picture"}
    page = approval_page.render("all <b>right</b>", package, found(registry, candidate), pictures)
    assert "all &lt;b&gt;right&lt;/b&gt;" in page
    assert "<td>accuracy</td><td>0.9000</td><td>-</td>" in page
    assert 'src="data:image/png;base64,YSBwaWN0dXJl"' in page
    assert page.count("There is none that could be read") == 2
    assert "make rollback REASON=" in page


@pytest.mark.parametrize(
    "held_out",
    [
        "metrics of 1000 held-out records as evaluated",
        "held-out records not compared: the model package names no HeldOutSample",
    ],
)
def test_what_the_tests_say_fits_into_the_approval_message(held_out: str) -> None:
    metrics = dict.fromkeys(NAMES, 0.99999)
    figures = Figures(999, 999, golden_passed=999, bad_passed=999, milliseconds=[60000.0] * 100)
    figures.package_arn, figures.held_out = LONGEST_ARN, held_out
    figures.comparison = Comparison(metrics, metrics, 99999, "").in_short()
    assert len(figures.variables()["STAGING_SUMMARY"]) <= LONGEST_SUMMARY
