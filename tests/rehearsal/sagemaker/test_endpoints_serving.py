"""An endpoint is a real HTTP server that runs the model's own code, with its execution role's rights."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.container import REWRITTEN_PATHS, Containers
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, Hosting, Stage
from tests.waiting import until

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://models/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}


@pytest.fixture(scope="module")
def stage(start_cloud: StartCloud) -> Stage:
    return Stage(start_cloud([Hosting, SageMakerRuntime])).set()


@pytest.fixture(scope="module")
def endpoint(stage: Stage) -> Iterator[str]:
    name = stage.endpoint(stage.config(stage.model("yes"), DataCaptureConfig=CAPTURE))
    yield name
    stage.sagemaker.delete_endpoint(EndpointName=name)


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


# ---- answering


def test_an_endpoint_answers_with_what_the_models_own_code_says(stage: Stage, endpoint: str) -> None:
    answer = stage.invoke(endpoint)
    assert json.loads(answer["Body"]) == {"predictions": ["yes"]}
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["ContentType"] == "application/json"


def test_a_request_the_model_refuses_is_a_model_error_with_its_status_and_words(stage: Stage, endpoint: str) -> None:
    with pytest.raises(ClientError) as error:
        stage.invoke(endpoint, {"nonsense": 1})
    response = error.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 400
    assert json.loads(response["OriginalMessage"]) == {"error": "no records"}
    assert "Received client error (400) from primary with message" in response["Error"]["Message"]
    assert response["LogStreamArn"].endswith(f"/aws/sagemaker/Endpoints/{endpoint}")


def test_content_type_reaches_the_model(stage: Stage, endpoint: str) -> None:
    with pytest.raises(ClientError) as error:
        stage.invoke(endpoint, ContentType="text/plain")
    assert error.value.response["OriginalStatusCode"] == 415


def test_an_unknown_endpoint_is_not_found_in_the_account(stage: Stage) -> None:
    with pytest.raises(ClientError) as error:
        stage.invoke("nobody-made-this")
    assert refusal(error) == ("ValidationError", "Endpoint nobody-made-this of account 123456789012 not found.")


def test_a_body_above_the_limit_is_refused(stage: Stage, endpoint: str) -> None:
    with pytest.raises(ClientError) as error:
        stage.invoke(endpoint, {"records": ["x" * 6_291_457]})
    assert refusal(error) == (
        "ValidationError",
        "1 validation error detected: Value at 'body' failed to satisfy constraint: "
        "Member must have length less than or equal to 6291456",
    )


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ({"InferenceId": "x" * 65}, "at 'inferenceId' failed to satisfy constraint: Member must have length less than"),
        (
            {"CustomAttributes": "x" * 1025},
            "Value at 'customAttributes' failed to satisfy constraint: Member must have",
        ),
        ({"TargetVariant": "a_b"}, "Value 'a_b' at 'targetVariant' failed to satisfy constraint"),
    ],
)
def test_headers_are_held_to_the_apis_model(
    stage: Stage, endpoint: str, header: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ClientError) as error:
        stage.invoke(endpoint, **header)
    code, message = refusal(error)
    assert code == "ValidationError"
    assert message.startswith("1 validation error detected: ")
    assert complaint in message


def test_invoking_needs_the_right_to_and_a_signature(stage: Stage, endpoint: str) -> None:
    stranger = stage.person(["sagemaker:DescribeEndpoint"])
    with pytest.raises(ClientError) as error:
        stage.cloud.client("sagemaker-runtime", stranger).invoke_endpoint(EndpointName=endpoint, Body=b"{}")
    code, message = refusal(error)
    assert code == "AccessDeniedException"
    assert (
        f"sagemaker:InvokeEndpoint on resource: arn:aws:sagemaker:us-east-1:123456789012:endpoint/{endpoint}" in message
    )
    connection = http.client.HTTPConnection(stage.cloud.url.removeprefix("http://"))
    connection.request("POST", f"/endpoints/{endpoint}/invocations", b"{}")
    assert connection.getresponse().status == 403
    connection.close()


def test_a_right_to_one_endpoint_is_enough_whatever_the_case_of_its_name(stage: Stage) -> None:
    name = stage.endpoint(stage.config(stage.model("yes")))
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{name.lower()}"
    person = stage.person(["sagemaker:InvokeEndpoint"], [arn])
    runtime = stage.cloud.client("sagemaker-runtime", person)
    answer = runtime.invoke_endpoint(
        EndpointName=name.upper(), Body=json.dumps({"records": [1]}), ContentType="application/json"
    )
    assert json.loads(answer["Body"].read()) == {"predictions": ["yes"]}
    stage.sagemaker.delete_endpoint(EndpointName=name)


# ---- what is left behind


def test_metrics_of_every_invocation_reach_cloudwatch(stage: Stage, endpoint: str) -> None:
    stage.invoke(endpoint)
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}]

    def measured() -> set[str]:
        found = stage.client("cloudwatch").list_metrics(Namespace="AWS/SageMaker", Dimensions=dimensions)["Metrics"]
        return {metric["MetricName"] for metric in found}

    wanted = {"Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency", "OverheadLatency"}
    until(lambda: wanted <= measured())


def test_captured_requests_are_json_lines_in_sagemakers_format(stage: Stage, endpoint: str) -> None:
    stage.invoke(endpoint, {"records": [{"claim": "captured"}]}, InferenceId="claim-7")

    def captured() -> list[dict[str, object]]:
        listed = stage.client("s3").list_objects_v2(Bucket="models", Prefix=f"captured/{endpoint}/AllTraffic/")
        lines: list[dict[str, object]] = []
        for item in listed.get("Contents", []):
            assert item["Key"].endswith(".jsonl")
            assert len(item["Key"].split("/")) == 8  # captured/<endpoint>/<variant>/yyyy/mm/dd/hh/<file>
            body = stage.client("s3").get_object(Bucket="models", Key=item["Key"])["Body"].read().decode()
            lines += [json.loads(line) for line in body.splitlines()]
        return [line for line in lines if "claim-7" in json.dumps(line)]

    [line] = until(captured)
    assert line["eventVersion"] == "0"
    assert line["eventMetadata"]["inferenceId"] == "claim-7"
    assert line["captureData"]["endpointInput"] == {
        "observedContentType": "application/json",
        "mode": "INPUT",
        "data": json.dumps({"records": [{"claim": "captured"}]}),
        "encoding": "JSON",
    }
    assert json.loads(line["captureData"]["endpointOutput"]["data"]) == {"predictions": ["yes"]}


def test_describing_shows_what_is_deployed(stage: Stage, endpoint: str) -> None:
    described = stage.sagemaker.describe_endpoint(EndpointName=endpoint)
    [variant] = described["ProductionVariants"]
    assert (variant["VariantName"], variant["CurrentInstanceCount"], variant["CurrentWeight"]) == ("AllTraffic", 2, 1.0)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    assert described["DataCaptureConfig"]["CaptureStatus"] == "Started"
    assert endpoint in {summary["EndpointName"] for summary in stage.sagemaker.list_endpoints()["Endpoints"]}


# ---- what an execution role needs


@pytest.mark.parametrize(
    ("grant", "reason"),
    [
        ("artefacts", "Failed to download model data"),
        ("registry", "ecr:GetAuthorizationToken"),
        ("image", "ecr:BatchCheckLayerAvailability"),
    ],
)
def test_an_endpoint_whose_role_lacks_a_grant_fails_and_says_which(stage: Stage, grant: str, reason: str) -> None:
    role = stage.role()
    model = stage.model("yes", role)
    stage.take_away(role, grant)
    name = stage.endpoint(stage.config(model), wait="Failed")
    assert reason in stage.sagemaker.describe_endpoint(EndpointName=name)["FailureReason"]
    stage.sagemaker.delete_endpoint(EndpointName=name)


def test_an_endpoint_whose_role_may_not_write_logs_serves_without_them(stage: Stage) -> None:
    name = stage.endpoint(stage.config(stage.model("yes", stage.role(without=["logs"]))))
    assert stage.prediction(name) == "yes"
    until(lambda: any(d.action == "logs:CreateLogGroup" and not d.allowed for d in stage.cloud.identity.decisions()))
    stage.sagemaker.delete_endpoint(EndpointName=name)


def test_a_model_whose_artefact_its_role_cannot_read_is_refused_at_once(stage: Stage) -> None:
    with pytest.raises(ClientError) as error:
        stage.model("yes", stage.role(without=["artefacts"]))
    code, message = refusal(error)
    assert code == "ValidationException"
    assert message.startswith("Could not access model data at s3://models/")


def test_a_role_that_does_not_trust_sagemaker_is_refused(stage: Stage) -> None:
    with pytest.raises(ClientError) as error:
        stage.model("yes", stage.role(trusted="codebuild.amazonaws.com"))
    assert "sts:AssumeRole" in refusal(error)[1]


def test_handing_over_a_role_needs_pass_role(stage: Stage) -> None:
    person = stage.person(["sagemaker:CreateModel"])
    with pytest.raises(ClientError) as error:
        stage.cloud.client("sagemaker", person).create_model(
            ModelName="handed-over",
            ExecutionRoleArn=stage.role(),
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": stage.artefact("yes"), "Environment": CODE},
        )
    assert "iam:PassRole" in refusal(error)[1]


# ---- what goes wrong in the container


def test_an_artefact_that_is_no_archive_fails_the_endpoint(stage: Stage) -> None:
    stage.client("s3").put_object(Bucket="models", Key="text/model.tar.gz", Body=b"not an archive")
    model = "model-of-text"
    stage.sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=stage.role(),
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://models/text/model.tar.gz", "Environment": CODE},
    )
    name = stage.endpoint(stage.config(model), wait="Failed")
    assert "is a valid tar.gz archive" in stage.sagemaker.describe_endpoint(EndpointName=name)["FailureReason"]
    stage.sagemaker.delete_endpoint(EndpointName=name)


def test_a_deleted_endpoint_is_gone_and_leaves_no_process(stage: Stage) -> None:
    name = stage.endpoint(stage.config(stage.model("yes")))
    server = stage.cloud.services["sagemaker"].endpoint(name).fleet.variants[0].server  # type: ignore[attr-defined]
    process = server._serving._process
    stage.sagemaker.delete_endpoint(EndpointName=name)

    def gone() -> bool:
        try:
            stage.sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            return "Could not find endpoint" in str(error)
        return False

    until(gone)
    assert process.poll() is not None


def test_an_endpoint_comes_up_where_private_mounts_are_forbidden(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    containers = Containers(stage.cloud, REWRITTEN_PATHS)
    monkeypatch.setattr(stage.cloud.services["sagemaker"], "_containers", containers)
    name = stage.endpoint(stage.config(stage.model("yes")))
    assert stage.prediction(name) == "yes"
    stage.sagemaker.delete_endpoint(EndpointName=name)


# ---- what is not played


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ManagedInstanceScaling": {"Status": "ENABLED"}}, "ManagedInstanceScaling"),
        ({"AcceleratorType": "ml.eia1.medium"}, "AcceleratorType"),
    ],
)
def test_other_ways_of_hosting_are_refused_by_name(stage: Stage, change: dict[str, object], named: str) -> None:
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "any",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    with pytest.raises(ClientError, match=named):
        stage.sagemaker.create_endpoint_config(EndpointConfigName="other", ProductionVariants=[variant | change])
