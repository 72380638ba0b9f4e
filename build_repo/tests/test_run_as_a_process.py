"""`make pipeline`, speaking HTTP to a server that answers like S3 and SageMaker: once as a process of its own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import ROOT, Compilation

from pipelines.quality_gate import SHOWN_METRICS
from pipelines.run import command
from pipelines.settings import EXAMPLES

PREFIX = "arn:aws:sagemaker:eu-west-1:111122223333"
PIPELINE = f"{PREFIX}:pipeline/example-p-example"
EXECUTION = f"{PIPELINE}/execution/abcdefghijkl"
PACKAGE = f"{PREFIX}:model-package/example-p-example/1"
NOT_FOUND = {"__type": "ResourceNotFound", "message": "no such pipeline"}


class StandIn(ThreadingHTTPServer):
    """Remembers what it was sent; answers with `answers[operation]`, or `{}`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.calls: dict[str, Any] = {}
        self.answers: dict[str, Any] = {
            "ListTags": {"Tags": []},
            "DescribePipeline": NOT_FOUND,
            "CreatePipeline": {"PipelineArn": PIPELINE},
            "StartPipelineExecution": {"PipelineExecutionArn": EXECUTION},
        }

    def execution_ends(self, status: str, *steps: dict[str, Any]) -> None:
        self.answers["DescribePipelineExecution"] = {"PipelineExecutionStatus": status}
        self.answers["ListPipelineExecutionSteps"] = {"PipelineExecutionSteps": list(steps)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # answers `Expect: 100-continue`, for which boto3 would otherwise wait a second
    server: StandIn

    def do_POST(self) -> None:  # SageMaker
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.server.calls[operation] = json.loads(self.body())
        answer = self.server.answers.get(operation, {})
        self.reply(400 if "__type" in answer else 200, json.dumps(answer).encode())

    def do_PUT(self) -> None:  # S3
        self.server.objects[urlsplit(self.path).path] = self.body()
        self.reply(200, b"")

    def do_GET(self) -> None:  # S3
        location = urlsplit(self.path)
        if "list-type" not in parse_qs(location.query):
            return self.reply(200, self.server.objects[location.path])
        prefix = parse_qs(location.query)["prefix"][0]
        keys = [path.split("/", 2)[2] for path in self.server.objects]
        found = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys if key.startswith(prefix))
        return self.reply(200, f"<ListBucketResult>{found}</ListBucketResult>".encode())

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def aws() -> Iterator[StandIn]:
    server = StandIn()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(compiled: Compilation, tmp_path: Path) -> Path:
    """A folder to run in, with links to what is compiled: the exports are written beside it."""
    (tmp_path / "build").mkdir()
    for file in ("build/pipeline-definition.json", "build/uploads.json", *(each["path"] for each in compiled.uploads)):
        if not Path(file).is_absolute():
            (tmp_path / file).symlink_to(ROOT / file)
    return tmp_path


def environment(server: StandIn) -> dict[str, str]:
    return {
        **EXAMPLES,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "0123456789abcdef",
    }


def make_pipeline(folder: Path, server: StandIn, *arguments: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-m", "pipelines.run", *arguments]
    return subprocess.run(program, cwd=folder, env=environment(server), capture_output=True, text=True, check=False)


@pytest.fixture
def in_this_process(folder: Path, aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder and the environment that the process would have: another start of Python would show nothing more."""
    monkeypatch.chdir(folder)
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)
    for name, value in environment(aws).items():
        monkeypatch.setenv(name, value)


def exports(folder: Path) -> list[str]:
    return (folder / "build" / "exports.env").read_text().splitlines()


@pytest.mark.usefixtures("in_this_process")
def test_a_good_model_ends_with_its_version_and_exit_status_0(
    compiled: Compilation, folder: Path, aws: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = {"RegisterModel": {"Arn": PACKAGE}}
    registered = {"StepName": "RegisterModel", "StepStatus": "Succeeded", "Metadata": metadata}
    aws.execution_ends("Succeeded", registered)
    aws.answers["DescribeModelPackage"] = {
        "ModelPackageVersion": 1,
        "ModelPackageGroupName": "example-p-example",
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": "s3://results/run/evaluation.json"}}},
    }
    metrics = {"binary_classification_metrics": {name: {"value": 0.91} for name in SHOWN_METRICS}}
    aws.objects["/results/run/evaluation.json"] = json.dumps(metrics).encode()
    uploads = [f"/{each['bucket']}/{each['key']}" for each in compiled.uploads]
    aws.objects[uploads[0]] = b"from an earlier build"

    with pytest.raises(SystemExit) as ended:
        command(["MaxDepth=6"])

    said = capsys.readouterr()
    assert ended.value.code == 0, said.out + said.err
    assert "Registered version 1 of example-p-example" in said.out
    assert aws.calls["CreatePipeline"]["PipelineDefinition"].encode() == compiled.definition
    assert f"Uploaded {len(uploads) - 1} of {len(uploads)} files" in said.out
    assert set(uploads) <= set(aws.objects)
    assert aws.objects[uploads[0]] == b"from an earlier build"
    assert aws.calls["StartPipelineExecution"]["PipelineParameters"] == [
        {"Name": "SourceCommit", "Value": "0123456789abcdef"},
        {"Name": "MaxDepth", "Value": "6"},
    ]
    assert exports(folder) == [f"export PIPELINE_EXECUTION_ARN={EXECUTION}", f"export MODEL_PACKAGE_ARN={PACKAGE}"]


@pytest.mark.usefixtures("in_this_process")
def test_a_model_below_the_gate_ends_with_the_shortfall_and_exit_status_1(
    folder: Path, aws: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "The model does not pass the quality gate: recall=0.41 (at least 0.6)"
    metadata = {"Fail": {"ErrorMessage": message}}
    aws.execution_ends("Failed", {"StepName": "QualityGateFailed", "StepStatus": "Failed", "Metadata": metadata})

    with pytest.raises(SystemExit) as ended:
        command([])

    assert ended.value.code == 1
    assert "recall is 0.41, at least 0.6 is required: 0.19 too low" in capsys.readouterr().out
    assert exports(folder) == [f"export PIPELINE_EXECUTION_ARN={EXECUTION}"]


def test_a_refused_request_is_shown_as_aws_words_it_without_a_traceback(folder: Path, aws: StandIn) -> None:
    reason = "User: build is not authorized to perform: sagemaker:CreatePipeline"
    aws.answers["CreatePipeline"] = {"__type": "AccessDeniedException", "message": reason}

    done = make_pipeline(folder, aws)

    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "build" / "exports.env").exists()
