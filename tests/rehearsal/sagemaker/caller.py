"""Somebody who calls an endpoint without pause, and somebody who hands requests to an asynchronous one."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterable

from botocore.exceptions import ClientError

from tests.rehearsal.sagemaker.hosting import Stage


class Client:
    """Calls an endpoint without pause and counts what it hears, errors by their kind."""

    def __init__(self, stage: Stage, endpoint: str) -> None:
        self._stage = stage
        self._endpoint = endpoint
        self._ending = threading.Event()
        self.heard: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._call, daemon=True)

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _call(self) -> None:
        runtime = self._stage.cloud.client("sagemaker-runtime", self._stage.cloud.identity.root)
        body = json.dumps({"records": [1]})
        while not self._ending.is_set():
            try:
                answer = runtime.invoke_endpoint(EndpointName=self._endpoint, Body=body, ContentType="application/json")
                self.heard[json.loads(answer["Body"].read())["predictions"][0]] += 1
            except ClientError as error:
                self.heard[f"{error.response['Error']['Code']} {error.response.get('OriginalStatusCode')}"] += 1


class AsyncClient:
    """Hands in requests without pause, each as a file; `collect` reads what became of them."""

    def __init__(self, stage: Stage, endpoint: str) -> None:
        self._stage = stage
        self._endpoint = endpoint
        self._ending = threading.Event()
        self._waiting: list[dict[str, str]] = []
        self.asked = 0
        self.heard: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._call, daemon=True)

    def __enter__(self) -> AsyncClient:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def hand_in(self) -> None:
        """One request more."""
        request = f"async/{self._endpoint}/input/question.json"
        self._stage.client("s3").put_object(Bucket="models", Key=request, Body=json.dumps({"records": [1]}).encode())
        queued = self._stage.client("sagemaker-runtime").invoke_endpoint_async(
            EndpointName=self._endpoint, InputLocation=f"s3://models/{request}", ContentType="application/json"
        )
        self._waiting.append({"answer": queued["OutputLocation"], "failure": queued["FailureLocation"]})
        self.asked += 1

    def collect(self) -> int:
        """Read the files that have come; how many requests wait."""
        there = set(self._files())
        for each in [each for each in self._waiting if there & set(each.values())]:
            self.heard[self._kind(each)] += 1
            self._waiting.remove(each)
        return len(self._waiting)

    def _kind(self, of: dict[str, str]) -> str:
        s3 = self._stage.client("s3")
        for kind, url in of.items():
            bucket, key = url.removeprefix("s3://").split("/", 1)
            try:
                text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
            except ClientError:
                continue
            status = re.search(r"error \((\d+)\)", text)
            return str(json.loads(text)["predictions"][0]) if kind == "answer" else f"failure {status and status[1]}"
        raise AssertionError(f"neither answered nor failed: {of}")

    def _files(self) -> Iterable[str]:
        listing = self._stage.client("s3").get_paginator("list_objects_v2")
        for page in listing.paginate(Bucket="models", Prefix=f"async/{self._endpoint}/"):
            yield from (f"s3://models/{entry['Key']}" for entry in page.get("Contents", []))

    def _call(self) -> None:
        while not self._ending.is_set():
            self.hand_in()
            self._ending.wait(0.05)
