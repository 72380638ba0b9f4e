"""Somebody who calls an endpoint without pause."""

from __future__ import annotations

import json
import threading
from collections import Counter

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
