"""What the functions take from the template and from the deploy repository is what those say."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.decode.cfn_yaml import load

import aws
import challenger
import clean_up
import decide_deployment
import deployments
import going_back
import live_model
import patience
import progress
import record_deployment
import staging_stack

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENT = ROOT / "deploy_repo" / "deployment"


def constant(path: Path, name: str) -> Any:
    """The value of a constant of a module that is not imported: the deploy repository has an environment of its own."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and [ast.unparse(each) for each in statement.targets] == [name]:
            value = statement.value
            is_set = isinstance(value, ast.Call) and ast.unparse(value.func) == "frozenset"
            return frozenset(ast.literal_eval(value.args[0])) if is_set else ast.literal_eval(value)
    raise AssertionError(f"{path} has no {name}")


@pytest.fixture(scope="module")
def stages() -> dict[str, dict[str, Any]]:
    template = load(str(ROOT / "cloudformation" / "project.yaml"))
    pipeline = template["Resources"]["DeployPipeline"]["Properties"]
    assert deployments.PACKAGE_VARIABLE in {variable["Name"] for variable in pipeline["Variables"]}
    return {stage["Name"]: {action["Name"]: action for action in stage["Actions"]} for stage in pipeline["Stages"]}


def test_the_version_is_resolved_by_the_action_that_the_functions_ask(stages: dict[str, dict[str, Any]]) -> None:
    resolving = stages["Build"][deployments.RESOLVING_ACTION]
    buildspec = yaml.safe_load((ROOT / "deploy_repo" / "buildspec.yml").read_text())
    assert resolving["Namespace"] == "BuildVariables"
    assert deployments.RESOLVED_VARIABLE in buildspec["env"]["exported-variables"]


def test_production_is_approved_and_deployed_where_the_functions_look(stages: dict[str, dict[str, Any]]) -> None:
    order = list(stages)
    approving = next(stage for stage, actions in stages.items() if deployments.APPROVAL_ACTION in actions)
    assert stages[approving][deployments.APPROVAL_ACTION]["ActionTypeId"]["Category"] == "Approval"
    # "Has not reached production" is "waits for its approval, or is even further back".
    assert order.index(approving) + 1 == order.index(deployments.PRODUCTION_STAGE)
    assert order[-1] == deployments.PRODUCTION_STAGE
    assert deployments.RECORDING_ACTION in stages[deployments.PRODUCTION_STAGE]


def test_going_back_has_one_name() -> None:
    assert constant(DEPLOYMENT / "settings.py", "ROLLBACK") == deployments.ROLLBACK


def test_the_question_is_decided_where_the_stage_looks(stages: dict[str, dict[str, Any]]) -> None:
    template = load(str(ROOT / "cloudformation" / "project.yaml"))
    pipeline = template["Resources"]["DeployPipeline"]["Properties"]
    (stage,) = (each for each in pipeline["Stages"] if each["Name"] == deployments.APPROVAL_ACTION)
    rules = stage["BeforeEntry"]["Conditions"][0]["Rules"]
    asked = next(each["Configuration"] for each in rules if "Decision" in each["Configuration"]["Variable"])
    assert stages["Build"][deployments.DECIDING_ACTION]["Namespace"] == "Decision"
    assert asked["Variable"] == f"#{{Decision.{deployments.ASK_VARIABLE}}}"
    assert {deployments.ASK_VARIABLE: asked["Value"]} == decide_deployment.DO_NOT_ASK
    assert decide_deployment.ASK[deployments.ASK_VARIABLE] == "yes" != asked["Value"]


def test_the_record_that_the_functions_read_is_written() -> None:
    assert decide_deployment.STAGE == record_deployment.STAGE
    assert decide_deployment.DEPLOYED_AT == record_deployment.DEPLOYED_AT
    assert decide_deployment.APPROVED_BY == record_deployment.APPROVED_BY
    assert decide_deployment.NOBODY == record_deployment.NOBODY
    assert going_back.EXECUTION_ID == record_deployment.EXECUTION_ID


def test_the_deploy_repository_and_the_functions_agree_on_what_is_live() -> None:
    assert constant(DEPLOYMENT / "production.py", "NOT_LIVE") == live_model.NOT_LIVE


def test_champion_and_challenger_are_called_as_the_template_of_the_deploy_repository_calls_them() -> None:
    template = load(str(ROOT / "deploy_repo" / "endpoint-config-template.yml"))
    config = template["Resources"]["EndpointConfig"]["Properties"]
    champion, challenger = config["ProductionVariants"]
    [shadow] = config["ShadowProductionVariants"]["Fn::If"][1]
    names = [champion["VariantName"], challenger["Fn::If"][1]["VariantName"]]
    assert names == [live_model.CHAMPION, live_model.CHALLENGER]
    assert shadow["VariantName"] == live_model.CHALLENGER
    assert constant(DEPLOYMENT / "served.py", "(CHAMPION, CHALLENGER)") == tuple(names)
    assert constant(DEPLOYMENT / "settings.py", "AUTO") == deployments.AUTO


def test_what_a_build_says_of_a_challenger_is_what_is_judged_and_what_the_template_takes(
    stages: dict[str, dict[str, Any]],
) -> None:
    buildspec = yaml.safe_load((ROOT / "deploy_repo" / "buildspec.yml").read_text())
    told = set(constant(DEPLOYMENT / "challenger.py", "ABSENT"))
    assert told == {deployments.CHALLENGER_VARIABLE, challenger.KIND_VARIABLE, challenger.PERCENT_VARIABLE}
    assert told <= set(buildspec["env"]["exported-variables"])
    words = (challenger.NONE, challenger.VARIANT, challenger.SHADOW)
    assert constant(DEPLOYMENT / "served.py", "(NONE, VARIANT, SHADOW)") == words
    parameters = load(str(ROOT / "deploy_repo" / "endpoint-config-template.yml"))["Parameters"]
    assert tuple(parameters["Challenger"]["AllowedValues"]) == words
    given = challenger.Challenger().variables(keeps=False)
    for name, variable in (
        ("ChallengerTrafficPercent", challenger.PERCENT_VARIABLE),
        ("ChampionWeight", challenger.WEIGHT_VARIABLE),
    ):
        assert parameters[name]["MinValue"] <= int(given[variable]) <= parameters[name]["MaxValue"]
    read = {each for each in given if f"#{{Decision.{each}}}" in json.dumps(stages)}
    assert read == set(given), "nothing is told in vain"


def test_staging_goes_by_the_tag_that_the_deploy_repository_writes() -> None:
    assert constant(DEPLOYMENT / "stage.py", "KEEP_TAG") == staging_stack.KEEP_TAG
    assert json.dumps(False) == staging_stack.DELETED


def test_what_denies_a_look_is_told_alike() -> None:
    assert constant(DEPLOYMENT / "errors.py", "ACCESS_DENIED") >= aws.ACCESS_DENIED


def test_what_is_stopped_for_nothing_is_no_failure_to_explain() -> None:
    for repository in ("build_repo", "deploy_repo"):
        explained = constant(ROOT / repository / "project_tools" / "pipelines.py", "NOTHING_TO_DO")
        assert explained == deployments.NOTHING_TO_DO


def test_a_rollback_reads_the_record_that_is_written() -> None:
    assert constant(DEPLOYMENT / "way_back.py", "DEPLOYED_AT") == record_deployment.DEPLOYED_AT
    assert constant(DEPLOYMENT / "way_back.py", "STAGE") == record_deployment.STAGE


def test_clean_up_ends_before_cloudformation_stops_waiting() -> None:
    template = load(str(ROOT / "cloudformation" / "project.yaml"))
    waits = template["Resources"]["CleanUp"]["Properties"]["ServiceTimeout"]
    assert int(waits) == clean_up.SERVICE_TIMEOUT_SECONDS == 3600


def test_the_report_says_how_long_it_is_kept() -> None:
    template = load(str(ROOT / "cloudformation" / "project.yaml"))
    assert template["Resources"]["FunctionsLogGroup"]["Properties"]["RetentionInDays"] == progress.LOG_RETENTION_DAYS


def test_functions_that_wait_are_given_more_than_they_keep_for_handing_over() -> None:
    resources = load(str(ROOT / "cloudformation" / "project.yaml"))["Resources"]
    functions = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Lambda::Function"]
    timeouts = {each["Handler"].partition(".")[0]: each["Timeout"] for each in functions}
    modules = (ROOT / "cloudformation" / "functions").glob("*.py")
    waiting = {each.stem for each in modules if "Patience(" in each.read_text()} & set(timeouts)
    assert "follow_deployments" in waiting
    assert {each for each in waiting if timeouts[each] * 1000 <= 2 * patience.HAND_OVER_MILLISECONDS} == set()
