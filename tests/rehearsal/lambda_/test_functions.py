"""Functions come, change and go, and take only what Lambda takes."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.lambda_ import Lambda
from rehearsal.cloud.settings import CloudSettings
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.lambda_.lambda_lab import BUCKET, Lab, allow, archive
from tests.waiting import until

SOURCE = "def handler(event, context):\n    return 'first'\n"


def test_a_function_is_described_as_it_was_created(lab: Lab) -> None:
    request = lab.request(SOURCE, Description="says first", Timeout=7, MemorySize=256, Tags={"team": "claims"})
    lab.functions.create_function(**request)
    name = request["FunctionName"]
    until(lambda: lab.state(name)["State"] == "Active")
    found = lab.functions.get_function(FunctionName=name)
    configuration = found["Configuration"]
    assert {
        key: configuration[key] for key in ("Description", "Timeout", "MemorySize", "Handler", "Runtime", "Role")
    } == {key: request[key] for key in ("Description", "Timeout", "MemorySize", "Handler", "Runtime", "Role")}
    assert configuration["FunctionArn"] == lab.arn(name)
    assert configuration["LastUpdateStatus"] == "Successful"
    assert configuration["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    assert found["Tags"] == {"team": "claims"}


def test_a_new_function_cannot_be_invoked_or_changed_until_it_has_settled(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cloud(CloudSettings(tmp_path, ENVIRONMENTS, speed=0.001), [Lambda], ()) as slow:
        lab = Lab(slow)
        request = lab.request(SOURCE)
        made = lab.functions.create_function(**request)
        name = request["FunctionName"]
        assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
        with pytest.raises(lab.functions.exceptions.ResourceConflictException, match="Pending"):
            lab.functions.invoke(FunctionName=name)
        with pytest.raises(lab.functions.exceptions.ResourceConflictException, match="update is in progress"):
            lab.functions.update_function_configuration(FunctionName=name, Timeout=4)


def test_code_and_settings_change_apart(lab: Lab) -> None:
    name = lab.create(SOURCE, Environment={"Variables": {"OWN": "1"}})
    before = lab.state(name)
    key = lab.upload({"app.py": SOURCE.replace("first", "second")})
    changed = lab.functions.update_function_code(FunctionName=name, S3Bucket=BUCKET, S3Key=key)
    assert changed["LastUpdateStatus"] == "InProgress"
    assert changed["CodeSha256"] != before["CodeSha256"]
    until(lambda: lab.state(name)["LastUpdateStatus"] == "Successful")
    assert lab.invoke(name) == "second"
    lab.functions.update_function_configuration(FunctionName=name, Environment={"Variables": {}}, Timeout=9)
    until(lambda: lab.state(name)["LastUpdateStatus"] == "Successful")
    after = lab.state(name)
    assert after["Timeout"] == 9
    assert "Environment" not in after
    assert after["RevisionId"] != before["RevisionId"]


def test_a_deleted_function_is_gone_with_its_policy(lab: Lab) -> None:
    name = lab.create(SOURCE)
    visitor = lab.client("lambda", lab.person("Visitor"))
    let_in = {
        "StatementId": "visitor",
        "Action": "lambda:InvokeFunction",
        "Principal": f"arn:aws:iam::{lab.cloud.account}:role/Visitor",
    }
    lab.functions.add_permission(FunctionName=name, **let_in)
    visitor.invoke(FunctionName=name)
    lab.functions.delete_function(FunctionName=name)
    with pytest.raises(lab.functions.exceptions.ResourceNotFoundException):
        lab.functions.get_function(FunctionName=name)
    with pytest.raises(visitor.exceptions.ClientError, match="not authorized"):
        visitor.invoke(FunctionName=name)


def test_functions_are_listed_in_pages(lab: Lab) -> None:
    made = {lab.create(SOURCE) for _ in range(3)}
    pages = list(lab.functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    found = [each["FunctionName"] for page in pages for each in page["Functions"]]
    assert made <= set(found)
    assert len(found) == len(set(found))
    assert len(pages) > 1


def test_tags_come_and_go(lab: Lab) -> None:
    arn = lab.arn(lab.create(SOURCE))
    lab.functions.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    lab.functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert lab.functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}


# ---- who may


def creation(lab: Lab, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The grants that creating this function takes."""
    return [
        allow(["lambda:CreateFunction", "lambda:TagResource"], lab.arn(request["FunctionName"])),
        allow("s3:GetObject", f"arn:aws:s3:::{BUCKET}/{request['Code']['S3Key']}"),
        allow("iam:PassRole", lab.role, Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
    ]


def test_creating_a_function_takes_exactly_these_rights(lab: Lab) -> None:
    request = lab.request(SOURCE, Tags={"team": "claims"})
    grants = creation(lab, request)
    functions = lab.client("lambda", lab.person("Creator", *grants))
    for number, words in ((0, "lambda:CreateFunction"), (1, "access has been denied by S3"), (2, "iam:PassRole")):
        lab.grant("Creator", *(grant for index, grant in enumerate(grants) if index != number))
        with pytest.raises(functions.exceptions.ClientError, match=words):
            functions.create_function(**request)
    lab.grant("Creator", allow("lambda:CreateFunction"), *grants[1:])
    with pytest.raises(functions.exceptions.ClientError, match="lambda:TagResource"):
        functions.create_function(**request)
    lab.grant("Creator", *grants)
    assert functions.create_function(**request)["FunctionName"] == request["FunctionName"]


def test_a_role_that_does_not_trust_lambda_is_refused(lab: Lab) -> None:
    role = lab.make_role("ForBuilds", "codebuild.amazonaws.com", ["s3:GetObject"])
    with pytest.raises(lab.functions.exceptions.InvalidParameterValueException, match="cannot be assumed by Lambda"):
        lab.functions.create_function(**lab.request(SOURCE, Role=role))


def test_an_unsigned_request_is_refused(lab: Lab) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{lab.cloud.url}/2015-03-31/functions")  # noqa: S310 - its own address


def test_a_bucket_may_have_the_name_of_a_path_of_lambda(lab: Lab) -> None:
    lab.s3.create_bucket(Bucket="2015-03-31")
    lab.s3.put_object(Bucket="2015-03-31", Key="functions", Body=b"an object")
    assert lab.s3.get_object(Bucket="2015-03-31", Key="functions")["Body"].read() == b"an object"


# ---- what Lambda does not take


def linked() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        entry = zipfile.ZipInfo("app.py")
        entry.external_attr = 0o120777 << 16
        target.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a zip", "Could not unzip uploaded file"),
        (archive({"../outside.py": "x"}), "outside the function's folder"),
        (archive({"app.py": SOURCE}, mode=0o600), "could not read app.py"),
        (linked(), "symbolic link"),
    ],
    ids=["no archive", "leads outside", "unreadable", "a link"],
)
def test_an_archive_that_lambda_cannot_use_is_refused(lab: Lab, content: bytes, words: str) -> None:
    with pytest.raises(ClientError, match=words):
        lab.functions.create_function(**lab.request(SOURCE, Code={"ZipFile": content}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Runtime": "nodejs22.x"}, "runtime nodejs22.x"),
        ({"Runtime": "python9.9"}, "Member must satisfy enum value set"),
        ({"Timeout": 901}, "'901' at 'timeout' .* less than or equal to 900"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]}, "Layers of lambda:CreateFunction"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig of lambda:CreateFunction"),
        ({"TracingConfig": {"Mode": "Active"}}, "TracingConfig"),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, "LogFormat JSON"),
        ({"Publish": True}, "Publish true"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys .* AWS_REGION"),
        ({"Environment": {"Variables": {"LONG": "x" * 5000}}}, "exceeded the 4KB limit"),
        ({"Code": {"S3Bucket": BUCKET, "S3Key": "missing.zip"}}, "NoSuchKey"),
        ({"Code": {"ImageUri": "image"}}, "ImageUri of a Lambda function's code"),
        ({"Role": "arn:aws:iam::123456789012:role/nobody"}, "cannot be assumed by Lambda"),
    ],
)
def test_what_lambda_or_this_cloud_does_not_take_is_refused_by_name(
    lab: Lab, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        lab.functions.create_function(**lab.request(SOURCE, **change))


def test_a_function_is_created_once(lab: Lab) -> None:
    name = lab.create(SOURCE)
    with pytest.raises(lab.functions.exceptions.ResourceConflictException, match="Function already exist"):
        lab.functions.create_function(**lab.request(SOURCE, FunctionName=name))


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("list_layers", {}),
        ("publish_version", {"FunctionName": "any"}),
        ("create_alias", {"FunctionName": "any", "Name": "live", "FunctionVersion": "1"}),
        ("get_account_settings", {}),
    ],
)
def test_operations_that_are_not_played_say_so(lab: Lab, call: str, arguments: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="not implemented by the rehearsal's cloud") as refusal:
        getattr(lab.functions, call)(**arguments)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_topics_and_buckets_cannot_invoke_functions_here_and_say_so(lab: Lab) -> None:
    arn = lab.arn(lab.create(SOURCE))
    sns = lab.client("sns")
    topic = sns.create_topic(Name="for-functions")["TopicArn"]
    with pytest.raises(ClientError, match="subscription of a Lambda function"):
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    notify = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    with pytest.raises(ClientError, match="501"):
        lab.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=notify)


def test_a_policy_takes_a_statement_once_and_only_for_somebody(lab: Lab) -> None:
    name = lab.create(SOURCE)
    statement = {"StatementId": "once", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    given = lab.functions.add_permission(FunctionName=name, SourceAccount="123456789012", **statement)["Statement"]
    assert json.loads(given)["Condition"] == {"StringEquals": {"AWS:SourceAccount": "123456789012"}}
    with pytest.raises(lab.functions.exceptions.ResourceConflictException):
        lab.functions.add_permission(FunctionName=name, **statement)
    for nobody in ("nobody", "event.amazonaws.com", "arn:aws:iam::123456789012:role/none"):
        with pytest.raises(lab.functions.exceptions.InvalidParameterValueException, match="principal was invalid"):
            lab.functions.add_permission(FunctionName=name, **{**statement, "StatementId": "2", "Principal": nobody})
    with pytest.raises(lab.functions.exceptions.ResourceNotFoundException):
        lab.functions.remove_permission(FunctionName=name, StatementId="unknown")
