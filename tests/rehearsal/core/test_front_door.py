"""One address for everything: what is ours, what is the base's, and what nobody plays."""

from __future__ import annotations

import http.client
import json
import socket

import pytest
from botocore import session as botocore_session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.servicecatalog import ServiceCatalog
from rehearsal.cloud.settings import CloudSettings
from tests.rehearsal.conftest import ENVIRONMENTS, StartCloud


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([ServiceCatalog])


def post(cloud: Cloud, target: str, body: str, service: str = "servicecatalog") -> tuple[int, dict[str, str]]:
    """A request as an SDK with no idea of the service model would send it, signed by the root user."""
    root = cloud.identity.root
    given = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    signed = AWSRequest("POST", f"{cloud.url}/", given, body)
    keys = BotocoreCredentials(root.access_key_id, root.secret_access_key)
    SigV4Auth(keys, service, cloud.region).add_auth(signed)
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    connection.request("POST", "/", body, dict(signed.headers.items()))
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_an_operation_we_do_not_play_is_a_501_that_names_it(cloud: Cloud) -> None:
    status, answer = post(cloud, "AWS242ServiceCatalogService.ListBudgetsForResource", "{}")
    assert status == 501
    assert "servicecatalog:ListBudgetsForResource is not implemented" in answer["message"]


def test_an_operation_aws_does_not_have_is_refused(cloud: Cloud) -> None:
    status, answer = post(cloud, "AWS242ServiceCatalogService.MakeCoffee", "{}")
    assert (status, answer["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    ("request_document", "complaint"),
    [
        (
            {"DisplayName": "x", "ProviderName": "y"},
            "1 validation error detected: Value null at 'idempotencyToken' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            {"DisplayName": "x", "ProviderName": "y", "IdempotencyToken": "t", "Colour": "red"},
            "Unknown member 'Colour'",
        ),
        (
            {"DisplayName": "", "ProviderName": "y", "IdempotencyToken": "t t"},
            "2 validation errors detected: Value '' at 'displayName' failed to satisfy constraint: Member must have "
            "length greater than or equal to 1; Value 't t' at 'idempotencyToken' failed",
        ),
        (
            {"DisplayName": "x", "ProviderName": "y", "IdempotencyToken": "t", "Tags": [{"Key": "", "Value": "v"}]},
            "Value '' at 'tags.1.member.key' failed to satisfy constraint",
        ),
        ({"DisplayName": "x" * 101, "ProviderName": "y", "IdempotencyToken": "t"}, "less than or equal to 100"),
        ({"DisplayName": "x", "ProviderName": "y", "IdempotencyToken": "spaces are not allowed"}, "pattern"),
        ({"DisplayName": "x", "ProviderName": "y", "IdempotencyToken": "t", "AcceptLanguage": "x" * 101}, "100"),
    ],
)
def test_a_malformed_request_is_refused_with_what_is_wrong(
    cloud: Cloud, request_document: dict[str, object], complaint: str
) -> None:
    status, answer = post(cloud, "AWS242ServiceCatalogService.CreatePortfolio", json.dumps(request_document))
    assert (status, answer["__type"]) == (400, "InvalidParametersException")
    assert complaint in answer["message"]


@pytest.mark.parametrize(
    ("request_document", "complaint"),
    [
        ({"DisplayName": 7}, "NUMBER_VALUE can not be converted to a String (at 'displayName')"),
        ({"DisplayName": True}, "TRUE_VALUE can not be converted to a String"),
        ({"Tags": {"Key": "k"}}, "Start of list expected at 'tags', found START_OBJECT"),
        ({"Tags": ["k"]}, "Start of structure or map expected at 'tags.1', found STRING_VALUE"),
    ],
)
def test_a_value_of_another_type_cannot_be_read(
    cloud: Cloud, request_document: dict[str, object], complaint: str
) -> None:
    status, answer = post(cloud, "AWS242ServiceCatalogService.CreatePortfolio", json.dumps(request_document))
    assert (status, answer["__type"]) == (400, "SerializationException")
    assert complaint in answer["message"]


def test_a_request_that_is_not_json_is_refused(cloud: Cloud) -> None:
    status, answer = post(cloud, "AWS242ServiceCatalogService.ListPortfolios", "{")
    assert (status, answer["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("servicecatalog", "AWS242ServiceCatalogService.ListPortfolios"),
        ("events", "AWSEvents.ListRules"),
        ("kms", "TrentService.ListKeys"),
        ("sqs", "AmazonSQS.ListQueues"),
        ("monitoring", "GraniteServiceVersion20100801.ListMetrics"),
    ],
)
def test_a_request_that_is_json_and_no_object_is_refused(cloud: Cloud, service: str, target: str) -> None:
    for body, found in (
        ('["ab"]', "START_ARRAY"),
        ("[]", "START_ARRAY"),
        ('"ab"', "STRING_VALUE"),
        ("5", "NUMBER_VAL"),
    ):
        status, answer = post(cloud, target, body, service)
        assert (status, answer["__type"]) == (400, "SerializationException"), body
        assert found in answer["message"]


def test_an_unsigned_request_is_refused(cloud: Cloud) -> None:
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    connection.request("POST", "/", "{}", {"X-Amz-Target": "AWS242ServiceCatalogService.ListPortfolios"})
    answer = connection.getresponse()
    assert answer.status == 403
    assert json.loads(answer.read())["__type"] == "MissingAuthenticationTokenException"


def test_the_base_answers_what_is_not_ours(cloud: Cloud) -> None:
    s3 = cloud.client("s3", cloud.identity.root)
    s3.create_bucket(Bucket="somewhere")
    s3.put_object(Bucket="somewhere", Key="a b/ü.bin", Body=b"\0\1" * 70_000)
    assert s3.head_object(Bucket="somewhere", Key="a b/ü.bin")["ContentLength"] == 140_000
    assert s3.get_object(Bucket="somewhere", Key="a b/ü.bin")["Body"].read() == b"\0\1" * 70_000
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="somewhere", Key="nothing")


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "named"),
    [
        ("comprehend", "list_endpoints", {}, "comprehend:ListEndpoints"),
        ("elasticbeanstalk", "describe_applications", {}, "elasticbeanstalk:DescribeApplications"),
        ("polly", "list_lexicons", {}, r"polly \(GET /v1/lexicons\)"),
        (
            "sagemaker-featurestore-runtime",
            "get_record",
            {"FeatureGroupName": "group", "RecordIdentifierValueAsString": "1"},
            r"sagemaker \(GET /FeatureGroup/group\)",
        ),
        ("iam", "list_organizations_features", {}, "iam:ListOrganizationsFeatures"),
        ("logs", "list_anomalies", {}, "logs:ListAnomalies"),
        ("cloudformation", "list_generated_templates", {}, "cloudformation:ListGeneratedTemplates"),
        # The base would answer these, and do nothing, or let roles act that nobody was asked to pass.
        ("glue", "start_job_run", {"JobName": "none"}, "glue:StartJobRun"),
        ("athena", "list_work_groups", {}, "athena:ListWorkGroups"),
        ("ec2", "run_instances", {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1}, "ec2:RunInstances"),
        ("stepfunctions", "list_state_machines", {}, "states:ListStateMachines"),
        ("secretsmanager", "list_secrets", {}, "secretsmanager:ListSecrets"),
        ("bedrock-runtime", "invoke_model", {"modelId": "one", "body": b"{}"}, r"bedrock \(POST /model/one/invoke\)"),
        ("cloudcontrol", "list_resources", {"TypeName": "AWS::S3::Bucket"}, "cloudcontrolapi:ListResources"),
        (
            "scheduler",
            "create_schedule",
            {
                "Name": "daily",
                "ScheduleExpression": "rate(1 day)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {
                    "Arn": "arn:aws:sqs:us-east-1:123456789012:q",
                    "RoleArn": "arn:aws:iam::123456789012:role/r",
                },
            },
            r"scheduler \(POST /schedules/daily\)",
        ),
        (
            "resourcegroupstaggingapi",
            "tag_resources",
            {"ResourceARNList": ["a:b:c"], "Tags": {"a": "b"}},
            "TagResources",
        ),
        # The base would keep a grant, and ask it for nothing.
        (
            "kms",
            "create_grant",
            {"KeyId": "one", "GranteePrincipal": "arn:aws:iam::123456789012:role/r", "Operations": ["Decrypt"]},
            "kms:CreateGrant",
        ),
    ],
)
def test_what_nobody_plays_is_a_501_that_names_it(
    cloud: Cloud, service: str, operation: str, arguments: dict[str, str], named: str
) -> None:
    client = cloud.client(service, cloud.identity.root)
    with pytest.raises(ClientError, match=rf"{named} is not implemented by the rehearsal's cloud") as refused:
        getattr(client, operation)(**arguments)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.parametrize(
    ("service", "operation", "found"),
    [
        ("scheduler", "list_schedules", "Schedules"),
        ("resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList"),
    ],
)
def test_what_is_left_in_the_account_can_be_asked(cloud: Cloud, service: str, operation: str, found: str) -> None:
    assert getattr(cloud.client(service, cloud.identity.root), operation)()[found] == []


def test_a_request_signed_for_one_service_reaches_no_other(cloud: Cloud) -> None:
    status, answer = post(cloud, "AWSGlue.GetJobs", "{}", "s3")
    assert status == 501
    assert "s3:GetJobs is not implemented" in answer["message"]


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/health", "/_localstack/health"])
def test_the_bases_own_paths_are_nobodys(cloud: Cloud, path: str) -> None:
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    connection.request("POST", path)
    assert connection.getresponse().status == 501


def test_only_the_base_may_ask_about_resources(cloud: Cloud) -> None:
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    connection.request("POST", "/_cloud/resource/create", "{}", {"Content-Type": "application/json"})
    assert connection.getresponse().status == 403


def test_a_taken_port_is_one_clear_message(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> None:
    port = int(cloud.url.rpartition(":")[2])
    settings = CloudSettings(tmp_path_factory.mktemp("second"), ENVIRONMENTS, port=port)
    with (
        pytest.raises(RuntimeError, match=f"port {port} on 127.0.0.1 cannot be used: Address already in use"),
        Cloud(settings, [], []),
    ):
        pass


def test_every_room_speaks_a_service_aws_has() -> None:
    from rehearsal.cloud.rooms import SERVICES

    known = botocore_session.Session()
    for room in SERVICES:
        operations = set(known.get_service_model(room.name).operation_names)
        marked = {getattr(getattr(room, name), "aws_operation", None) for name in dir(room)} - {None}
        assert marked or room.http_prefixes, f"{room.__name__} answers nothing"
        assert marked <= operations, f"{room.__name__} answers {marked - operations}, which AWS does not have"


def test_the_base_closes_a_connection_whose_client_has_gone(cloud: Cloud) -> None:
    with socket.create_connection(("127.0.0.1", cloud.base.port), timeout=60) as client:
        client.sendall(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(1) == b"H"
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):  # ends when the base closes; fails when it waits for more, as hypercorn does
            pass


def test_a_connection_to_the_base_is_used_again_and_a_broken_one_replaced(cloud: Cloud) -> None:
    with cloud.base.connection() as first, cloud.base.connection() as second:
        assert first is not second
    with cloud.base.connection() as again:
        assert again in (first, second)
    for each in (first, second):
        assert each.sock is not None
        each.sock.shutdown(socket.SHUT_RDWR)
    assert cloud.base.credentials(cloud.identity.root.access_key_id) == cloud.identity.root
