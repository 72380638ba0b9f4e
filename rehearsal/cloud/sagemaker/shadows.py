"""A shadow variant: it gets copies of requests that its production variant answers, and nobody sees its answers.

Which share is copied is the ratio of both variants' weights; how AWS takes one above 1 is undocumented, here it is 1.
Copies are answered in the background, by few at a time: a slow shadow keeps no caller waiting. What it answers is
captured and counted under its own name.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-shadow-deployment.html
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.model_server import ContainerSilentError
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.sagemaker.data_capture import DataCapture
    from rehearsal.cloud.sagemaker.endpoint_metrics import EndpointMetrics
    from rehearsal.cloud.sagemaker.fleets import VariantFleet

AT_ONCE = 4
"""Copies that are answered at the same time."""
LOOK_SECONDS = 1.0
"""Real seconds between two looks whether the cloud has ended, while there is nothing to answer."""


def check(request: Document) -> None:
    """Refuse what a configuration with shadows cannot have. Raises AwsError.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html says one of each;
    that both of them are on instances, and answer at once, is what its guide shows, and all that is played.
    """
    if len(request["ProductionVariants"]) > 1 or len(request["ShadowProductionVariants"]) > 1:
        raise AwsError(
            "ValidationException",
            "When ShadowProductionVariants is specified, there can be only one variant in ProductionVariants and one "
            "in ShadowProductionVariants.",
        )
    both = [*request["ProductionVariants"], *request["ShadowProductionVariants"]]
    if any("ServerlessConfig" in variant for variant in both):
        raise AwsError("ValidationException", "Serverless inference does not support shadow variants.")
    if "AsyncInferenceConfig" in request:
        raise AwsError("ValidationException", "Asynchronous inference does not support shadow variants.")


@dataclass(frozen=True)
class Copy:
    """One request as the shadow gets it."""

    body: bytes
    headers: Mapping[str, str]
    inference_id: str | None
    custom_attributes: str | None


class Shadow:
    """The shadow of one fleet: which requests it gets, and what becomes of its answers."""

    def __init__(
        self,
        cloud: Cloud,
        endpoint: str,
        config: str,
        variant: VariantFleet,
        capture: DataCapture | None,
        metrics: EndpointMetrics,
    ) -> None:
        self._cloud = cloud
        self._endpoint = endpoint
        self._config = config
        self.variant = variant
        self._capture = capture
        self._metrics = metrics
        self._waiting: queue.SimpleQueue[Copy | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._started = False
        self._random = random.Random()  # noqa: S311 - sampling, no secret

    def offer(self, copy: Copy, production: VariantFleet) -> None:
        """Copy a request that `production` is about to answer, or not, by the weights. Does not wait.

        The caller holds the production variant: its fleet, which this is a part of, does not end meanwhile.
        """
        share = self.variant.weight / production.weight if production.weight else 0.0
        if self._random.random() >= share:
            return
        self.variant.server.enter()
        self._waiting.put(copy)
        with self._starting:
            if not self._started:
                self._started = True
                for number in range(AT_ONCE):
                    self._cloud.background(f"shadow {self.variant.name} of {self._endpoint}, {number}", self._work)

    def _work(self) -> None:
        while not self._cloud.stopping.is_set():
            try:
                copy = self._waiting.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            if copy is None:
                return
            try:
                self._answer(copy)
            finally:
                self.variant.server.leave()

    def _answer(self, copy: Copy) -> None:
        began, status, answer = time.perf_counter(), 0, None
        try:
            answer = self.variant.server.invoke(copy.body, dict(copy.headers))
            status = answer.status
        except ContainerSilentError:
            pass  # nobody waits for the answer; the metrics tell
        seconds = answer.seconds if answer else time.perf_counter() - began
        self._metrics.invocation(
            self._endpoint,
            self.variant.name,
            self._config,
            self.variant.instances,
            status=status,
            model_seconds=seconds,
            overhead_seconds=max(time.perf_counter() - began - seconds, 0.0),
        )
        if answer is None or not 200 <= status < 300 or self._capture is None or not self._capture.sampled():
            return
        self._capture.record(
            self.variant.name,
            self.variant.server.role,
            (copy.body, copy.headers.get("Content-Type", "")),
            (answer.body, answer.headers.get("content-type", "")),
            copy.inference_id,
            copy.custom_attributes,
        )

    def stop(self, *, drain: bool) -> None:
        """End after the copies that wait, when `drain`."""
        self.variant.server.stop(drain=drain)
        for _ in range(AT_ONCE):
            self._waiting.put(None)
