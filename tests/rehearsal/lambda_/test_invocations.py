"""Functions answer, fail, time out, see what AWS lets them see, and write logs."""

from __future__ import annotations

import base64
import json

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.lambda_.invocations import Invocations
from tests.rehearsal.lambda_.lambda_lab import LOG_RIGHTS, Lab, allow
from tests.waiting import until


def test_a_function_answers_with_what_its_handler_returns(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    return {'twice': event['number'] * 2}\n")
    assert lab.invoke(name, {"number": 21}) == {"twice": 42}


def test_a_function_acts_as_its_role(lab: Lab) -> None:
    name = lab.create(
        "import boto3\n\ndef handler(event, context):\n    return boto3.client('sts').get_caller_identity()['Arn']\n"
    )
    assert lab.invoke(name) == f"arn:aws:sts::{lab.cloud.account}:assumed-role/FunctionRole/{name}"


def test_a_function_may_do_what_its_role_may(lab: Lab) -> None:
    source = "import boto3\n\ndef handler(event, context):\n    boto3.client('sns').list_topics()\n"
    role = lab.make_role("Lister", "lambda.amazonaws.com", LOG_RIGHTS)
    name = lab.create(source, Role=role)
    error = lab.error_of(name)
    assert error["errorType"] in ("ClientError", "AuthorizationErrorException")
    assert "not authorized to perform: sns:ListTopics" in error["errorMessage"].replace("SNS:", "sns:")
    lab.grant("Lister", allow([*LOG_RIGHTS, "sns:ListTopics"]))
    assert lab.invoke(name) is None


def test_a_function_knows_its_context_and_its_environment(lab: Lab) -> None:
    source = """
import os

def handler(event, context):
    return {
        "left": context.get_remaining_time_in_millis(), "name": context.function_name,
        "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
        "stream": context.log_stream_name, "request": context.aws_request_id,
        "own": os.environ["OWN"], "region": os.environ["AWS_REGION"], "here": os.path.exists("app.py"),
        "tmp": os.listdir(os.environ["TMPDIR"]), "machine": sorted(set(os.environ) & {"VIRTUAL_ENV", "PYTHONPATH"}),
    }
"""
    name = lab.create(source, Environment={"Variables": {"OWN": "yes"}}, MemorySize=256, Timeout=30)
    found = lab.invoke(name)
    assert 0 < found.pop("left") <= 30_000
    assert len(found.pop("request")) == 36
    assert "[$LATEST]" in found.pop("stream")
    assert found == {
        "name": name,
        "arn": lab.arn(name),
        "memory": "256",
        "own": "yes",
        "region": lab.cloud.region,
        "here": True,
        "tmp": [],
        "machine": [],
    }


@pytest.mark.parametrize("module", ["boto3", "botocore", "urllib3", "dateutil", "jmespath", "s3transfer", "six"])
def test_the_sdk_and_what_it_needs_can_be_imported(lab: Lab, module: str) -> None:
    name = lab.create(f"import {module}\n\ndef handler(event, context):\n    return {module}.__name__\n")
    assert lab.invoke(name) == module


@pytest.mark.parametrize("module", ["werkzeug", "yaml", "pytest", "cfnlint"])
def test_nothing_else_of_this_machine_can_be_imported(lab: Lab, module: str) -> None:
    name = lab.create(f"import {module}\n\ndef handler(event, context):\n    pass\n")
    error = lab.error_of(name)
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert error["errorMessage"] == f"Unable to import module 'app': No module named '{module}'"


def test_modules_of_the_archive_can_be_imported(lab: Lab) -> None:
    key = lab.upload({"app.py": "import other\nhandler = other.answer\n", "other.py": "def answer(e, c): return 7\n"})
    name = lab.create("", Code={"S3Bucket": "function-archives", "S3Key": key})
    assert lab.invoke(name) == 7


def test_an_exception_is_answered_with_its_type_and_trace(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    raise ValueError('no such claim')\n")
    error = lab.error_of(name)
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such claim")
    assert len(error["stackTrace"]) == 1
    assert "app.py" in error["stackTrace"][0]
    assert "raise ValueError" in error["stackTrace"][0]


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("def handler(event, context)\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("def other(event, context): pass\n", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("def handler(event, context): return {1, 2}\n", "Runtime.MarshalError", "Unable to marshal response"),
        ("import sys\ndef handler(event, context): sys.exit(3)\n", "Runtime.ExitError", "exit status 3"),
        ("import os\ndef handler(event, context): os._exit(4)\n", "Runtime.ExitError", "exit status 4"),
        ("raise KeyError('missing')\n", "KeyError", "missing"),
    ],
)
def test_what_the_runtime_itself_reports(lab: Lab, source: str, kind: str, words: str) -> None:
    error = lab.error_of(lab.create(source))
    assert error["errorType"] == kind
    assert words in error["errorMessage"]


def test_a_function_is_ended_at_its_timeout(lab: Lab) -> None:
    name = lab.create("import time\n\ndef handler(event, context):\n    time.sleep(60)\n", Timeout=1)
    error = lab.error_of(name)
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert any("Task timed out after 1.00 seconds" in line for line in lab.log_of(f"/aws/lambda/{name}"))


# ---- logs


def test_what_a_function_prints_and_logs_is_in_its_log_group(lab: Lab) -> None:
    source = """
import logging

def handler(event, context):
    print("printed")
    logging.getLogger().warning("two\\nlines")
    logging.getLogger().info("not shown")
    raise RuntimeError("and the end")
"""
    name = lab.create(source)
    lab.error_of(name)
    found = lab.log_of(f"/aws/lambda/{name}")
    assert found[0].startswith("START RequestId: ")
    assert "printed" in found
    assert any(line.startswith("[WARNING]\t") and line.endswith("two\nlines") for line in found)
    assert any(line.startswith("[ERROR] RuntimeError: and the end\nTraceback") for line in found)
    assert not any("not shown" in line for line in found)
    assert found[-1].startswith("REPORT RequestId: ")


def test_a_function_writes_into_the_log_group_it_is_given(lab: Lab) -> None:
    lab.logs.create_log_group(logGroupName="/shared/functions")
    name = lab.create(
        "def handler(event, context):\n    print('here')\n", LoggingConfig={"LogGroup": "/shared/functions"}
    )
    lab.invoke(name)
    assert "here" in lab.log_of("/shared/functions")
    streams = lab.logs.describe_log_streams(logGroupName="/shared/functions")["logStreams"]
    assert any(f"/{name}[$LATEST]" in stream["logStreamName"] for stream in streams)


@pytest.mark.parametrize("missing", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])
def test_a_role_without_a_right_to_log_leaves_no_log_and_the_function_runs(lab: Lab, missing: str) -> None:
    role = lab.make_role(f"No{missing[5:]}", "lambda.amazonaws.com", [each for each in LOG_RIGHTS if each != missing])
    name = lab.create("def handler(event, context):\n    print('unheard')\n    return 'ran'\n", Role=role)
    assert lab.invoke(name) == "ran"
    assert "unheard" not in lab.log_of(f"/aws/lambda/{name}")
    assert any(f"No{missing[5:]}/" in denied.principal for denied in lab.cloud.identity.denials())


def test_the_end_of_the_log_can_come_with_the_answer(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    print('at the end')\n")
    answer = lab.functions.invoke(FunctionName=name, LogType="Tail")
    assert "at the end" in base64.b64decode(answer["LogResult"]).decode()


# ---- later


def attempts(lab: Lab, name: str) -> int:
    return sum(line.startswith("START") for line in lab.log_of(f"/aws/lambda/{name}"))


def test_an_event_is_tried_three_times_and_then_dropped(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    raise RuntimeError(event['what'])\n")
    answer = lab.functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"what": "never"}')
    assert answer["StatusCode"] == 202
    assert until(lambda: attempts(lab, name) == 3)
    # Its own word that nothing of it is left, and nothing further came.
    room: Invocations = lab.cloud.services["lambda"]  # type: ignore[assignment]
    assert until(lambda: not room.busy(name))
    assert attempts(lab, name) == 3
    ids = {line.split()[2] for line in lab.log_of(f"/aws/lambda/{name}") if line.startswith("START")}
    assert len(ids) == 1


def test_an_event_that_is_handled_is_not_tried_again(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    return event\n")
    lab.functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    assert until(lambda: any(line.startswith("REPORT") for line in lab.log_of(f"/aws/lambda/{name}")))
    room: Invocations = lab.cloud.services["lambda"]  # type: ignore[assignment]
    assert until(lambda: not room.busy(name))
    assert attempts(lab, name) == 1


def test_a_dry_run_only_looks_whether_the_caller_may(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    print('ran')\n")
    assert lab.functions.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    assert attempts(lab, name) == 0


def test_a_function_can_go_on_in_another_invocation_of_itself(lab: Lab) -> None:
    source = """
import json

import boto3

def handler(event, context):
    print("round", event["left"])
    if event["left"]:
        boto3.client("lambda").invoke(
            FunctionName=context.function_name, InvocationType="Event",
            Payload=json.dumps({"left": event["left"] - 1}))
"""
    role = lab.make_role("GoesOn", "lambda.amazonaws.com", [*LOG_RIGHTS, "lambda:InvokeFunction"])
    name = lab.create(source, Role=role)
    lab.functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"left": 2}')
    assert until(lambda: "round 0" in lab.log_of(f"/aws/lambda/{name}"))


def test_more_invocations_than_reserved_are_throttled(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    print('ran')\n")
    lab.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(lab.functions.exceptions.TooManyRequestsException):
        lab.functions.invoke(FunctionName=name)
    lab.functions.invoke(FunctionName=name, InvocationType="Event")
    lab.functions.delete_function_concurrency(FunctionName=name)
    assert until(lambda: "ran" in lab.log_of(f"/aws/lambda/{name}"))


# ---- who may


def test_invoking_takes_the_right_to(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    return 'ran'\n")
    stranger = lab.client("lambda", lab.person("Stranger"))
    with pytest.raises(ClientError, match="not authorized to perform: lambda:InvokeFunction") as refusal:
        stranger.invoke(FunctionName=name)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    friend = lab.client("lambda", lab.person("Friend", allow("lambda:InvokeFunction", lab.arn(name))))
    assert json.load(friend.invoke(FunctionName=lab.arn(name))["Payload"]) == "ran"


def test_a_function_can_let_a_role_in_by_its_own_policy(lab: Lab) -> None:
    name = lab.create("def handler(event, context):\n    return 'ran'\n")
    guest = lab.client("lambda", lab.person("Guest"))
    lab.functions.add_permission(
        FunctionName=name,
        StatementId="guest",
        Action="lambda:InvokeFunction",
        Principal=f"arn:aws:iam::{lab.cloud.account}:role/Guest",
    )
    assert json.load(guest.invoke(FunctionName=name)["Payload"]) == "ran"


def test_a_role_that_no_longer_trusts_lambda_stops_the_function(lab: Lab) -> None:
    role = lab.make_role("Fickle", "lambda.amazonaws.com", LOG_RIGHTS)
    name = lab.create("def handler(event, context):\n    return 'ran'\n", Role=role)
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    )
    lab.iam.update_assume_role_policy(RoleName="Fickle", PolicyDocument=trust)
    with pytest.raises(lab.functions.exceptions.ClientError, match="cannot be assumed by Lambda"):
        lab.functions.invoke(FunctionName=name)


# ---- what cannot be asked


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"FunctionName": "nobody"}, "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody"),
        ({"Payload": b"{not json"}, "Could not parse request body into json"),
        ({"Qualifier": "PROD"}, "Function not found"),
        ({"InvocationType": "Never"}, "Member must satisfy enum value set"),
        ({"ClientContext": "e30="}, "ClientContext of lambda:Invoke is not implemented"),
    ],
)
def test_an_invocation_that_cannot_be_is_refused(lab: Lab, arguments: dict[str, str], words: str) -> None:
    name = lab.create("def handler(event, context):\n    return 'ran'\n")
    with pytest.raises(lab.functions.exceptions.ClientError, match=words):
        lab.functions.invoke(**{"FunctionName": name, **arguments})
