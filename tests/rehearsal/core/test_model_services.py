"""Every operation that SageMaker, Service Catalog and Application Auto Scaling answer here, and every other one."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.httpsession import URLLib3Session
from botocore.model import ServiceModel

from rehearsal.cloud.applicationautoscaling import ApplicationAutoScaling
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.api import SageMaker
from rehearsal.cloud.sagemaker.runtime import SageMakerRuntime
from rehearsal.cloud.servicecatalog import ServiceCatalog
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.core.made_up import misread, sample, wrong

ROOMS = {room.name: room for room in (SageMaker, ServiceCatalog, ApplicationAutoScaling)}
SESSION = botocore.session.Session()
MODELS: dict[str, ServiceModel] = {name: SESSION.get_service_model(name) for name in ROOMS}
PLAYED = {
    name: {getattr(getattr(room, each), "aws_operation", None) for each in dir(room)} - {None}
    for name, room in ROOMS.items()
}
OPERATIONS = [(service, operation) for service in ROOMS for operation in sorted(PLAYED[service])]
LISTS = [
    (service, operation, "PageToken" if service == "servicecatalog" else "NextToken")
    for service, operation in OPERATIONS
    if (shape := MODELS[service].operation_model(operation).input_shape) is not None
    and {"PageToken", "NextToken"} & set(shape.members)
]


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([*ROOMS.values(), SageMakerRuntime])


def refusal(cloud: Cloud, service: str, operation: str, request: Any) -> AwsError:
    with pytest.raises(AwsError) as refused:
        cloud.call(cloud.identity.root, service, operation, request)
    return refused.value


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_request_that_breaks_a_constraint_is_refused_in_aws_own_words(
    cloud: Cloud, service: str, operation: str
) -> None:
    shape = MODELS[service].operation_model(operation).input_shape
    right = sample(shape) if shape else {}
    assert right is not None, "no sample fits"
    assert cloud.shapes.request_problem(service, operation, right) is None, "the sample is no right request"

    unknown = refusal(cloud, service, operation, {**right, "Colour": "red"})
    assert (unknown.code, "Unknown member 'Colour'" in unknown.message) == (ROOMS[service].validation_error, True)
    for path, request, said in wrong(shape, right) if shape else ():
        broken = refusal(cloud, service, operation, request)
        assert broken.code == ROOMS[service].validation_error, (path, broken)
        assert "validation error" in broken.message
        assert f"at '{path}' failed to satisfy constraint: " in broken.message, (path, broken)
        assert said in broken.message, (path, broken)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_value_of_another_type_cannot_be_read(cloud: Cloud, service: str, operation: str) -> None:
    shape = MODELS[service].operation_model(operation).input_shape
    right = sample(shape) if shape else {}

    for path, request in misread(shape, right) if shape else ():
        refused = refusal(cloud, service, operation, request)
        assert refused.code == "SerializationException", (path, refused)
        assert path.replace(".member", "").split(".")[0] in refused.message


@pytest.mark.parametrize(("service", "operation", "member"), LISTS)
def test_a_token_that_no_list_gave_out_is_refused(cloud: Cloud, service: str, operation: str, member: str) -> None:
    shape = MODELS[service].operation_model(operation).input_shape
    assert shape is not None
    required = {name: sample(shape.members[name]) for name in shape.required_members}

    refused = refusal(cloud, service, operation, {**required, member: "made-up"})

    absent = ("not found", "does not exist", "cannot be tagged")  # what the list belongs to comes first
    assert refused.message == "Invalid pagination token." or any(words in refused.message for words in absent), refused


# ---- over HTTP


def post(cloud: Cloud, service: str, operation: str, body: str) -> tuple[int, dict[str, Any]]:
    """A request as an SDK with no idea of the service model would send it, signed by the root user."""
    model, root = MODELS[service], cloud.identity.root
    target = f"{model.metadata['targetPrefix']}.{operation}"
    signed = AWSRequest(
        "POST", f"{cloud.url}/", {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}, body
    )
    keys = BotocoreCredentials(root.access_key_id, root.secret_access_key)
    SigV4Auth(keys, model.signing_name, cloud.region).add_auth(signed)
    answer = URLLib3Session().send(signed.prepare())
    return answer.status_code, json.loads(answer.content)


@pytest.mark.parametrize("service", sorted(ROOMS))
def test_every_operation_that_is_not_played_is_a_501_that_names_it(cloud: Cloud, service: str) -> None:
    others = set(MODELS[service].operation_names) - PLAYED[service]
    assert others
    for operation in sorted(others):
        status, answer = post(cloud, service, operation, "{}")
        assert (status, answer["__type"]) == (501, "NotImplemented")
        assert answer["message"].startswith(f"{service}:{operation} is not implemented")


def test_null_is_as_good_as_nothing(cloud: Cloud) -> None:
    status, answer = post(cloud, "sagemaker", "ListModels", '{"NextToken": null, "MaxResults": null}')
    assert (status, answer) == (200, {"Models": []})


EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/a/execution/b"


@pytest.mark.parametrize(
    ("service", "operation", "request_document", "code"),
    [
        ("sagemaker", "DescribeEndpoint", {"EndpointName": "nobody"}, "ValidationException"),
        ("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": "nobody"}, "ValidationException"),
        ("sagemaker", "DescribeModel", {"ModelName": "nobody"}, "ValidationException"),
        ("sagemaker", "DescribeModelPackage", {"ModelPackageName": "nobody"}, "ValidationException"),
        ("sagemaker", "DescribeTrainingJob", {"TrainingJobName": "nobody"}, "ValidationException"),
        ("sagemaker", "DescribeProcessingJob", {"ProcessingJobName": "nobody"}, "ValidationException"),
        ("sagemaker", "DescribeTransformJob", {"TransformJobName": "nobody"}, "ValidationException"),
        ("sagemaker", "DescribePipeline", {"PipelineName": "nobody"}, "ResourceNotFound"),
        ("sagemaker", "DescribePipelineExecution", {"PipelineExecutionArn": EXECUTION}, "ResourceNotFound"),
        ("sagemaker", "DescribeEndpoint", {"EndpointName": "a_b"}, "ValidationException"),
        ("servicecatalog", "DescribePortfolio", {"Id": "port-x"}, "ResourceNotFoundException"),
        ("servicecatalog", "DescribePortfolio", {}, "InvalidParametersException"),
        (
            "application-autoscaling",
            "DeregisterScalableTarget",
            {
                "ServiceNamespace": "sagemaker",
                "ResourceId": "endpoint/a/variant/b",
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            },
            "ObjectNotFoundException",
        ),
    ],
)
def test_a_refusal_carries_the_services_own_code(
    cloud: Cloud, service: str, operation: str, request_document: dict[str, Any], code: str
) -> None:
    status, answer = post(cloud, service, operation, json.dumps(request_document))
    assert (status, answer["__type"]) == (400, code)
    assert answer["message"]
