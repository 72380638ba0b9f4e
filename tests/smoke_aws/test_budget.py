"""The estimate is made from the price table and the seeds; the meter ends the story in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pricing import PriceError, Prices
from rehearsal.person import REPOSITORY_ROOT
from smoke_aws.__main__ import check_ceiling
from smoke_aws.before import SmokeError
from smoke_aws.budget import CLEAN_UP_HOURS, ELSEWHERE, Meter, estimate

HOUR = 3600.0


def test_every_price_has_a_unit_and_a_page_of_awss() -> None:
    prices = Prices.read()

    assert prices.items
    for item in prices.items.values():
        assert item.price > 0, item
        assert item.unit, item
        assert item.source.startswith("https://aws.amazon.com/"), item


def test_a_price_that_is_missing_is_named() -> None:
    with pytest.raises(PriceError, match=r"no price of sagemaker-hosting:ml\.p5\.48xlarge"):
        Prices.read().of("sagemaker-hosting:ml.p5.48xlarge")


def test_every_part_is_told_with_the_date_of_its_price() -> None:
    found = estimate(REPOSITORY_ROOT, "us-east-1")
    told = "\n".join(found.lines())

    assert str(found.prices.date) in told
    assert "the prod endpoint, 8 × ml.m5.large: $0.92" in told, "four instances at most, twice while traffic shifts"
    assert found.total > found.start + found.rate
    assert f"${found.total:.2f}" in told


def test_another_region_is_taken_to_be_dearer() -> None:
    near, far = estimate(REPOSITORY_ROOT, "us-east-1"), estimate(REPOSITORY_ROOT, "eu-west-1")

    assert far.rate == pytest.approx(near.rate * ELSEWHERE)


def test_a_dearer_instance_is_counted(tmp_path: Path) -> None:
    for folder in ("deploy_repo", "build_repo/pipelines"):
        (tmp_path / folder).mkdir(parents=True)
    for stage in ("staging", "prod"):
        config = f"deploy_repo/{stage}-config.json"
        text = (REPOSITORY_ROOT / config).read_text().replace("ml.m5.large", "ml.p5.48xlarge")
        (tmp_path / config).write_text(text)
    knobs = "build_repo/pipelines/knobs.py"
    (tmp_path / knobs).write_text((REPOSITORY_ROOT / knobs).read_text())

    with pytest.raises(PriceError, match=r"ml\.p5\.48xlarge"):
        estimate(tmp_path, "us-east-1")


def test_a_ceiling_below_the_estimate_is_refused_with_the_figure_that_would_do() -> None:
    found = estimate(REPOSITORY_ROOT, "us-east-1")

    check_ceiling(found, found.total)
    with pytest.raises(SmokeError, match=f"Pass --cost-ceiling {found.total:.2f} or more"):
        check_ceiling(found, found.total - 0.01)


def test_the_story_ends_while_the_clean_up_still_fits_under_the_ceiling() -> None:
    costs, clock, ends = estimate(REPOSITORY_ROOT, "us-east-1"), [0.0], []
    ceiling = costs.start + costs.rate * (2 + CLEAN_UP_HOURS)
    meter = Meter(costs, ceiling, ends.append, lambda: clock[0])

    clock[0] = 1.99 * HOUR
    assert not meter.look()
    clock[0] = 2.01 * HOUR
    assert meter.look()

    assert meter.spent + costs.rate * CLEAN_UP_HOURS == pytest.approx(ceiling, rel=0.01)
    assert [f"the ceiling of ${ceiling:.2f}" in why for why in ends] == [True]
