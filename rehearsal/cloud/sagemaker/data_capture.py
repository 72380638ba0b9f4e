"""Data capture: a sample of requests and answers, as JSON lines in S3.

Records wait in memory and are written every few moments as the model's execution role, one object per variant:
`<DestinationS3Uri>/<endpoint>/<variant>/yyyy/mm/dd/hh/<minute>-<second>-<millisecond>-<uuid>.jsonl`.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
"""Real seconds between two writes; AWS takes up to some minutes."""


class DataCapture:
    """Captures for one endpoint under one configuration."""

    def __init__(self, cloud: Cloud, endpoint: str, config: Document) -> None:
        self._cloud = cloud
        self.endpoint = endpoint
        self.config = config
        self._destination = config["DestinationS3Uri"].rstrip("/")
        self._key = config.get("KmsKeyId")
        self.percentage = int(config["InitialSamplingPercentage"])
        modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
        self._input = bool(modes & {"Input", "InputAndOutput"})
        self._output = bool(modes & {"Output", "InputAndOutput"})
        header = config.get("CaptureContentTypeHeader", {})
        self._csv = {kind.lower() for kind in header.get("CsvContentTypes", [])}
        self._json = {kind.lower() for kind in header.get("JsonContentTypes", [])}
        self._waiting: dict[str, list[str]] = defaultdict(list)
        self._roles: dict[str, Credentials] = {}
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._flushing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._random = random.Random()  # noqa: S311 - sampling, no secret

    def report(self) -> Document:
        """DataCaptureConfigSummary, as DescribeEndpoint shows it."""
        return {
            "EnableCapture": True,
            "CaptureStatus": "Started",
            "CurrentSamplingPercentage": self.percentage,
            "DestinationS3Uri": self._destination,
            "KmsKeyId": self._key or "",
        }

    def sampled(self) -> bool:
        """Whether the next request is one of the sample."""
        return self._random.uniform(0, 100) < self.percentage

    def record(
        self,
        variant: str,
        role: Credentials,
        request: tuple[bytes, str],
        answer: tuple[bytes, str],
        inference_id: str | None,
        custom_attributes: str | None,
    ) -> None:
        """Keep one request and its answer, each as (body, content type)."""
        data: Document = {}
        if self._input:
            data["endpointInput"] = self._side(*request, mode="INPUT")
        if self._output:
            data["endpointOutput"] = self._side(*answer, mode="OUTPUT")
        metadata: Document = {"eventId": str(uuid4())}
        if custom_attributes:
            metadata["customAttributes"] = [custom_attributes]
        if inference_id:
            metadata["inferenceId"] = inference_id
        metadata["inferenceTime"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})
        with self._lock:
            self._waiting[variant].append(line)
            self._roles[variant] = role
            if self._thread is None and not self._closing.is_set():
                self._thread = self._cloud.background(f"data capture of {self.endpoint}", self._flush_often)

    def _side(self, body: bytes, content_type: str, mode: str) -> Document:
        kind = content_type.split(";")[0].strip().lower()
        encoding = "CSV" if kind in self._csv else "JSON" if kind in self._json else "BASE64"
        text = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode(errors="replace")
        return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}

    def _flush_often(self) -> None:
        while not self._closing.wait(FLUSH_SECONDS) and not self._cloud.stopping.is_set():
            self.flush()

    def flush(self) -> None:
        """Write what waits. A role that may not write loses the records, as on AWS; the denial is in the report."""
        with self._flushing:
            with self._lock:
                waiting, self._waiting = self._waiting, defaultdict(list)
            for variant, lines in waiting.items():
                try:
                    self._write(variant, lines)
                except (ClientError, BotoCoreError) as problem:
                    log.warning("%d captured records of %s were not written: %s", len(lines), self.endpoint, problem)

    def _write(self, variant: str, lines: list[str]) -> None:
        now = datetime.now(UTC)
        bucket, _, prefix = self._destination.removeprefix("s3://").partition("/")
        name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid4()}.jsonl"
        path = [prefix, self.endpoint, variant, f"{now:%Y/%m/%d/%H}", name]
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._key} if self._key else {}
        role = self._roles[variant]
        if role.access_key_id not in self._clients:
            self._clients[role.access_key_id] = self._cloud.client("s3", role)
        self._clients[role.access_key_id].put_object(
            Bucket=bucket,
            Key="/".join(part for part in path if part),
            Body=("\n".join(lines) + "\n").encode(),
            ContentType="application/json-lines",
            **encryption,
        )

    def close(self) -> None:
        """Write what waits and stop."""
        self._closing.set()
        if not self._cloud.stopping.is_set():
            self.flush()
