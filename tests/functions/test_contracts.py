"""What the functions take from the template and from the deploy repository is what those say."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.decode.cfn_yaml import load

import clean_up
import deployments
import record_deployment

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENT = ROOT / "deploy_repo" / "deployment"


def constant(path: Path, name: str) -> Any:
    """The value of a constant of a module that is not imported: the deploy repository has an environment of its own."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and [ast.unparse(each) for each in statement.targets] == [name]:
            return ast.literal_eval(statement.value)
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
    assert "RecordDeployment" in stages[deployments.PRODUCTION_STAGE]


def test_going_back_has_one_name() -> None:
    assert constant(DEPLOYMENT / "settings.py", "ROLLBACK") == deployments.ROLLBACK


def test_a_rollback_reads_the_record_that_is_written() -> None:
    assert constant(DEPLOYMENT / "way_back.py", "DEPLOYED_AT") == record_deployment.DEPLOYED_AT
    assert constant(DEPLOYMENT / "way_back.py", "STAGE") == record_deployment.STAGE


def test_clean_up_ends_before_cloudformation_stops_waiting() -> None:
    template = load(str(ROOT / "cloudformation" / "project.yaml"))
    waits = template["Resources"]["CleanUp"]["Properties"]["ServiceTimeout"]
    assert int(waits) == clean_up.SERVICE_TIMEOUT_SECONDS == 3600
