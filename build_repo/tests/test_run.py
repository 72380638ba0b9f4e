"""Running the pipeline on SageMaker: what is asked of AWS, and what is said when it goes wrong."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from conftest import Compilation

from pipelines import run
from pipelines.execution import Outcome, explain, follow
from pipelines.quality_gate import SHOWN_METRICS
from pipelines.settings import EXAMPLES, REQUIRED, Settings, SettingsError
from pipelines.uploads import Upload, content_hash

SETTINGS = Settings.read(EXAMPLES)
ACCOUNT = "arn:aws:sagemaker:eu-west-1:111122223333"
PIPELINE = f"{ACCOUNT}:pipeline/example-p-example"
EXECUTION = f"{PIPELINE}/execution/abcdefghijkl"
PACKAGE = f"{ACCOUNT}:model-package/example-p-example/3"
PROJECT_TAGS = {"Tags": [{"Key": "team", "Value": "claims"}, {"Key": "aws:cloudformation:stack-name", "Value": "s"}]}
MERGED_TAGS = [
    {"Key": "team", "Value": "claims"},
    {"Key": "sagemaker:project-name", "Value": "example"},
    {"Key": "sagemaker:project-id", "Value": "p-example"},
]


def stubbed(service: str) -> tuple[Any, Stubber]:
    """A client whose requests and answers are checked against AWS's service model; nothing leaves the machine."""
    credentials = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    client = boto3.client(service, region_name="eu-west-1", **credentials)
    stubber = Stubber(client)
    stubber.activate()
    return client, stubber


def step(name: str, status: str, **more: Any) -> dict[str, Any]:
    times = {"StartTime": datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)}
    if status not in ("Starting", "Executing"):
        times["EndTime"] = datetime(2026, 1, 1, 12, 1, 30, tzinfo=UTC)
    return {"StepName": name, "StepStatus": status, **times, **more}


def test_every_missing_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read({"SAGEMAKER_PROJECT_NAME": "example"})

    for name in REQUIRED:
        assert (f"  {name}: " in str(caught.value)) == (name != "SAGEMAKER_PROJECT_NAME")
    assert "AWS_REGION or AWS_DEFAULT_REGION" in str(caught.value)


def test_an_input_that_is_no_csv_in_s3_is_refused() -> None:
    for url in ("https://example.com/claims.csv", "s3://bucket/claims", "s3://bucket/"):
        with pytest.raises(SettingsError, match=r"expected s3://bucket/key\.csv, s3://bucket/folder/, or the word"):
            Settings.read({**EXAMPLES, "INPUT_DATA_URL": url})


def test_a_file_or_a_folder_in_s3_is_taken() -> None:
    for url in ("s3://bucket/claims.csv", "s3://bucket/claims/2026/"):
        assert Settings.read({**EXAMPLES, "INPUT_DATA_URL": url}).input_data_url == url


def test_key_and_network_are_those_the_project_was_launched_with_or_none() -> None:
    launched = {"KMS_KEY_ARN": "arn:key", "VPC_SUBNET_IDS": "subnet-1,subnet-2", "VPC_SECURITY_GROUP_IDS": "sg-1"}
    settings = Settings.read({**EXAMPLES, **launched})
    assert (settings.kms_key, settings.subnets, settings.security_groups) == (
        "arn:key",
        ("subnet-1", "subnet-2"),
        ("sg-1",),
    )
    assert (SETTINGS.kms_key, SETTINGS.subnets, SETTINGS.security_groups) == (None, (), ())
    with pytest.raises(SettingsError, match="set both or none"):
        Settings.read({**EXAMPLES, "VPC_SUBNET_IDS": "subnet-1"})


def test_the_parameters_sent_exist_in_the_definition(compiled: Compilation) -> None:
    definition = compiled.definition.decode()

    sent = run.execution_parameters(definition, {"SourceCommit": "0123abcd"}, ["MaxDepth=5", "MaxDepth=6"])

    assert sent == [{"Name": "SourceCommit", "Value": "0123abcd"}, {"Name": "MaxDepth", "Value": "6"}]
    with pytest.raises(run.ParameterError, match="no parameter Depth; it has InputDataUrl, "):
        run.execution_parameters(definition, {}, ["Depth=5"])
    with pytest.raises(run.ParameterError, match="'MaxDepth': expected NAME=VALUE"):
        run.execution_parameters(definition, {}, ["MaxDepth"])


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("MaxDepth=deep", "a whole number"),
        ("MaxDepth=4.5", "a whole number"),
        ("LearningRate=fast", "a number"),
        ("ModelApprovalStatus=Maybe", "one of PendingManualApproval, Rejected"),
    ],
)
def test_a_value_its_parameter_does_not_take_is_refused_before_anything_is_sent(
    compiled: Compilation, argument: str, expected: str
) -> None:
    with pytest.raises(run.ParameterError, match=f"{argument}: expected {expected}"):
        run.execution_parameters(compiled.definition.decode(), {}, [argument])


def test_only_missing_files_are_uploaded(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("pass")
    client, stubber = stubbed("s3")
    uploads = [Upload(str(tmp_path / "train.py"), "bucket", f"p/code/{key}/train.py") for key in ("old", "new")]
    listed = {"Contents": [{"Key": "p/code/old/train.py"}]}
    stubber.add_response("list_objects_v2", {}, {"Bucket": "bucket", "Prefix": "p/code/new/"})
    stubber.add_response("list_objects_v2", listed, {"Bucket": "bucket", "Prefix": "p/code/old/"})
    stubber.add_response("put_object", {}, {"Bucket": "bucket", "Key": "p/code/new/train.py", "Body": b"pass"})

    run.upload_missing(client, uploads)

    stubber.assert_no_pending_responses()


def test_a_new_pipeline_is_created_with_the_tags_of_the_project() -> None:
    client, stubber = stubbed("sagemaker")
    stubber.add_response("list_tags", PROJECT_TAGS, {"ResourceArn": SETTINGS.project_arn})
    stubber.add_client_error("describe_pipeline", "ResourceNotFound")
    request = {
        "PipelineName": SETTINGS.pipeline_name,
        "RoleArn": SETTINGS.role_arn,
        "PipelineDefinition": "{}",
        "Tags": MERGED_TAGS,
    }
    stubber.add_response("create_pipeline", {"PipelineArn": PIPELINE}, request)

    run.put_pipeline(client, None, SETTINGS, "{}")

    stubber.assert_no_pending_responses()


def test_an_existing_pipeline_is_updated_and_a_large_definition_goes_through_s3() -> None:
    client, stubber = stubbed("sagemaker")
    s3, s3_stubber = stubbed("s3")
    definition = " " * (run.INLINE_DEFINITION_BYTES + 1)
    key = f"{SETTINGS.pipeline_name}/definitions/{content_hash([('definition', definition.encode())])}.json"
    s3_stubber.add_response("put_object", {}, {"Bucket": SETTINGS.bucket, "Key": key, "Body": definition.encode()})
    stubber.add_response("list_tags", PROJECT_TAGS, {"ResourceArn": SETTINGS.project_arn})
    stubber.add_response("describe_pipeline", {"PipelineArn": PIPELINE}, {"PipelineName": SETTINGS.pipeline_name})
    request = {
        "PipelineName": SETTINGS.pipeline_name,
        "RoleArn": SETTINGS.role_arn,
        "PipelineDefinitionS3Location": {"Bucket": SETTINGS.bucket, "ObjectKey": key},
    }
    stubber.add_response("update_pipeline", {"PipelineArn": PIPELINE}, request)
    stubber.add_response("add_tags", {}, {"ResourceArn": PIPELINE, "Tags": MERGED_TAGS})

    run.put_pipeline(client, s3, SETTINGS, definition)

    stubber.assert_no_pending_responses()
    s3_stubber.assert_no_pending_responses()


def test_following_says_each_step_once_and_looks_less_often_while_nothing_happens() -> None:
    client, stubber = stubbed("sagemaker")
    cached = {"CacheHitResult": {"SourcePipelineExecutionArn": f"{PIPELINE}/execution/earlier"}}
    registered = {"Metadata": {"RegisterModel": {"Arn": PACKAGE}}}
    looks = [
        ("Executing", [step("Preprocess", "Succeeded", **cached), step("Train", "Starting")]),
        *[("Executing", [step("Preprocess", "Succeeded", **cached), step("Train", "Executing")])] * 20,
        ("Succeeded", [step("Train", "Succeeded"), step("RegisterModel", "Succeeded", **registered)]),
    ]
    for status, steps in looks:
        stubber.add_response("describe_pipeline_execution", {"PipelineExecutionStatus": status})
        stubber.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": steps})
    said: list[str] = []
    waited: list[float] = []

    outcome = follow(client, EXECUTION, longest_wait=10, say=said.append, sleep=waited.append)

    assert outcome.succeeded
    assert outcome.model_package_arn == PACKAGE
    assert [" ".join(line.split()) for line in said] == [
        "Preprocess succeeded, reused from execution earlier: nothing it depends on has changed",
        "Train started",
        "Train succeeded after 90 s",
        "RegisterModel succeeded after 90 s",
    ]
    assert waited[0] == 0.5
    assert waited == sorted(waited)
    assert waited[-1] == 10


def test_a_missed_gate_is_explained_by_how_much_is_missing() -> None:
    message = "The model does not pass the quality gate: accuracy=0.91 (at least 0.85); recall=0.52 (at least 0.6)"
    failed = step("QualityGateFailed", "Failed", Metadata={"Fail": {"ErrorMessage": message}})

    lines = list(explain(Outcome("Failed", "", [failed]), logs=None))

    assert lines[1] == "  recall is 0.52, at least 0.6 is required: 0.08 too low"
    assert not any("accuracy" in line for line in lines)


def test_a_failed_job_is_explained_with_the_end_of_its_log() -> None:
    logs, stubber = stubbed("logs")
    group = "/aws/sagemaker/TrainingJobs"
    job = "pipelines-abcdefghijkl-train-x1y2z3"  # ARNs are in lower case, names of log streams are not
    stream = "pipelines-abcdefghijkl-Train-x1y2z3/algo-1-1"
    other = "pipelines-abcdefghijkl-Evaluate-a1b2c3/algo-1-1"
    stubber.add_response(
        "describe_log_streams",
        {"logStreams": [{"logStreamName": other}, {"logStreamName": stream}]},
        {"logGroupName": group, "logStreamNamePrefix": "pipelines-abcdefghijkl"},
    )
    stubber.add_response(
        "get_log_events",
        {"events": [{"message": "error: train.py, line 52: KeyError: 'max_depth'\n"}, {"message": "goodbye\n"}]},
        {"logGroupName": group, "logStreamName": stream, "limit": 25, "startFromHead": False},
    )
    metadata = {"TrainingJob": {"Arn": f"{ACCOUNT}:training-job/{job}"}}
    failed = step("Train", "Failed", FailureReason="AlgorithmError: exit code 1", Metadata=metadata)

    lines = list(explain(Outcome("Failed", "Step failure", [failed]), logs))

    assert lines[0] == "Step Train failed: train.py, line 52: KeyError: 'max_depth'"
    assert lines[1] == "SageMaker says: AlgorithmError: exit code 1"
    assert lines[-1] == "  | goodbye"


@pytest.mark.parametrize(("kind", "instance"), [("Processing", "PROCESSING"), ("Training", "TRAINING")])
def test_a_job_that_ran_out_of_memory_is_explained_with_the_parameter_to_raise(kind: str, instance: str) -> None:
    logs, stubber = stubbed("logs")
    stubber.add_response("describe_log_streams", {"logStreams": []})
    reason = "ClientError: Please use an instance type with more memory, or reduce the size of job data processed."
    metadata = {f"{kind}Job": {"Arn": f"{ACCOUNT}:{kind.lower()}-job/pipelines-1"}}
    failed = step("Preprocess", "Failed", FailureReason=reason, Metadata=metadata)

    text = "\n".join(explain(Outcome("Failed", "", [failed]), logs))

    assert "Step Preprocess failed: it needed more memory than its instance has" in text
    assert f'make pipeline PARAMETERS="{kind}InstanceType=ml.m5.2xlarge"' in text
    assert f"{instance}_INSTANCE_TYPE in pipelines/knobs.py" in text


def test_a_log_that_may_not_be_read_hides_nothing_else() -> None:
    logs, stubber = stubbed("logs")
    stubber.add_client_error("describe_log_streams", "AccessDeniedException", "not authorized")
    metadata = {"ProcessingJob": {"Arn": f"{ACCOUNT}:processing-job/pipelines-1"}}
    failed = step("Preprocess", "Failed", FailureReason="AlgorithmError", Metadata=metadata)

    lines = list(explain(Outcome("Failed", "", [failed]), logs))

    assert lines[0] == "Step Preprocess failed: AlgorithmError"
    assert "not readable from here" in lines[-1]


def test_a_stopped_execution_says_so() -> None:
    assert list(explain(Outcome("Stopped", "by a person", []), logs=None)) == ["The execution is Stopped: by a person"]


def test_success_names_the_version_its_metrics_and_where_to_approve_it() -> None:
    client, stubber = stubbed("sagemaker")
    s3, s3_stubber = stubbed("s3")
    package = {
        "ModelPackageName": "example-p-example/3",
        "ModelPackageArn": PACKAGE,
        "ModelPackageGroupName": "example-p-example",
        "ModelPackageVersion": 3,
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {"ContentType": "application/json", "S3Uri": "s3://bucket/run/evaluation/evaluation.json"}
            }
        },
    }
    metrics = {name: {"value": 0.9, "standard_deviation": 0.01} for name in SHOWN_METRICS}
    content = json.dumps({"binary_classification_metrics": metrics}).encode()
    stubber.add_response("describe_model_package", package, {"ModelPackageName": PACKAGE})
    s3_stubber.add_response(
        "get_object",
        {"Body": StreamingBody(io.BytesIO(content), len(content))},
        {"Bucket": "bucket", "Key": "run/evaluation/evaluation.json"},
    )
    registered = step("RegisterModel", "Succeeded", Metadata={"RegisterModel": {"Arn": PACKAGE}})
    outcome = Outcome("Succeeded", "", [registered])

    text = "\n".join(run.success(outcome, client, s3, SETTINGS))

    assert "Registered version 3 of example-p-example" in text
    assert "recall            0.900" in text
    assert "s3://bucket/run/evaluation/" in text
    assert "https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/studio-landing" in text


def test_exports_are_lines_a_shell_can_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "EXPORTS", tmp_path / "exports.env")

    run.export(PIPELINE_EXECUTION_ARN=EXECUTION, MODEL_PACKAGE_ARN=PACKAGE)

    assert (tmp_path / "exports.env").read_text() == (
        f"export PIPELINE_EXECUTION_ARN={EXECUTION}\nexport MODEL_PACKAGE_ARN={PACKAGE}\n"
    )
