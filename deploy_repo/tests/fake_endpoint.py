"""A staging endpoint on this machine that speaks SageMaker's protocol, so that the staging tests can be tested.

It takes the place of every service the tests talk to: `sagemaker` (Describe...), `sagemaker-runtime` and `s3`.
"""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs

from deployment.expectations import answer_words, bad_requests, golden_records

NAME = "fraud-staging"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud-p-abc123/3"


WORDS = answer_words()
GOLDEN = golden_records()
HELD_OUT_BUCKET, HELD_OUT_KEY = "sagemaker-project-p-abc123", "fraud-p-abc123/held_out.json"
# Every golden record with the decision a sound endpoint takes for its label: its metrics are perfect.
HELD_OUT = {
    "of": len(GOLDEN),
    "records": [golden.record for golden in GOLDEN],
    "labels": [int(golden.decision == WORDS.decisions[1]) for golden in GOLDEN],
    "metrics": {"accuracy": 1.0, "recall": 1.0},
}
BAD_REQUESTS = {(bad.body, bad.content_type): bad for bad in bad_requests()}


class Endpoint(BaseHTTPRequestHandler):
    """A sound endpoint. The others override what they get wrong."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target", "").removeprefix("SageMaker.")
        if target:
            self.reply(*self.control(target))
            return
        status, answer = self.model(body, self.headers["Content-Type"])
        if status == 200:
            self.reply(200, answer)
        else:
            self.reply(424, {"OriginalStatusCode": status, "OriginalMessage": json.dumps(answer)}, "ModelError")

    def do_GET(self) -> None:
        """An object of S3, or none."""
        found = self.path.partition("?")[0] == f"/{HELD_OUT_BUCKET}/{HELD_OUT_KEY}"
        content = json.dumps(self.held_out).encode() if found else b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    written: ClassVar[dict[str, str]] = {}

    def do_PUT(self) -> None:
        """Keep an object that is written to S3."""
        self.written[self.path] = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    metadata: ClassVar[dict[str, str]] = {"HeldOutSample": f"s3://{HELD_OUT_BUCKET}/{HELD_OUT_KEY}"}
    held_out: ClassVar[dict[str, Any]] = HELD_OUT

    def control(self, operation: str) -> tuple[int, dict[str, Any], str]:
        answers: dict[str, dict[str, Any]] = {
            "DescribeEndpoint": {"EndpointStatus": "InService", "EndpointConfigName": "config"},
            "DescribeEndpointConfig": {"ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "model"}]},
            "DescribeModel": {"PrimaryContainer": {"ModelPackageName": PACKAGE}},
            "DescribeModelPackage": {
                "ModelPackageArn": PACKAGE,
                "ModelPackageGroupName": "fraud-p-abc123",
                "ModelPackageVersion": 3,
                "ModelApprovalStatus": "Approved",
                "CustomerMetadataProperties": self.metadata,
            },
        }
        return 200, answers[operation], ""

    def model(self, body: str, content_type: str) -> tuple[int, dict[str, Any]]:
        if bad := BAD_REQUESTS.get((body, content_type)):
            return bad.status, {"error": f"bad {bad.field}", "field": bad.field, "record": bad.record}
        records = json.loads(body)["records"] if "json" in content_type else list(csv.DictReader(io.StringIO(body)))
        return 200, {"predictions": [self.prediction(record) for record in records]}

    def prediction(self, record: dict[str, Any]) -> dict[str, Any]:
        [golden] = (each for each in GOLDEN if _as_csv(each.record) == _as_csv(record))
        least, most = golden.probability
        return {WORDS.probability: (least + most) / 2, "decision": golden.decision or WORDS.decisions[0]}

    def reply(self, status: int, answer: dict[str, Any], error_type: str = "") -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if error_type:
            self.send_header("x-amzn-ErrorType", error_type)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """The log belongs to the tests."""


class Sound(Endpoint):
    """Answers everything as it should."""


class RegisteredByHand(Endpoint):
    """Sound; its model package names no held-out records."""

    metadata: ClassVar[dict[str, str]] = {}


class SampleGone(Endpoint):
    """Sound; the held-out records that its model package names are gone."""

    metadata: ClassVar[dict[str, str]] = {"HeldOutSample": f"s3://{HELD_OUT_BUCKET}/gone.json"}


class Another(Endpoint):
    """Answers what is asked of it rightly, and is not as good as the evaluation says."""

    held_out: ClassVar[dict[str, Any]] = {**HELD_OUT, "metrics": {"accuracy": 1.0, "recall": 0.75}}


class MayNotWrite(Endpoint):
    """Sound; S3 does not take the approver's page."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        content = b"<Error><Code>AccessDenied</Code><Message>not authorized</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Serverless(Endpoint):
    """Sound, and asleep until the first request has been refused."""

    asleep = True

    def control(self, operation: str) -> tuple[int, dict[str, Any], str]:
        status, answer, error_type = super().control(operation)
        if operation == "DescribeEndpointConfig":
            type(self).asleep = True
            answer["ProductionVariants"][0]["ServerlessConfig"] = {"MemorySizeInMB": 2048, "MaxConcurrency": 1}
        return status, answer, error_type

    def model(self, body: str, content_type: str) -> tuple[int, dict[str, Any]]:
        if type(self).asleep:
            type(self).asleep = False
            return 504, {"error": "still starting"}
        return super().model(body, content_type)


class Broken(Endpoint):
    """Takes the lower decision for every record, and falls over where it should refuse."""

    def model(self, body: str, content_type: str) -> tuple[int, dict[str, Any]]:
        status, answer = super().model(body, content_type)
        return (200, answer) if status == 200 else (500, {"error": "internal server error"})

    def prediction(self, record: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002  # this one never looks at it
        return {WORDS.probability: 0.01, "decision": WORDS.decisions[0]}


class Asynchronous(Endpoint):
    """Sound; takes requests and gives answers as files."""

    files: ClassVar[dict[str, str]] = {}

    def control(self, operation: str) -> tuple[int, dict[str, Any], str]:
        status, answer, error_type = super().control(operation)
        if operation == "DescribeEndpointConfig":
            answer["AsyncInferenceConfig"] = {
                "OutputConfig": {"S3OutputPath": "s3://bucket/async/fraud-staging/output"}
            }
        return status, answer, error_type

    def do_POST(self) -> None:
        if not self.path.endswith("/async-invocations"):
            super().do_POST()
            return
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        place = self.headers["X-Amzn-SageMaker-InputLocation"].removeprefix("s3:/")
        name = place.rpartition("/")[2]
        status, answer = self.model(self.written[place], self.headers["X-Amzn-SageMaker-Content-Type"])
        answered, failed = f"/bucket/async/fraud-staging/output/{name}", f"/bucket/async/fraud-staging/failure/{name}"
        side, content = "client" if status < 500 else "server", json.dumps(answer)
        if status == 200:
            self.files[answered] = content
        else:
            self.files[failed] = f'Received {side} error ({status}) from primary with message "{content}". See a log.'
        reply = b'{"InferenceId": "1"}'
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Amzn-SageMaker-OutputLocation", f"s3:/{answered}")
        self.send_header("X-Amzn-SageMaker-FailureLocation", f"s3:/{failed}")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if "list-type" in query:
            prefix = parse_qs(query)["prefix"][0]
            there = int(f"{path}/{prefix}" in self.files)
            self._send(f"<ListBucketResult><KeyCount>{there}</KeyCount></ListBucketResult>")
        elif path in self.files:
            self._send(self.files[path])
        else:
            super().do_GET()

    def _send(self, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Missing(Endpoint):
    """There is no endpoint."""

    def control(self, operation: str) -> tuple[int, dict[str, Any], str]:  # noqa: ARG002  # whatever is asked
        answer = {"__type": "ValidationException", "message": f'Could not find endpoint "{NAME}".'}
        return 400, answer, "ValidationException"


class AsynchronousBroken(Asynchronous):
    """Falls over where it should refuse."""

    def model(self, body: str, content_type: str) -> tuple[int, dict[str, Any]]:
        status, answer = super().model(body, content_type)
        return (200, answer) if status == 200 else (500, {"error": "internal server error"})


def _as_csv(record: dict[str, Any]) -> dict[str, str]:
    """A record as a row of a CSV table holds it: text, and nothing where there is no value."""
    return {name: str(value) for name, value in record.items() if value not in (None, "")}


@contextmanager
def serving(handler: type[Endpoint]) -> Iterator[str]:
    """The address of an endpoint of that kind, as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
