"""Production that answers in files, as its callers see it: asynchronous endpoints and batch runs, for `make bench`."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from rehearsal.bench_projects import BenchProject
from rehearsal.callers import Callers
from rehearsal.claims import HARMLESS, SUSPICIOUS
from rehearsal.watch import wait_until

JSON = "application/json"
MISSING = ("NoSuchKey", "404")
LOOK_AGAIN = 0.1
PATIENCE = 120.0
"""Real seconds until a request that has neither an answer nor a failure counts as lost."""
BATCH = ([HARMLESS], [HARMLESS, SUSPICIOUS])
"""The requests of a batch, one a line: shares of decisions that batch-checks.json lets pass."""


class RequestFailedError(Exception):
    """There is a failure file where the answer should be."""


class FileCallers(Callers):
    """Callers of an asynchronous endpoint: each hands a request in, waits for its file, and hands in the next."""

    def __init__(self, project: BenchProject, claims: list[dict[str, Any]], callers: int) -> None:
        client = project.scene.engineer.client
        self._bucket, self._s3 = project.bucket, client("s3")
        super().__init__(client, project.scene.project.endpoint("prod"), claims, callers)

    def ask(self) -> None:
        """One request. Raises RequestFailedError for one that failed, and StoryError for one that is lost."""
        key = f"async/{self._endpoint}/input/{uuid4().hex}.json"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=self._body.encode())
        queued = self._runtime.invoke_endpoint_async(
            EndpointName=self._endpoint, InputLocation=f"s3://{self._bucket}/{key}", ContentType=JSON
        )
        never = threading.Event()

        def answer() -> str | None:
            if (failed := self._file(queued["FailureLocation"])) is not None:
                raise RequestFailedError(failed)
            found = self._file(queued["OutputLocation"])
            if found is None:
                never.wait(LOOK_AGAIN)
            return found

        json.loads(wait_until(answer, f"an answer to {key}", PATIENCE))

    def _file(self, url: str) -> str | None:
        return text(self._s3, url)


def text(s3: Any, url: str) -> str | None:  # noqa: ANN401 - boto3 is untyped
    """What a file in S3 says; None where there is none."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return None
        raise
    return body.decode()


# ---- batch


def put_batch(project: BenchProject) -> None:
    """Put a file into the input of production."""
    lines = "".join(json.dumps({"records": claims}) + "\n" for claims in BATCH)
    key = f"{project.scene.project.group}/batch/prod/input/claims.jsonl"
    project.scene.engineer.client("s3").put_object(Bucket=project.bucket, Key=key, Body=lines.encode())


def until_published(project: BenchProject, package: str) -> None:
    """Until a run has published this version's answers."""
    s3 = project.scene.engineer.client("s3")
    prefix = f"{project.scene.project.group}/batch/prod/published/"

    def published() -> bool:
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=project.bucket, Prefix=prefix).get("Contents", [])]
        manifests = [text(s3, f"s3://{project.bucket}/{key}") for key in keys if key.endswith("/manifest.json")]
        return any(found is not None and json.loads(found)["model_package"] == package for found in manifests)

    project.scene.wait_until(published, f"answers of {package}")
