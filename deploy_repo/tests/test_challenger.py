"""A challenger in production: which version, beside which champion, and what keeps it from being deployed."""

import json
from pathlib import Path
from typing import Any

import pytest

import build
from deployment.errors import RefusedError

from .conftest import ENVIRONMENT, load
from .fake_registry import Registry
from .rendered import Rendering

OFF: dict[str, Any] = {"Challenger": "none"}
SPLIT: dict[str, Any] = {"Challenger": "variant", "ChallengerVersion": 2, "ChallengerInstanceCount": 2}
MIRROR: dict[str, Any] = {"Challenger": "shadow", "ChallengerVersion": 2, "ChallengerTrafficPercent": 100}


@pytest.fixture
def project(registry: Registry) -> Registry:
    """Version 1 serves in production; 2 and 3 are approved, too."""
    arn = registry.register()
    registry.register()
    registry.register()
    registry.record_deployment(arn, "2026-11-01T08:00:00Z", "Live")
    registry.serve(arn)
    registry.scale(2, 4, 600)  # as prod-config.json has it
    return registry


def arn(registry: Registry, version: int) -> str:
    return next(iter(registry._packages)).rpartition("/")[0] + f"/{version}"


def run(checkout: Path, registry: Registry, parameters: dict[str, Any], stage: str = "prod", **changes: str) -> Any:
    """The parameters that the build exports for production, with these written over those of the file."""
    path = checkout / f"{stage}-config.json"
    config = load(path)
    config["Parameters"] |= parameters
    path.write_text(json.dumps(config), encoding="utf-8")
    build.main(checkout, {**ENVIRONMENT, **changes}, registry.client)
    return load(checkout / "prod-config-export.json")["Parameters"]


@pytest.mark.parametrize(("config", "weight"), [(SPLIT | {"ChallengerTrafficPercent": 20}, "80"), (MIRROR, "100")])
def test_a_challenger_begins_beside_the_version_that_serves(
    checkout: Path, project: Registry, config: dict[str, Any], weight: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = run(checkout, project, config)
    assert exported["ModelPackageName"] == arn(project, 1)
    assert exported["ChallengerModelPackageName"] == arn(project, 2)
    assert (exported["Challenger"], exported["ChampionWeight"]) == (config["Challenger"], weight)
    assert exported["VariantsChange"] == "true"
    told = capsys.readouterr().out
    assert f"Challenger: version 2 {'answers' if config is not MIRROR else 'gets a copy of'}" in told
    assert "traffic moves at once, and no alarm brings it back" in told
    assert "Challenger" not in load(checkout / "staging-config-export.json")["Parameters"]


def test_while_it_stays_new_champions_come_in_watched_by_all_alarms(checkout: Path, project: Registry) -> None:
    project.challenge("variant")
    exported = run(checkout, project, SPLIT, MODEL_PACKAGE_ARN=arn(project, 3))
    assert exported["ChallengerModelPackageName"] == arn(project, 2)
    assert "VariantsChange" not in exported


def test_the_challenger_that_has_won_becomes_the_champion_with_all_alarms_watching(
    checkout: Path, project: Registry
) -> None:
    project.challenge("variant")
    exported = run(checkout, project, SPLIT, MODEL_PACKAGE_ARN=arn(project, 2))
    assert exported["ModelPackageName"] == exported["ChallengerModelPackageName"] == arn(project, 2)
    assert "VariantsChange" not in exported


def test_it_ends_with_the_word_none(checkout: Path, project: Registry) -> None:
    project.challenge("shadow")
    exported = run(checkout, project, MIRROR | OFF)
    assert exported["VariantsChange"] == "true"
    assert "ChallengerModelPackageName" not in exported


def test_without_one_nothing_is_exported_about_it(checkout: Path, project: Registry) -> None:
    assert not [name for name in run(checkout, project, {}) if name.startswith(("Challenger", "Champion", "Variants"))]


def test_a_new_endpoint_is_made_with_it(checkout: Path, registry: Registry) -> None:
    registry.register()
    registry.register()
    exported = run(checkout, registry, SPLIT, MODEL_PACKAGE_ARN=arn(registry, 1))
    assert exported["ChallengerModelPackageName"] == arn(registry, 2)
    assert "VariantsChange" not in exported


def told(checkout: Path) -> dict[str, str]:
    """What the pipeline is told."""
    lines = (checkout / build.VARIABLES_FILE).read_text(encoding="utf-8").splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def test_the_pipeline_is_told_which_version_comes_beside_it_and_as_what(checkout: Path, project: Registry) -> None:
    run(checkout, project, MIRROR)
    said = told(checkout)
    assert said["CHALLENGER_MODEL_PACKAGE_ARN"] == arn(project, 2)
    assert (said["CHALLENGER_KIND"], said["CHALLENGER_TRAFFIC_PERCENT"]) == ("shadow", "100")
    run(checkout, project, OFF)
    assert {value for name, value in told(checkout).items() if name.startswith("CHALLENGER")} == {"none"}


def test_a_new_endpoint_does_not_begin_with_one_version_twice(checkout: Path, registry: Registry) -> None:
    registry.register()
    registry.register()
    exported = run(checkout, registry, SPLIT, MODEL_PACKAGE_ARN=arn(registry, 2))
    assert exported["Challenger"] == "none"
    assert "VariantsChange" not in exported


# ---- one thing at a time


@pytest.mark.parametrize(
    ("now", "config", "told"),
    [
        ((2, 3, 600), SPLIT, "from 2 to 3 instances, aiming at 600 for each now, from 2 to 4 instances, aiming at 600"),
        (
            (2, 4, 500),
            SPLIT,
            "EndpointInstanceCount 2, EndpointMaxInstanceCount 4, InvocationsPerInstanceTarget 500 in",
        ),
        (None, SPLIT, "leave EndpointMaxInstanceCount equal to EndpointInstanceCount in the first"),
        ((2, 4, 600), SPLIT | {"EndpointMaxInstanceCount": 2}, "aiming at 600 for each now, off then"),
    ],
)
def test_autoscaling_does_not_change_in_the_deployment_that_makes_a_challenger(
    checkout: Path, project: Registry, now: tuple[int, int, int] | None, config: dict[str, Any], told: str
) -> None:
    project.stop_scaling()
    if now:
        project.scale(*now)
    with pytest.raises(RefusedError) as refusal:
        run(checkout, project, config)
    assert told in str(refusal.value)
    assert "It takes two pushes" in str(refusal.value)
    assert not (checkout / "prod-config-export.json").exists()


def test_nor_in_the_one_that_ends_it_unless_that_is_a_rollback(checkout: Path, project: Registry) -> None:
    project.challenge("variant")
    project.scale(2, 3, 600)
    project.record_deployment(arn(project, 3), "2026-10-01T08:00:00Z")
    with pytest.raises(RefusedError, match="the challenger of fraud-prod begins, ends or becomes another"):
        run(checkout, project, OFF)
    project.set_approval(arn(project, 1), "Rejected")
    exported = run(checkout, project, OFF, MODEL_PACKAGE_ARN="rollback")
    assert exported["VariantsChange"] == "true"


def test_while_the_challenger_stays_autoscaling_may_change(checkout: Path, project: Registry) -> None:
    project.challenge("variant")
    assert run(checkout, project, SPLIT)["EndpointMaxInstanceCount"] == "4"


def test_where_nobody_may_look_at_autoscaling_a_challenger_begins_all_the_same(
    checkout: Path, project: Registry
) -> None:
    project.refuses["DescribeScalableTargets"] = "AccessDeniedException"
    assert run(checkout, project, SPLIT)["VariantsChange"] == "true"


def test_a_new_champion_comes_alone_and_the_challenger_begins_after_it(
    checkout: Path, project: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = run(checkout, project, SPLIT, MODEL_PACKAGE_ARN=arn(project, 3))
    assert exported["Challenger"] == "none"
    assert "VariantsChange" not in exported
    assert "No challenger yet: version 3 comes in alone" in capsys.readouterr().out


def test_a_new_champion_does_not_come_in_the_deployment_that_ends_a_challenger(
    checkout: Path, project: Registry
) -> None:
    project.challenge("variant")
    with pytest.raises(RefusedError, match=r"would lose its challenger or change what it is \(variant to none\)"):
        run(checkout, project, OFF, MODEL_PACKAGE_ARN=arn(project, 3))
    assert not (checkout / "staging-config-export.json").exists()


def test_auto_does_not_send_one_back_to_auto_when_the_live_version_has_lost_its_approval(
    checkout: Path, project: Registry
) -> None:
    project.challenge("variant")
    project.set_approval(arn(project, 1), "PendingManualApproval")
    project.set_approval(arn(project, 2), "Rejected")
    with pytest.raises(RefusedError, match="Approve the version that serves again, or reject it"):
        run(checkout, project, SPLIT, MODEL_PACKAGE_ARN="auto")


@pytest.mark.parametrize("kind", ["variant", "shadow"])
def test_a_number_of_instances_that_a_living_challenger_would_not_get_is_refused(
    checkout: Path, project: Registry, kind: str
) -> None:
    project.challenge(kind, instances=3)
    config = SPLIT | {"Challenger": kind}
    with pytest.raises(RefusedError, match=r"has 3 instances, and ChallengerInstanceCount 2 would not change that"):
        run(checkout, project, config)
    alone = {"EndpointInstanceCount": 2, "EndpointMaxInstanceCount": 2}  # without autoscaling the count is taken
    assert run(checkout, project, config | alone)["ChallengerInstanceCount"] == "2"


def test_the_champion_does_not_challenge_itself(
    checkout: Path, project: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(checkout, project, SPLIT | {"ChallengerVersion": 1})["Challenger"] == "none"
    assert "No challenger: version 1 is the champion itself." in capsys.readouterr().out


# ---- what is approved is what is deployed


def test_one_that_was_rejected_leaves_production_with_the_next_deployment(
    checkout: Path, project: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    project.challenge("variant")
    project.set_approval(arn(project, 2), "Rejected")
    exported = run(checkout, project, SPLIT)
    assert (exported["Challenger"], exported["VariantsChange"]) == ("none", "true")
    assert "No challenger: version 2 is Rejected, not Approved." in capsys.readouterr().out


@pytest.mark.parametrize("config", [SPLIT, OFF, SPLIT | {"ChallengerVersion": 9}, MIRROR | {"ChallengerVersion": 3}])
def test_no_autoscaling_and_no_other_challenger_keeps_one_that_was_rejected_in_production(
    checkout: Path, project: Registry, config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    project.challenge("variant")
    project.scale(2, 3, 600)
    project.set_approval(arn(project, 2), "Rejected")
    exported = run(checkout, project, config, MODEL_PACKAGE_ARN="auto")
    assert exported.get("ChallengerModelPackageName") != arn(project, 2)
    assert (exported["VariantsChange"], exported["EndpointMaxInstanceCount"]) == ("true", "4")
    assert (
        "autoscaling changes: from 2 to 3 instances, aiming at 600 for each now, from 2 to 4 instances, aiming at 600 "
        "for each then" in capsys.readouterr().out
    )


def test_nor_does_an_instance_type_that_a_push_would_be_refused_to_change(checkout: Path, project: Registry) -> None:
    project.serve(arn(project, 1), variant={"InstanceType": "ml.m5.xlarge"})
    project.challenge("variant")
    with pytest.raises(RefusedError, match=r"EndpointInstanceType: is .*, but fraud-prod runs on"):
        run(checkout, project, SPLIT, MODEL_PACKAGE_ARN="auto")
    project.set_approval(arn(project, 2), "Rejected")
    exported = run(checkout, project, SPLIT, MODEL_PACKAGE_ARN="auto")
    assert (exported["Challenger"], exported["EndpointInstanceType"]) == ("none", "ml.m5.xlarge")


def test_nor_does_a_number_of_instances_that_its_successor_would_not_get(
    checkout: Path, project: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    project.challenge("variant", instances=3)
    project.set_approval(arn(project, 2), "Rejected")
    exported = run(checkout, project, SPLIT | {"ChallengerVersion": 3}, MODEL_PACKAGE_ARN="auto")
    assert (exported["Challenger"], exported["VariantsChange"]) == ("none", "true")
    assert "No challenger: the one before it has 3 instances" in capsys.readouterr().out


def test_another_version_that_was_rejected_is_no_reason_to_hurry(checkout: Path, project: Registry) -> None:
    project.challenge("variant")
    project.scale(2, 3, 600)
    project.set_approval(arn(project, 3), "Rejected")
    with pytest.raises(RefusedError, match="It takes two pushes"):
        run(checkout, project, SPLIT | {"ChallengerVersion": 3}, MODEL_PACKAGE_ARN="auto")


def test_where_it_is_not_known_which_version_challenges_the_named_one_decides(
    checkout: Path, project: Registry
) -> None:
    project.challenge("variant", arn=arn(project, 1))
    project.stop_serving("fraud-prod-challenger")
    project.scale(2, 3, 600)
    project.set_approval(arn(project, 2), "Rejected")
    assert run(checkout, project, SPLIT, MODEL_PACKAGE_ARN="auto")["VariantsChange"] == "true"


@pytest.mark.parametrize(
    ("version", "approval", "status", "artefact", "said"),
    [
        (2, "PendingManualApproval", "Completed", True, "version 2 is PendingManualApproval, not Approved"),
        (2, "Approved", "Failed", True, "version 2 is Failed, not Completed"),
        (2, "Approved", "Completed", False, "version 2: its artefact"),
        (9, "Approved", "Completed", True, "version 9 does not exist"),
    ],
)
def test_one_that_cannot_be_deployed_is_refused_but_holds_no_rollback_up(
    checkout: Path, project: Registry, version: int, approval: str, status: str, artefact: bool, said: str
) -> None:
    project.set_approval(arn(project, 2), approval)
    project.set_status(arn(project, 2), status)
    if not artefact:
        project.lose_artefact(arn(project, 2))
    config = SPLIT | {"ChallengerVersion": version}
    with pytest.raises(RefusedError, match=f"The challenger cannot be deployed: {said}"):
        run(checkout, project, config)
    project.record_deployment(arn(project, 3), "2026-11-02T08:00:00Z")
    project.set_approval(arn(project, 1), "Rejected")
    exported = run(checkout, project, config, MODEL_PACKAGE_ARN="rollback")
    assert (exported["ModelPackageName"], exported["Challenger"]) == (arn(project, 3), "none")


def test_a_rollback_goes_through_whatever_becomes_of_the_variants(checkout: Path, project: Registry) -> None:
    project.challenge("variant")
    project.record_deployment(arn(project, 3), "2026-11-02T08:00:00Z")
    project.set_approval(arn(project, 1), "Rejected")
    exported = run(checkout, project, OFF, MODEL_PACKAGE_ARN="rollback")
    assert (exported["ModelPackageName"], exported["VariantsChange"]) == (arn(project, 3), "true")


@pytest.mark.parametrize(
    ("now", "wanted", "then", "changes"),
    [
        ("none", "variant", "none", False),
        ("none", "shadow", "none", False),
        ("variant", "shadow", "none", True),
        ("variant", "variant", "variant", False),
    ],
)
def test_a_rollback_keeps_a_challenger_or_drops_it_and_begins_none(
    checkout: Path, project: Registry, now: str, wanted: str, then: str, changes: bool
) -> None:
    if now != "none":
        project.challenge(now)
    project.record_deployment(arn(project, 3), "2026-11-02T08:00:00Z")
    project.set_approval(arn(project, 1), "Rejected")
    exported = run(checkout, project, SPLIT | {"Challenger": wanted}, MODEL_PACKAGE_ARN="rollback")
    assert (exported["ModelPackageName"], exported["Challenger"]) == (arn(project, 3), then)
    assert ("VariantsChange" in exported) == changes


# ---- contradictions


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (SPLIT | {"ChallengerVersion": 0}, "ChallengerVersion: missing"),
        (
            SPLIT | {"ChallengerTrafficPercent": 100},
            "ChallengerTrafficPercent: is 100, but the champion must keep some",
        ),
        (
            SPLIT | {"TrafficRouting": "ROLLING"},
            "TrafficRouting: is ROLLING, but SageMaker rolls no endpoint that has a",
        ),
        (
            MIRROR | {"TrafficRouting": "ROLLING"},
            "TrafficRouting: is ROLLING, but SageMaker rolls no endpoint that has a",
        ),
        (
            SPLIT | {"ChallengerInstanceCount": 1},
            "ChallengerInstanceCount: is 1, but TrafficRouting CANARY needs at least",
        ),
        (
            SPLIT | {"EnableDataCapture": False},
            "EnableDataCapture: is false, but what is not captured cannot be compared",
        ),
        (
            SPLIT | {"DeploymentMode": "serverless", "TrafficRouting": "ALL_AT_ONCE", "EnableNetworkIsolation": False},
            "Challenger: is variant, which DeploymentMode serverless does not have",
        ),
        (SPLIT | {"DeploymentMode": "async"}, "Challenger: is variant, which DeploymentMode async does not have"),
        ({"ChampionWeight": 5}, "ChampionWeight: set by build.py"),
    ],
)
def test_what_goes_with_no_challenger_is_refused(
    checkout: Path, project: Registry, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(RefusedError, match=rf"prod-config\.json: Parameters\.{said}"):
        run(checkout, project, config)


def test_staging_tests_one_version_alone(checkout: Path, project: Registry) -> None:
    with pytest.raises(RefusedError, match=r"staging-config\.json: .*staging tests one version alone"):
        run(checkout, project, SPLIT, stage="staging")


# ---- the template


WANTED = {"ChallengerVersion": 8, "ChallengerModelPackageName": "arn", "ChallengerInstanceCount": 2}


def test_a_variant_shares_the_requests_by_weight_and_has_alarms_of_its_own() -> None:
    found = Rendering(Challenger="variant", ChampionWeight=80, ChallengerTrafficPercent=20, **WANTED).resources()
    champion, challenger = found["EndpointConfig"]["ProductionVariants"]
    weights = [float(each["InitialVariantWeight"]) for each in (champion, challenger)]
    assert weights == pytest.approx([80, 20], rel=1e-4)
    assert (challenger["VariantName"], challenger["InitialInstanceCount"]) == ("Challenger", 2)
    assert challenger["ModelName"] == "<ChallengerModel.ModelName>"
    watched = found["Endpoint"]["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert {"AlarmName": "<ChallengerErrorsAlarm>"} in watched
    assert {"AlarmName": "<ChallengerLatencyAlarm>"} in watched


def test_a_shadow_is_no_production_variant_and_rolls_nothing_back() -> None:
    found = Rendering(Challenger="shadow", ChampionWeight=100, ChallengerTrafficPercent=30, **WANTED).resources()
    assert [each["VariantName"] for each in found["EndpointConfig"]["ProductionVariants"]] == ["AllTraffic"]
    [shadow] = found["EndpointConfig"]["ShadowProductionVariants"]
    assert shadow["InitialVariantWeight"] == 30
    assert "ChallengerErrorsAlarm" not in found


@pytest.mark.parametrize("changes", ["true", "false"])
def test_only_between_equal_variants_traffic_moves_watched_by_alarms(changes: str) -> None:
    endpoint = Rendering(VariantsChange=changes).resources()["Endpoint"]
    assert ("DeploymentConfig" in endpoint) == (changes == "false")


def test_without_a_challenger_there_is_no_trace_of_it() -> None:
    found = Rendering(ChallengerVersion=8).resources()
    assert not [name for name in found if name.startswith("Challenger")]
    assert "ShadowProductionVariants" not in found["EndpointConfig"]
    assert len(found["EndpointConfig"]["ProductionVariants"]) == 1
    assert len(found["Endpoint"]["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]) == 2
