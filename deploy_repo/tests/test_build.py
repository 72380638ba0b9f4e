"""What build.py writes."""

import json
import runpy
from pathlib import Path

import pytest

import build
from deployment import rendering, template
from deployment.errors import RefusedError

from .conftest import ENVIRONMENT, ROOT, load
from .fake_registry import BUCKET, GROUP, ROLE, Registry

TEMPLATE = template.load(ROOT / "endpoint-config-template.yml")


def run(checkout: Path, registry: Registry, **changes: str) -> None:
    build.main(checkout, {**ENVIRONMENT, **changes}, registry.client)


def test_both_exports_hold_the_key_and_the_network_that_the_project_was_launched_with(
    checkout: Path, registry: Registry
) -> None:
    registry.register()
    launched = {"KMS_KEY_ARN": "arn:key", "VPC_SUBNET_IDS": "subnet-1,subnet-2", "VPC_SECURITY_GROUP_IDS": "sg-1"}
    run(checkout, registry, **launched)
    for stage in ("staging", "prod"):
        exported = load(checkout / f"{stage}-config-export.json")["Parameters"]
        names = ("KmsKeyArn", "VpcSubnetIds", "VpcSecurityGroupIds")
        assert [exported[name] for name in names] == list(launched.values())


def test_a_serverless_stage_cannot_leave_the_network_of_its_project(checkout: Path, registry: Registry) -> None:
    config = {"Parameters": {"DeploymentMode": "serverless", "EnableNetworkIsolation": False}}
    (checkout / "staging-config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(RefusedError, match=r"staging-config\.json: .* launched with subnets"):
        run(checkout, registry, VPC_SUBNET_IDS="subnet-1", VPC_SECURITY_GROUP_IDS="sg-1")


@pytest.mark.parametrize("name", ["VPC_SUBNET_IDS", "VPC_SECURITY_GROUP_IDS"])
def test_half_a_network_is_refused(checkout: Path, registry: Registry, name: str) -> None:
    with pytest.raises(RefusedError, match="set both or none"):
        run(checkout, registry, **{name: "x"})


def test_the_staging_export_holds_exactly_this(checkout: Path, registry: Registry) -> None:
    arn = registry.register()
    run(checkout, registry)
    exported = load(checkout / "staging-config-export.json")
    assert exported == {
        "Parameters": {
            "SageMakerProjectName": "fraud",
            "SageMakerProjectId": "p-abc123",
            "StageName": "staging",
            "EndpointName": "fraud-staging",
            "ModelPackageName": arn,
            "ModelExecutionRoleArn": ROLE,
            "DataCaptureS3Uri": f"s3://{BUCKET}/data-capture",
            "AsyncS3Uri": f"s3://{BUCKET}/async",
            "KmsKeyArn": "",
            "VpcSubnetIds": "",
            "VpcSecurityGroupIds": "",
            "EndpointUpdateDigest": rendering.update_digest(TEMPLATE, exported["Parameters"]),
            "EndpointInstanceType": "ml.m5.large",
            "EndpointInstanceCount": "1",
            "EndpointMaxInstanceCount": "1",
            "TrafficRouting": "ALL_AT_ONCE",
            "TerminationWaitSeconds": "0",
            "ServerErrorsAlarmCount": "5",
            "ModelLatencyAlarmMicroseconds": "500000",
            "EnableDataCapture": "true",
            "SamplingPercentage": "100",
        },
        "Tags": {
            "sagemaker:project-name": "fraud",
            "sagemaker:project-id": "p-abc123",
            "sagemaker:deployment-stage": "staging",
            "model-package-version": "1",
            "keep-after-tests": "false",
        },
    }


def test_the_production_export_holds_exactly_this(checkout: Path, registry: Registry) -> None:
    arn = registry.register()
    run(checkout, registry)
    exported = load(checkout / "prod-config-export.json")
    assert exported == {
        "Parameters": {
            "SageMakerProjectName": "fraud",
            "SageMakerProjectId": "p-abc123",
            "StageName": "prod",
            "EndpointName": "fraud-prod",
            "ModelPackageName": arn,
            "ModelExecutionRoleArn": ROLE,
            "DataCaptureS3Uri": f"s3://{BUCKET}/data-capture",
            "AsyncS3Uri": f"s3://{BUCKET}/async",
            "KmsKeyArn": "",
            "VpcSubnetIds": "",
            "VpcSecurityGroupIds": "",
            "EndpointUpdateDigest": rendering.update_digest(TEMPLATE, exported["Parameters"]),
            "EndpointInstanceType": "ml.m5.large",
            "EndpointInstanceCount": "2",
            "EndpointMaxInstanceCount": "4",
            "InvocationsPerInstanceTarget": "600",
            "TrafficRouting": "CANARY",
            "CanaryPercent": "10",
            "TrafficWaitSeconds": "300",
            "TerminationWaitSeconds": "300",
            "ServerErrorsAlarmCount": "5",
            "ModelLatencyAlarmMicroseconds": "500000",
            "EnableDataCapture": "true",
            "SamplingPercentage": "20",
        },
        "Tags": {
            "sagemaker:project-name": "fraud",
            "sagemaker:project-id": "p-abc123",
            "sagemaker:deployment-stage": "prod",
            "model-package-version": "1",
        },
    }


def test_the_pipeline_is_told_what_is_deployed(checkout: Path, registry: Registry) -> None:
    arn = registry.register()
    run(checkout, registry)
    assert (checkout / "exports/build.env").read_text().splitlines() == [
        "export DEPLOY=yes",
        f"export MODEL_PACKAGE_ARN_RESOLVED={arn}",
        "export MODEL_PACKAGE_VERSION=1",
        "export CHALLENGER_MODEL_PACKAGE_ARN=none",
        "export CHALLENGER_KIND=none",
        "export CHALLENGER_TRAFFIC_PERCENT=none",
    ]


def test_a_way_back_writes_the_configuration_of_the_version_that_comes_back(
    checkout: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier, live = registry.register(), registry.register("Rejected")
    registry.record_deployment(earlier, "2026-11-01T10:00:00Z")
    registry.record_deployment(live, "2026-11-02T10:00:00Z", "Live")
    registry.serve(live)
    run(checkout, registry, MODEL_PACKAGE_ARN="rollback")
    assert (checkout / "exports/build.env").read_text().splitlines() == [
        "export DEPLOY=yes",
        f"export MODEL_PACKAGE_ARN_RESOLVED={earlier}",
        "export MODEL_PACKAGE_VERSION=1",
        "export CHALLENGER_MODEL_PACKAGE_ARN=none",
        "export CHALLENGER_KIND=none",
        "export CHALLENGER_TRAFFIC_PERCENT=none",
    ]
    assert load(checkout / "prod-config-export.json")["Parameters"]["ModelPackageName"] == earlier
    assert "Deploying version 1, because of the versions that were in production" in capsys.readouterr().out


def test_no_condition_of_the_template_that_cannot_be_answered_holds_a_way_back_up(
    checkout: Path, registry: Registry
) -> None:
    path = checkout / "endpoint-config-template.yml"
    written = path.read_text(encoding="utf-8")
    unclear = written.replace("!Equals [!Ref TrafficRouting, CANARY]", "!Equals [!Ref AWS::Region, eu-west-1]")
    path.write_text(unclear, encoding="utf-8")
    earlier, live = registry.register(), registry.register()
    registry.record_deployment(earlier, "2026-11-01T10:00:00Z")
    registry.record_deployment(live, "2026-11-02T10:00:00Z", "Live")
    registry.serve(live)
    with pytest.raises(RefusedError, match=r"Conditions\.UseCanary: depends on Ref AWS::Region, which only"):
        run(checkout, registry)
    assert not (checkout / "staging-config-export.json").exists()
    registry.set_approval(live, "Rejected")
    run(checkout, registry, MODEL_PACKAGE_ARN="rollback")
    assert load(checkout / "prod-config-export.json")["Parameters"]["ModelPackageName"] == earlier


def test_a_way_back_that_leads_nowhere_ends_the_build_without_any_export(checkout: Path, registry: Registry) -> None:
    registry.serve(registry.register("Rejected"))
    with pytest.raises(RefusedError, match="There is nothing to go back to"):
        run(checkout, registry, MODEL_PACKAGE_ARN="rollback")
    assert list(checkout.glob("*-export.json")) == []
    assert not (checkout / "exports/build.env").exists()


def test_with_nothing_to_deploy_the_build_succeeds_and_says_why(
    checkout: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    run(checkout, registry)
    assert capsys.readouterr().out == (
        f"Nothing to deploy: no version of {GROUP} is approved, and there is no endpoint fraud-prod yet. "
        "Approve a version in the Model Registry to deploy it.\n"
    )
    assert (checkout / "exports/build.env").read_text().splitlines() == [
        "export DEPLOY=no",
        "export MODEL_PACKAGE_ARN_RESOLVED=none",
        "export MODEL_PACKAGE_VERSION=none",
        "export CHALLENGER_MODEL_PACKAGE_ARN=none",
        "export CHALLENGER_KIND=none",
        "export CHALLENGER_TRAFFIC_PERCENT=none",
    ]


@pytest.mark.parametrize("stage_name", ["staging", "prod"])
def test_with_nothing_to_deploy_the_exports_exist_and_no_cloudformation_would_take_them(
    checkout: Path, registry: Registry, stage_name: str
) -> None:
    run(checkout, registry)
    export = load(checkout / f"{stage_name}-config-export.json")
    assert export["Parameters"].keys() == {"NothingToDeploy"}, "one parameter, which the template does not have"


def test_a_refused_build_leaves_no_export_of_an_earlier_one_behind(checkout: Path, registry: Registry) -> None:
    arn = registry.register()
    run(checkout, registry)
    registry.set_approval(arn, "Rejected")
    with pytest.raises(RefusedError):
        run(checkout, registry, MODEL_PACKAGE_ARN=arn)
    assert list(checkout.glob("*-export.json")) == []
    assert not (checkout / "exports/build.env").exists()


def test_a_bad_configuration_is_refused_before_aws_is_asked(checkout: Path) -> None:
    (checkout / "prod-config.json").write_text('{"Parameters": {"EndpointInstanceCount": 0}}')
    with pytest.raises(RefusedError, match=r"prod-config\.json: Parameters\.EndpointInstanceCount"):
        build.main(checkout, ENVIRONMENT, client=_no_client)


def test_production_without_time_for_the_alarms_is_refused_and_staging_is_not(
    checkout: Path, registry: Registry
) -> None:
    registry.register()
    unwatched = '{"Parameters": {"TrafficRouting": "ALL_AT_ONCE", "TerminationWaitSeconds": 0}}'
    (checkout / "staging-config.json").write_text(unwatched)
    run(checkout, registry)
    (checkout / "prod-config.json").write_text(unwatched)
    with pytest.raises(RefusedError, match=r"^prod-config\.json: Parameters\.TerminationWaitSeconds: is 0"):
        run(checkout, registry)


def _no_client(service: str) -> None:
    raise AssertionError(f"{service} was asked")


def test_run_by_hand_without_its_environment_it_ends_with_a_message_that_names_every_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "build.py"), run_name="__main__")
    assert isinstance(end.value.code, str)
    message = end.value.code  # as text: Python shows it, without a traceback, and ends with status 1
    assert message.startswith("make build: ")
    for name in ENVIRONMENT.keys() - {"MODEL_PACKAGE_ARN"}:
        assert name in message


# ---- another way of serving


def write_mode(checkout: Path, stage_name: str, mode: str) -> None:
    path = checkout / f"{stage_name}-config.json"
    config = load(path)
    config["Parameters"] |= {"DeploymentMode": mode, "EnableNetworkIsolation": False, "TrafficRouting": "ALL_AT_ONCE"}
    path.write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize("stage_name", ["staging", "prod"])
def test_an_endpoint_on_instances_is_not_made_serverless(checkout: Path, registry: Registry, stage_name: str) -> None:
    registry.serve(registry.register(), f"fraud-{stage_name}")
    write_mode(checkout, stage_name, "serverless")
    with pytest.raises(RefusedError) as refusal:
        run(checkout, registry)
    assert f"The endpoint fraud-{stage_name} runs on instances" in str(refusal.value)
    assert f"delete the stack sagemaker-fraud-p-abc123-deploy-{stage_name} first" in str(refusal.value)


def test_a_stage_may_be_serverless_from_the_beginning_and_stay_so(
    checkout: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = registry.register()
    write_mode(checkout, "staging", "serverless")
    run(checkout, registry)
    told = capsys.readouterr().out
    assert "staging-config.json: DeploymentMode serverless has no use for EndpointInstanceType" in told
    assert "prod-config.json: DeploymentMode" not in told
    size = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
    registry.serve(arn, "fraud-staging", size)
    run(checkout, registry)
    assert load(checkout / "staging-config-export.json")["Parameters"]["DeploymentMode"] == "serverless"
    assert "DeploymentMode" not in load(checkout / "prod-config-export.json")["Parameters"]


IN_FILES = {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/async/fraud-prod/output"}}}
SERVERLESS = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}


@pytest.mark.parametrize("planned", ["realtime", "serverless"])
def test_an_asynchronous_endpoint_is_made_no_other(checkout: Path, registry: Registry, planned: str) -> None:
    registry.serve(registry.register(), config=IN_FILES)
    write_mode(checkout, "prod", planned)
    with pytest.raises(RefusedError) as refusal:
        run(checkout, registry)
    assert f"The endpoint fraud-prod is asynchronous, and SageMaker cannot make it {planned}" in str(refusal.value)
    assert "delete the stack sagemaker-fraud-p-abc123-deploy-prod first" in str(refusal.value)


@pytest.mark.parametrize(("now", "variant"), [("realtime", {}), ("serverless", SERVERLESS)])
def test_no_endpoint_that_lives_is_made_asynchronous(
    checkout: Path, registry: Registry, now: str, variant: dict[str, object]
) -> None:
    registry.serve(registry.register(), variant=variant)
    write_mode(checkout, "prod", "async")
    with pytest.raises(RefusedError, match=f"is {now}, and SageMaker is not known to make one asynchronous that lives"):
        run(checkout, registry)


def test_a_stage_may_be_asynchronous_from_the_beginning_and_stay_so(
    checkout: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = registry.register()
    write_mode(checkout, "prod", "async")
    run(checkout, registry)
    told = capsys.readouterr().out
    assert (
        "prod-config.json: DeploymentMode async has no use for InvocationsPerInstanceTarget, EnableDataCapture, "
        "SamplingPercentage." in told
    )
    registry.serve(arn, config=IN_FILES)
    run(checkout, registry)
    assert load(checkout / "prod-config-export.json")["Parameters"]["DeploymentMode"] == "async"


def test_another_instance_type_of_a_fleet_that_scales_takes_two_pushes_and_each_is_told(
    checkout: Path, registry: Registry
) -> None:
    registry.serve(registry.register(), variant={"InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 2})
    registry.scale(2, 4, 600)
    with pytest.raises(RefusedError) as refusal:
        run(checkout, registry)
    first, once, then, nothing = str(refusal.value).splitlines()
    assert first.startswith(
        "prod-config.json: Parameters.EndpointInstanceType: is ml.m5.large, but fraud-prod runs on ml.m5.xlarge and "
        "scales from 2 to 4 instances, aiming at 600 for each."
    )
    assert once.startswith(
        "1. EndpointInstanceType ml.m5.xlarge as it is, EndpointInstanceCount 3 and EndpointMaxInstanceCount 3: "
        "autoscaling ends"
    )
    assert then == (
        "2. Once that is deployed, EndpointInstanceType ml.m5.large, EndpointInstanceCount 2 and "
        "EndpointMaxInstanceCount 4: autoscaling begins again."
    )
    assert nothing == "Nothing was deployed."


def test_a_way_back_keeps_the_instance_type_that_a_push_would_be_refused_to_change(
    checkout: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier, live = registry.register(), registry.register("Rejected")
    registry.record_deployment(earlier, "2026-11-01T10:00:00Z")
    registry.record_deployment(live, "2026-11-02T10:00:00Z", "Live")
    registry.serve(live, variant={"InstanceType": "ml.m5.xlarge"})
    registry.scale(2, 4, 600)
    run(checkout, registry, MODEL_PACKAGE_ARN="rollback")
    exported = load(checkout / "prod-config-export.json")["Parameters"]
    assert (exported["ModelPackageName"], exported["EndpointInstanceType"]) == (earlier, "ml.m5.xlarge")
    assert (
        "prod-config.json: EndpointInstanceType ml.m5.large waits for a push of its own: fraud-prod stays on "
        "ml.m5.xlarge in this deployment" in capsys.readouterr().out
    )


def test_another_instance_type_of_an_asynchronous_endpoint_is_told_with_its_own_way(
    checkout: Path, registry: Registry
) -> None:
    registry.serve(registry.register(), variant={"InstanceType": "ml.m5.xlarge"}, config=IN_FILES)
    registry.scale(0, 4, 5)
    write_mode(checkout, "prod", "async")
    with pytest.raises(
        RefusedError, match="AsyncLeastInstanceCount 2 and EndpointMaxInstanceCount 2: autoscaling ends"
    ):
        run(checkout, registry)


def test_another_instance_type_of_a_fleet_that_does_not_scale_is_deployed(checkout: Path, registry: Registry) -> None:
    registry.serve(registry.register(), variant={"InstanceType": "ml.m5.xlarge"})
    run(checkout, registry)
    assert load(checkout / "prod-config-export.json")["Parameters"]["EndpointInstanceType"] == "ml.m5.large"


def test_where_nobody_may_look_whether_a_fleet_scales_the_way_to_another_type_is_told(
    checkout: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.serve(registry.register(), variant={"InstanceType": "ml.m5.xlarge"})
    registry.refuses["DescribeScalableTargets"] = "AccessDeniedException"
    run(checkout, registry)
    told = capsys.readouterr().out
    assert "The endpoint fraud-prod moves from ml.m5.xlarge to ml.m5.large." in told
    assert "push EndpointInstanceCount equal to EndpointMaxInstanceCount first" in told
