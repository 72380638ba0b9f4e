"""What a person may write into staging-config.json and prod-config.json, and what they are told otherwise."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from deployment import stage, template
from deployment.errors import RefusedError

from .conftest import ROOT

PARAMETERS = template.parameters(template.load(ROOT / "endpoint-config-template.yml"))


SERVERLESS = {"DeploymentMode": "serverless", "EnableNetworkIsolation": False}
ASYNC = {"DeploymentMode": "async"}
FLEET_OF_TEN = {"EndpointInstanceCount": 10, "EndpointMaxInstanceCount": 10}


def read(folder: Path, content: object) -> stage.StageConfig:
    path = folder / "prod-config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return stage.read(path, PARAMETERS, stage.RESOLVED_PARAMETERS)


def refusal_of(folder: Path, content: object) -> str:
    with pytest.raises(RefusedError) as refusal:
        read(folder, content)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"InstanceTyp": "ml.m5.large"}, "Parameters.InstanceTyp: unknown; endpoint-config-template.yml has Async"),
        ({"ModelPackageName": "arn"}, "Parameters.ModelPackageName: set by build.py; remove it here"),
        (
            {"EndpointInstanceCount": "2"},
            'Parameters.EndpointInstanceCount: must be a whole number from 1 to 100, not "2"',
        ),
        ({"EndpointInstanceCount": 1.5}, "EndpointInstanceCount: must be a whole number from 1 to 100, not 1.5"),
        ({"EndpointInstanceCount": True}, "EndpointInstanceCount: must be a whole number from 1 to 100, not true"),
        ({"EndpointInstanceCount": 0}, "EndpointInstanceCount: must be a whole number from 1 to 100, not 0"),
        ({"CanaryPercent": 51}, "Parameters.CanaryPercent: must be a whole number from 1 to 50, not 51"),
        ({"TrafficWaitSeconds": 3601}, "TrafficWaitSeconds: must be a whole number from 0 to 3600, not 3601"),
        (
            {"ServerErrorsAlarmCount": 0},
            "ServerErrorsAlarmCount: must be a whole number from 1 to 1000000, not 0",
        ),
        (
            {"ModelLatencyAlarmMicroseconds": 5},
            "ModelLatencyAlarmMicroseconds: must be a whole number from 1000 to 3600000000, not 5",
        ),
        (
            {"TrafficRouting": "SLOWLY"},
            'TrafficRouting: must be one of ALL_AT_ONCE, CANARY, LINEAR, ROLLING, not "SLOWLY"',
        ),
        (
            {"DeploymentMode": "lambda"},
            'DeploymentMode: must be one of realtime, serverless, async, batch, not "lambda"',
        ),
        (
            {"ServerlessMemoryMegabytes": 2000},
            "ServerlessMemoryMegabytes: must be one of 1024, 2048, 3072, 4096, 5120, 6144, not 2000",
        ),
        ({"AsyncMaxConcurrentInvocations": 0}, "AsyncMaxConcurrentInvocations: must be a whole number from 1 to 1000"),
        ({"AsyncLeastInstanceCount": -1}, "AsyncLeastInstanceCount: must be a whole number from 0 to 100, not -1"),
        ({"AsyncS3Uri": "s3://mine/async"}, "Parameters.AsyncS3Uri: set by build.py; remove it here"),
        ({"LinearStepPercent": 5}, "LinearStepPercent: must be a whole number from 10 to 50, not 5"),
        ({"RollingBatchPercent": 60}, "RollingBatchPercent: must be a whole number from 5 to 50, not 60"),
        ({"RollbackBatchPercent": 101}, "RollbackBatchPercent: must be a whole number from 5 to 100, not 101"),
        ({"EnableDataCapture": "yes"}, 'Parameters.EnableDataCapture: must be one of true, false, not "yes"'),
        ({"EndpointInstanceType": "m5.large"}, "Parameters.EndpointInstanceType: must be text that matches ^ml"),
        ({"EndpointInstanceType": 5}, "Parameters.EndpointInstanceType: must be text that matches ^ml"),
        ({"EndpointInstanceType": None}, "Parameters.EndpointInstanceType: must be text that matches ^ml"),
        ({"KmsKeyArn": ""}, "Parameters.KmsKeyArn: set by build.py; remove it here"),
    ],
)
def test_a_wrong_parameter_is_refused_by_file_and_key(tmp_path: Path, parameters: dict[str, Any], message: str) -> None:
    refusal = refusal_of(tmp_path, {"Parameters": parameters})
    assert refusal.startswith("prod-config.json: ")
    assert message in refusal


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"EndpointInstanceCount": 3, "EndpointMaxInstanceCount": 2},
            "Parameters.EndpointMaxInstanceCount: is 2, below EndpointInstanceCount, which is 3",
        ),
        (
            {"TrafficRouting": "CANARY", "EndpointInstanceCount": 1},
            "Parameters.EndpointInstanceCount: is 1, but TrafficRouting CANARY needs at least 2",
        ),
        (
            {
                "TrafficRouting": "CANARY",
                "EndpointInstanceCount": 2,
                "EndpointMaxInstanceCount": 2,
                "TrafficWaitSeconds": 60,
            },
            "Parameters.TrafficWaitSeconds: is 60, but the alarms need 120 seconds or more",
        ),
        (
            {"TrafficRouting": "LINEAR", "EndpointInstanceCount": 1},
            "Parameters.EndpointInstanceCount: is 1, but TrafficRouting LINEAR needs at least 2",
        ),
        (
            {"TrafficRouting": "ROLLING", "EndpointInstanceCount": 1},
            "Parameters.EndpointInstanceCount: is 1, but TrafficRouting ROLLING needs at least 2",
        ),
        (
            {**FLEET_OF_TEN, "TrafficRouting": "LINEAR", "LinearStepPercent": 10, "TrafficWaitSeconds": 1800},
            "Parameters.TrafficWaitSeconds: is 1800, with which LINEAR takes up to 16800 seconds",
        ),
        (
            {**FLEET_OF_TEN, "TrafficRouting": "ROLLING", "RollingBatchPercent": 10, "TrafficWaitSeconds": 900},
            "Parameters.TrafficWaitSeconds: is 900, with which ROLLING takes up to 15000 seconds",
        ),
        (
            {"DeploymentMode": "serverless"},
            "Parameters.EnableNetworkIsolation: is true, but SageMaker cannot cut a serverless container off",
        ),
        (
            {**SERVERLESS, "ServerlessProvisionedConcurrency": 6},
            "Parameters.ServerlessProvisionedConcurrency: is 6, above ServerlessMaxConcurrency, which is 5",
        ),
        (
            {**ASYNC, "AsyncLeastInstanceCount": 2},
            "Parameters.AsyncLeastInstanceCount: is 2, above EndpointInstanceCount, which is 1",
        ),
        (
            {**ASYNC, "EndpointInstanceCount": 2},
            "Parameters.EndpointMaxInstanceCount: is 1, below EndpointInstanceCount, which is 2",
        ),
        (
            {**ASYNC, "TrafficRouting": "CANARY"},
            "Parameters.EndpointInstanceCount: is 1, but TrafficRouting CANARY needs at least 2",
        ),
        ({"OwnAlarmThreshold": 5}, "Parameters.OwnAlarmThreshold: has no effect without OwnAlarmMetricName"),
        (
            {"OwnAlarmMetricName": "Invocations", "OwnAlarmNamespace": "AWS/SageMaker"},
            "Parameters.OwnAlarmNamespace: is one of AWS's own",
        ),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(
    tmp_path: Path, parameters: dict[str, Any], message: str
) -> None:
    assert f"prod-config.json: {message}" in refusal_of(tmp_path, {"Parameters": parameters})


@pytest.mark.parametrize(("seconds", "is_refused"), [(119, True), (120, False)])
def test_production_must_leave_the_alarms_time_to_bring_the_old_version_back(
    tmp_path: Path, seconds: int, is_refused: bool
) -> None:
    path = tmp_path / "prod-config.json"
    path.write_text(
        json.dumps({"Parameters": {"TrafficRouting": "ALL_AT_ONCE", "TerminationWaitSeconds": seconds}}),
        encoding="utf-8",
    )
    stage.read(path, PARAMETERS, stage.RESOLVED_PARAMETERS)
    refusing = (
        pytest.raises(RefusedError, match=r"Parameters\.TerminationWaitSeconds: is 119, but with TrafficRouting")
        if is_refused
        else contextlib.nullcontext()
    )
    with refusing:
        stage.read(path, PARAMETERS, stage.RESOLVED_PARAMETERS, watched=True)


@pytest.mark.parametrize(
    "parameters",
    [
        {**FLEET_OF_TEN, "TrafficRouting": "LINEAR", "LinearStepPercent": 10, "TrafficWaitSeconds": 1500},
        {**FLEET_OF_TEN, "TrafficRouting": "ROLLING", "RollingBatchPercent": 10, "TrafficWaitSeconds": 800},
        {"TrafficRouting": "LINEAR", "EndpointInstanceCount": 2, "EndpointMaxInstanceCount": 2},
        ASYNC,
        {**ASYNC, **FLEET_OF_TEN, "TrafficRouting": "LINEAR", "AsyncLeastInstanceCount": 10},
        SERVERLESS,
        {**SERVERLESS, "ServerlessMaxConcurrency": 20, "ServerlessProvisionedConcurrency": 20},
        {"OwnAlarmMetricName": "pay-share", "OwnAlarmThreshold": 0.5, "OwnAlarmNamespace": "Claims"},
    ],
)
def test_what_fits_together_is_accepted(tmp_path: Path, parameters: dict[str, Any]) -> None:
    assert read(tmp_path, {"Parameters": parameters}).parameters.keys() == parameters.keys()


@pytest.mark.parametrize("strategy", ["CANARY", "LINEAR", "ROLLING"])
def test_serverless_moves_all_at_once_or_not_at_all(tmp_path: Path, strategy: str) -> None:
    refusal = refusal_of(tmp_path, {"Parameters": {**SERVERLESS, "TrafficRouting": strategy}})
    assert f"Parameters.TrafficRouting: is {strategy}, but SageMaker moves a serverless endpoint all at once" in refusal


def test_an_alarm_that_sagemaker_may_not_look_at_is_refused_with_the_name_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "prod-config.json"
    mine = "sagemaker-fraud-p-1-deploy-"
    for name, is_refused in ((f"{mine}business", False), ("business", True)):
        path.write_text(json.dumps({"Parameters": {"ExistingAlarmName": name}}), encoding="utf-8")
        refusing = pytest.raises(RefusedError, match=f"begins with {mine}") if is_refused else contextlib.nullcontext()
        with refusing:
            stage.read(path, PARAMETERS, stage.RESOLVED_PARAMETERS, alarm_prefix=mine)


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    refusal = refusal_of(tmp_path, {"Parameters": {"CanaryPercent": 0, "Colour": "red"}, "Tags": {"a": 1}})
    assert len(refusal.splitlines()) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{'Parameters': {}}", "prod-config.json is not valid JSON: Expecting property name"),
        ([], 'prod-config.json must have the form {"Parameters": {...}, "Tags": {...}}.'),
        ({}, 'prod-config.json must have the form {"Parameters": {...}, "Tags": {...}}.'),
        ({"Parameters": {}, "Tag": {}}, "prod-config.json: Tag: unknown; only Parameters and Tags may stand here"),
        (
            {"Parameters": {}, "KeepAfterTests": False},
            "prod-config.json: KeepAfterTests: unknown; only Parameters and Tags may stand here",
        ),
        (
            {"Parameters": {}, "Tags": {"keep-after-tests": "true"}},
            "prod-config.json: Tags.keep-after-tests: this key is reserved",
        ),
        ({"Parameters": {}, "Tags": []}, "prod-config.json: Tags: must be an object of texts, not []"),
        ({"Parameters": {}, "Tags": {"a": 1}}, "prod-config.json: Tags.a: must be text, not 1"),
        (
            {"Parameters": {}, "Tags": {"sagemaker:project-id": "x"}},
            "prod-config.json: Tags.sagemaker:project-id: this key is reserved",
        ),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: object, message: str) -> None:
    assert message in refusal_of(tmp_path, content)


def test_a_missing_file_is_refused_with_the_way_to_get_it_back(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"git checkout prod-config\.json"):
        stage.read(tmp_path / "prod-config.json", PARAMETERS, stage.RESOLVED_PARAMETERS)


def test_a_parameter_without_default_that_is_added_to_the_template_must_be_set(tmp_path: Path) -> None:
    own = template.Parameter("Owner", False, None, (), None, None, None, 0, None)
    path = tmp_path / "prod-config.json"
    path.write_text('{"Parameters": {}}')
    with pytest.raises(RefusedError, match=r"prod-config\.json: Parameters\.Owner: missing; must be text"):
        stage.read(path, {**PARAMETERS, "Owner": own}, stage.RESOLVED_PARAMETERS)


def test_values_become_the_text_cloudformation_takes_and_own_tags_are_kept(tmp_path: Path) -> None:
    config = read(
        tmp_path, {"Parameters": {"EnableDataCapture": False, "SamplingPercentage": 5}, "Tags": {"team": "claims"}}
    )
    assert config == stage.StageConfig({"EnableDataCapture": "false", "SamplingPercentage": "5"}, {"team": "claims"})


@pytest.mark.parametrize("stage_name", ["staging", "prod"])
def test_the_configuration_in_this_repository_is_accepted(stage_name: str) -> None:
    for_tests = stage_name == "staging"
    stage.read(ROOT / f"{stage_name}-config.json", PARAMETERS, stage.RESOLVED_PARAMETERS, for_tests=for_tests)


@pytest.mark.parametrize(
    ("content", "kept"), [({}, False), ({"KeepAfterTests": False}, False), ({"KeepAfterTests": True}, True)]
)
def test_staging_is_kept_after_its_tests_only_where_the_file_says_so(
    tmp_path: Path, content: dict[str, bool], kept: bool
) -> None:
    path = tmp_path / "staging-config.json"
    path.write_text(json.dumps({"Parameters": {"EndpointInstanceType": "ml.m5.large"}, **content}))
    assert stage.read(path, PARAMETERS, stage.RESOLVED_PARAMETERS, for_tests=True).is_kept is kept


def test_whether_staging_is_kept_is_yes_or_no(tmp_path: Path) -> None:
    path = tmp_path / "staging-config.json"
    path.write_text(json.dumps({"Parameters": {"EndpointInstanceType": "ml.m5.large"}, "KeepAfterTests": "no"}))
    with pytest.raises(RefusedError, match='KeepAfterTests: must be true or false, not "no"'):
        stage.read(path, PARAMETERS, stage.RESOLVED_PARAMETERS, for_tests=True)
