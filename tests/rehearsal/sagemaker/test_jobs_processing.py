"""A processing job brings its inputs, runs its program, and uploads its outputs, all as its role."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.container import REWRITTEN_PATHS, Containers
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, JOB_GRANTS, Bench, Lab, left, processing, taken

ONE_INSTANCE = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
GROUP = "/aws/sagemaker/ProcessingJobs"


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([Lab]))


def test_inputs_become_files_and_files_become_outputs(bench: Bench) -> None:
    bench.put("words/a.txt", "one ")
    bench.put("words/deep/b.txt", "two")

    job = bench.process(
        "cat /opt/ml/processing/words/a.txt /opt/ml/processing/words/deep/b.txt > /opt/ml/processing/out/c.txt",
        ProcessingInputs=[taken("words", f"s3://{BUCKET}/words", "/opt/ml/processing/words")],
        ProcessingOutputConfig={"Outputs": [left("out", f"s3://{BUCKET}/joined", "/opt/ml/processing/out")]},
    )

    assert job["ProcessingJobStatus"] == "Completed", job
    assert bench.text(f"s3://{BUCKET}/joined/c.txt") == "one two"
    assert job["ProcessingStartTime"] <= job["ProcessingEndTime"]


def test_a_prefix_is_a_prefix_of_keys_and_not_a_folder(bench: Bench) -> None:
    bench.put("pre/train/x", "")
    bench.put("pre/train-more/y", "")

    job = bench.process(
        "find /opt/ml/processing/in -type f | sort",
        ProcessingInputs=[taken("in", f"s3://{BUCKET}/pre/train", "/opt/ml/processing/in")],
    )

    lines = bench.lines(GROUP, job["ProcessingJobName"])
    assert lines == ["/opt/ml/processing/in/train-more/y", "/opt/ml/processing/in/x"]


def test_one_object_is_brought_under_its_own_name(bench: Bench) -> None:
    uri = bench.put("single/claims.csv", "a,b")

    job = bench.process(
        "cat /opt/ml/processing/in/claims.csv", ProcessingInputs=[taken("in", uri, "/opt/ml/processing/in")]
    )

    assert bench.lines(GROUP, job["ProcessingJobName"]) == ["a,b"]


def test_an_input_without_objects_fails_with_what_to_check(bench: Bench) -> None:
    job = bench.process("true", ProcessingInputs=[taken("in", f"s3://{BUCKET}/nowhere", "/opt/ml/processing/in")])

    assert job["ProcessingJobStatus"] == "Failed"
    assert 'No S3 objects found under S3 URL "s3://lab-data/nowhere"' in job["FailureReason"]


def test_the_program_finds_its_configuration_and_its_credentials(bench: Bench) -> None:
    job = bench.process(
        "cat /opt/ml/config/processingjobconfig.json; echo; cat /opt/ml/config/resourceconfig.json; echo; env",
        Environment={"COLOUR": "blue"},
    )

    config, resources, *variables = bench.lines(GROUP, job["ProcessingJobName"])
    assert json.loads(config)["ProcessingJobArn"] == job["ProcessingJobArn"]
    assert json.loads(resources) == {"current_host": "algo-1", "hosts": ["algo-1"]}
    seen = dict(line.split("=", 1) for line in variables)
    assert seen["COLOUR"] == "blue"
    assert seen["AWS_REGION"] == "us-east-1"
    owner = bench.cloud.identity.credentials_of(seen["AWS_ACCESS_KEY_ID"])
    assert owner.principal_arn.endswith("/SageMaker")


def test_a_failing_program_uploads_nothing_and_says_what_it_wrote(bench: Bench) -> None:
    job = bench.process(
        "echo partial > /opt/ml/processing/out/x; echo no columns > /opt/ml/output/message; exit 2",
        ProcessingOutputConfig={"Outputs": [left("out", f"s3://{BUCKET}/never", "/opt/ml/processing/out")]},
    )

    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information, exit code: 2"
    assert job["ExitMessage"].strip() == "no columns"
    assert bench.keys("never") == []


def test_lines_reach_cloudwatch_while_the_job_runs(bench: Bench) -> None:
    name = bench.process("echo begun; sleep 600", wait=False)["ProcessingJobName"]

    def begun() -> dict[str, Any]:
        groups = bench.logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
        streams = groups and bench.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=name)["logStreams"]
        return {"seen": bool(streams) and bench.lines(GROUP, name) == ["begun"]}

    bench.until(begun, "seen", {True})
    assert bench.sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "InProgress"

    bench.sagemaker.stop_processing_job(ProcessingJobName=name)
    assert bench.processed(name)["ProcessingJobStatus"] == "Stopped"


def test_a_job_that_takes_longer_than_allowed_is_stopped(bench: Bench) -> None:
    job = bench.process("sleep 600", StoppingCondition={"MaxRuntimeInSeconds": 1})

    assert job["ProcessingJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("grant", "action"),
    [
        ("read", "s3:GetObject"),
        ("list", "s3:ListBucket"),
        ("write", "s3:PutObject"),
        ("login", "ecr:GetAuthorizationToken"),
        ("image", "ecr:BatchCheckLayerAvailability"),
        ("metrics", "cloudwatch:PutMetricData"),
        ("logs", "logs:DescribeLogStreams"),
    ],
)
def test_every_grant_of_the_role_is_needed(bench: Bench, grant: str, action: str) -> None:
    assert grant in JOB_GRANTS
    uri = bench.put("granted/in.txt", "in")

    job = bench.process(
        "cp /opt/ml/processing/in/* /opt/ml/processing/out/",
        RoleArn=bench.job_role(without=[grant]),
        ProcessingInputs=[taken("in", uri, "/opt/ml/processing/in")],
        ProcessingOutputConfig={"Outputs": [left("out", f"s3://{BUCKET}/granted", "/opt/ml/processing/out")]},
    )

    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert action in job["FailureReason"], job["FailureReason"]


def test_a_role_that_does_not_trust_sagemaker_is_refused_at_once(bench: Bench) -> None:
    role = bench.new_role("lambda.amazonaws.com", [{"Effect": "Allow", "Action": "*", "Resource": "*"}])

    with pytest.raises(ClientError, match=r"ValidationException.*Could not assume role"):
        bench.process("true", RoleArn=role)


def test_handing_over_a_role_needs_passrole(bench: Bench) -> None:
    person = bench.person({"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"})

    with pytest.raises(ClientError, match=r"AccessDeniedException.*iam:PassRole"):
        person.create_processing_job(ProcessingJobName="passed", **processing("true", bench.job_role()))


def test_tags_on_creation_need_addtags_under_the_requested_tags(bench: Bench) -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:processing-job/*"
    create = {"Effect": "Allow", "Action": "sagemaker:CreateProcessingJob", "Resource": arn}
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
    tag = {
        "Effect": "Allow",
        "Action": "sagemaker:AddTags",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:RequestTag/team": "claims"}},
    }
    person = bench.person(create, passing, tag)
    job = processing("true", bench.job_role())

    with pytest.raises(ClientError, match=r"AccessDeniedException.*sagemaker:AddTags"):
        person.create_processing_job(ProcessingJobName="tagged-1", Tags=[{"Key": "team", "Value": "other"}], **job)
    person.create_processing_job(ProcessingJobName="tagged-2", Tags=[{"Key": "team", "Value": "claims"}], **job)

    tags = bench.sagemaker.list_tags(ResourceArn=bench.processed("tagged-2")["ProcessingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "claims"}]


def test_names_are_unique_and_kept_in_lower_case_in_arns(bench: Bench) -> None:
    job = bench.process("true", ProcessingJobName="My-Job")

    assert job["ProcessingJobArn"].endswith(":processing-job/my-job")
    with pytest.raises(ClientError, match="ResourceInUse"):
        bench.process("true", ProcessingJobName="My-Job")


def test_an_unknown_job_is_not_found_in_the_words_of_aws(bench: Bench) -> None:
    with pytest.raises(ClientError, match="Could not find requested job with name: nobody"):
        bench.sagemaker.describe_processing_job(ProcessingJobName="nobody")


def test_jobs_are_listed_newest_first(bench: Bench) -> None:
    for name in ("listed-1", "listed-2"):
        bench.process("true", ProcessingJobName=name)

    listed = bench.sagemaker.list_processing_jobs(NameContains="listed-", StatusEquals="Completed")

    assert [job["ProcessingJobName"] for job in listed["ProcessingJobSummaries"]] == ["listed-2", "listed-1"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ProcessingResources": {"ClusterConfig": {**ONE_INSTANCE, "InstanceCount": 2}}}, "2 instances"),
        ({"AppSpecification": {"ImageUri": IMAGE}}, "no ContainerEntrypoint"),
        ({"AppSpecification": {"ImageUri": "me/mine:1", "ContainerEntrypoint": ["x"]}}, "me/mine:1"),
        ({"ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "AppManaged": True}]}}, "AppManaged"),
    ],
)
def test_what_is_not_played_is_refused_by_name(bench: Bench, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError, match=r"NotImplemented.*" + named):
        bench.process("true", **changes)


@pytest.mark.parametrize("path", ["/opt/ml/input", "/tmp/x", "/opt/ml/processing/../x"])  # noqa: S108 - refused
def test_local_paths_lie_below_processing(bench: Bench, path: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        bench.process("true", ProcessingInputs=[taken("in", f"s3://{BUCKET}/words", path)])


def test_an_image_of_another_region_is_refused(bench: Bench) -> None:
    image = IMAGE.replace("us-east-1", "eu-west-1")

    with pytest.raises(ClientError, match="Please provide an image URI in region us-east-1"):
        bench.process("true", AppSpecification={"ImageUri": image, "ContainerEntrypoint": ["true"]})


def test_a_customer_managed_key_needs_rights_on_the_key(bench: Bench) -> None:
    root = bench.cloud.identity.root
    key = bench.cloud.client("kms", root).create_key()["KeyMetadata"]["Arn"]

    job = bench.process("true", ProcessingOutputConfig={"Outputs": [], "KmsKeyId": key})

    assert f"kms:Encrypt on resource: {key}" in job["FailureReason"]


def test_a_vpc_needs_the_rights_of_network_interfaces(bench: Bench) -> None:
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}

    job = bench.process("true", NetworkConfig={"VpcConfig": vpc})

    assert "ec2:CreateNetworkInterface" in job["FailureReason"]


def test_where_namespaces_are_forbidden_a_job_runs_on_rewritten_paths(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.cloud.services["sagemaker"], "containers", Containers(bench.cloud, REWRITTEN_PATHS))
    uri = bench.put("rewritten/a.txt", "as it was")

    job = bench.process(
        "cp /opt/ml/processing/in/a.txt /opt/ml/processing/out/; cat /opt/ml/config/processingjobconfig.json",
        ProcessingInputs=[taken("in", uri, "/opt/ml/processing/in")],
        ProcessingOutputConfig={"Outputs": [left("out", f"s3://{BUCKET}/rewritten-out", "/opt/ml/processing/out")]},
    )

    assert bench.text(f"s3://{BUCKET}/rewritten-out/a.txt") == "as it was"
    (config,) = bench.lines(GROUP, job["ProcessingJobName"])
    assert json.loads(config)["ProcessingInputs"][0]["S3Input"]["LocalPath"].endswith("/ml/processing/in")
    assert '"/opt/ml' not in config


def test_a_cloud_that_stops_ends_its_jobs(start_cloud: StartCloud) -> None:
    short_lived = Bench(start_cloud([Lab]))
    marker = f"62{os.getpid()}"
    name = short_lived.process(f"echo up; sleep {marker}", wait=False)["ProcessingJobName"]
    short_lived.until(lambda: {"up": _running(marker)}, "up", {True})

    short_lived.cloud.stop()

    assert not _running(marker), name


def _running(seconds: str) -> bool:
    return bool(subprocess.run(["pgrep", "-f", f"^sleep {seconds}$"], capture_output=True, check=False).stdout)


def test_an_ended_job_is_an_event(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    events = recorded_events(bench.cloud, monkeypatch)

    job = bench.process("exit 1")
    bench.until(lambda: {"seen": bool(events)}, "seen", {True})

    source, detail_type, detail = events[-1]
    assert (source, detail_type) == ("aws.sagemaker", "SageMaker Processing Job State Change")
    assert (detail["ProcessingJobArn"], detail["ProcessingJobStatus"]) == (job["ProcessingJobArn"], "Failed")


def recorded_events(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """What the cloud's bus is given from now on."""
    events: list[tuple[str, str, dict[str, Any]]] = []
    monkeypatch.setattr(cloud.events, "emit", lambda source, kind, detail, _: events.append((source, kind, detail)))
    return events
