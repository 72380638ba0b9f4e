"""Which version a deployment with `rollback` brings back."""

import pytest

from deployment.errors import RefusedError
from deployment.registry import Chosen, choose

from .conftest import settings
from .fake_registry import BUCKET, GROUP, Registry


def go_back(registry: Registry) -> Chosen:
    choice = choose(registry.sagemaker, registry.s3, settings(MODEL_PACKAGE_ARN="rollback"))
    assert isinstance(choice, Chosen)
    return choice


def refusal_of(registry: Registry) -> str:
    with pytest.raises(RefusedError) as refusal:
        go_back(registry)
    return str(refusal.value)


def deployed(registry: Registry, *days: int) -> list[str]:
    """Versions that were in production, each since its day of November; the last of them is live."""
    arns = [registry.register() for _ in days]
    for arn, day in zip(arns, days, strict=True):
        registry.record_deployment(arn, f"2026-11-{day:02}T10:00:00Z")
    registry.record_deployment(arns[-1], f"2026-11-{days[-1]:02}T10:00:00Z", "Live")
    registry.serve(arns[-1])
    return arns


def test_after_the_live_version_was_rejected_the_one_before_it_comes_back(registry: Registry) -> None:
    _first, second, third = deployed(registry, 1, 2, 3)
    registry.set_approval(third, "Rejected")
    assert go_back(registry) == Chosen(
        second,
        2,
        "of the versions that were in production and are still approved it was deployed last, at 2026-11-02T10:00:00Z",
    )


def test_when_it_was_deployed_counts_and_not_when_it_was_registered(registry: Registry) -> None:
    first, _second, third = deployed(registry, 8, 2, 9)
    registry.set_approval(third, "Rejected")
    assert go_back(registry).arn == first


def test_moments_are_compared_as_moments_and_not_as_text(registry: Registry) -> None:
    earlier, later, live = deployed(registry, 1, 2, 3)
    registry.record_deployment(earlier, "2026-11-02T11:30:00+02:00")
    registry.record_deployment(later, "2026-11-02T10:00:00.123456+00:00")
    registry.set_approval(live, "Rejected")
    assert go_back(registry).arn == later


def test_two_versions_deployed_at_the_same_moment_give_way_to_the_newer(registry: Registry) -> None:
    _first, second, third = deployed(registry, 1, 1, 2)
    registry.set_approval(third, "Rejected")
    assert go_back(registry).arn == second


@pytest.mark.parametrize("approval", ["Rejected", "PendingManualApproval"])
def test_a_version_that_lost_its_approval_since_does_not_come_back(registry: Registry, approval: str) -> None:
    first, second, third = deployed(registry, 1, 2, 3)
    registry.set_approval(second, approval)
    registry.set_approval(third, "Rejected")
    assert go_back(registry).arn == first


def test_a_newer_approved_version_that_never_was_in_production_does_not_come_back(registry: Registry) -> None:
    first, second = deployed(registry, 1, 2)
    registry.set_approval(second, "Rejected")
    registry.register()
    assert go_back(registry).arn == first


def test_a_live_version_that_is_still_approved_stays_when_only_its_successor_was_rejected(registry: Registry) -> None:
    _first, live = deployed(registry, 1, 2)
    registry.register("Rejected")
    assert go_back(registry).arn == live


@pytest.mark.parametrize("status", ["Failed", "InProgress", "Deleting"])
def test_a_version_that_is_not_completed_does_not_come_back(registry: Registry, status: str) -> None:
    first, second, third = deployed(registry, 1, 2, 3)
    registry.set_status(second, status)
    registry.set_approval(third, "Rejected")
    assert go_back(registry).arn == first


def test_a_version_whose_artefact_is_gone_is_named_and_the_next_older_one_comes_back(registry: Registry) -> None:
    first, second, third = deployed(registry, 1, 2, 3)
    registry.lose_artefact(second)
    registry.set_approval(third, "Rejected")
    choice = go_back(registry)
    assert choice.arn == first
    lost = f"s3://{BUCKET}/models/{GROUP}/2/model.tar.gz"
    assert choice.because.endswith(f"; passed over: version 2: its artefact {lost} is gone")


@pytest.mark.parametrize("at", [None, "yesterday"])
def test_a_stage_that_was_set_by_hand_does_not_make_a_version_one_that_has_served(
    registry: Registry, at: str | None
) -> None:
    first, second = deployed(registry, 1, 2)
    registry.record_deployment(registry.register(), at)
    registry.set_approval(second, "Rejected")
    choice = go_back(registry)
    assert choice.arn == first
    assert choice.because.endswith("; passed over: version 3: nothing says when it was deployed")


def test_a_version_of_another_project_does_not_come_back(registry: Registry) -> None:
    [live] = deployed(registry, 1)
    registry.set_approval(live, "Rejected")
    registry.record_deployment(registry.register(group="other"), "2026-11-02T10:00:00Z")
    assert "There is nothing to go back to" in refusal_of(registry)


def test_with_nothing_to_go_back_to_the_refusal_says_what_serves_and_what_to_do(registry: Registry) -> None:
    [live] = deployed(registry, 1)
    registry.set_approval(live, "Rejected")
    assert refusal_of(registry) == (
        f"There is nothing to go back to: no other version of {GROUP} that was in production can be deployed.\n"
        "Production is untouched: version 1, which fraud-prod serves, is Rejected.\n"
        "Approve another version in the Model Registry; that starts its deployment."
    )


def test_with_nothing_left_to_go_back_to_the_refusal_names_every_version_that_was_passed_over(
    registry: Registry,
) -> None:
    first, second, third = deployed(registry, 1, 2, 3)
    registry.lose_artefact(first)
    registry.lose_artefact(second)
    registry.set_approval(third, "Rejected")
    newest_first = [line for line in refusal_of(registry).splitlines() if line.startswith("  ")]
    assert newest_first == [
        f"  version {version}: its artefact s3://{BUCKET}/models/{GROUP}/{version}/model.tar.gz is gone"
        for version in (2, 1)
    ]


def test_without_production_there_is_nothing_to_go_back_to(registry: Registry) -> None:
    registry.register()
    assert "Production is untouched: there is no endpoint fraud-prod yet." in refusal_of(registry)
