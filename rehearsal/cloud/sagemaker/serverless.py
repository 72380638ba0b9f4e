"""Serverless inference: a container that runs while it is asked, and is started again by the first request after that.

What is real: the process ends when nobody has asked for a while, and the request that finds it gone waits until a new
one has answered its ping (a cold start). One process stands for all of an endpoint's concurrent environments; requests
above MaxConcurrency are throttled. How long AWS keeps an idle environment is undocumented.
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.model_server import ContainerAnswer, ContainerSilentError, FleetFailedError, ModelServer
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.container import Containers
    from rehearsal.cloud.sagemaker.models import Container, Model

IDLE_SECONDS = 600.0
"""AWS seconds after the last request until the container ends."""
LOOK_SECONDS = 0.1
"""Real seconds between two looks whether it is idle."""
MEMORY_STEP = 1024


def check(variant: Document, config: Document, model: Model) -> None:
    """Refuse what a serverless variant cannot have. Raises AwsError.

    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html#serverless-endpoints-how-it-works-exclusions
    """
    name, serverless = variant["VariantName"], variant["ServerlessConfig"]
    excluded = {
        "InstanceType and InitialInstanceCount": "InstanceType" in variant or "InitialInstanceCount" in variant,
        "DataCaptureConfig": "DataCaptureConfig" in config,
        "AsyncInferenceConfig": "AsyncInferenceConfig" in config,
        "multiple production variants": len(config["ProductionVariants"]) > 1,
        "network isolation (EnableNetworkIsolation of the model)": model.document.get("EnableNetworkIsolation", False),
        "a VPC configuration (VpcConfig of the model)": "VpcConfig" in model.document,
    }
    for what, given in excluded.items():
        if given:
            raise AwsError("ValidationException", f"Serverless inference does not support {what}: variant {name}.")
    if int(serverless["MemorySizeInMB"]) % MEMORY_STEP:
        raise AwsError(
            "ValidationException",
            f"MemorySizeInMB of variant {name} must be one of 1024, 2048, 3072, 4096, 5120, 6144, not "
            f"{serverless['MemorySizeInMB']}.",
        )
    if int(serverless.get("ProvisionedConcurrency", 0)) > int(serverless["MaxConcurrency"]):
        raise AwsError(
            "ValidationException", f"ProvisionedConcurrency of variant {name} must not be above its MaxConcurrency."
        )


class ServerlessServer(ModelServer):
    """A model server that sleeps. `start` wakes it once, as AWS does to see whether the container is healthy."""

    def __init__(
        self, cloud: Cloud, containers: Containers, endpoint: str, variant: str, container: Container, config: Document
    ) -> None:
        super().__init__(cloud, containers, endpoint, variant, container, None)
        self._most = int(config["MaxConcurrency"])
        self._provisioned = bool(config.get("ProvisionedConcurrency", 0))
        self._waking = threading.Lock()
        self._ended = threading.Event()
        self._used = time.monotonic()

    def start(self) -> None:
        super().start()
        self._used = time.monotonic()
        if not self._provisioned:
            self._cloud.background(f"sleep of {self._endpoint}/{self._variant}", self._fall_asleep_when_idle)

    @property
    def awake(self) -> bool:
        """Whether its container runs."""
        return self._serving is not None

    def admit(self) -> None:
        with self._quiet:
            busy = self._busy  # this request is one of them
        if busy > self._most:
            raise AwsError("ThrottlingException", "Rate exceeded", 429)

    def invoke(self, body: bytes, headers: dict[str, str]) -> ContainerAnswer:
        """Answer, after a cold start if need be. Raises ContainerSilentError."""
        with self._waking:
            self._used = time.monotonic()
            if not self.awake:
                self._start_cold()
        try:
            return super().invoke(body, headers)
        finally:
            self._used = time.monotonic()

    def _start_cold(self) -> None:
        try:
            self.wake()
        except FleetFailedError as problem:
            self._end_container()
            raise ContainerSilentError(str(problem)) from problem

    def _fall_asleep_when_idle(self) -> None:
        patience = self._cloud.clock.real_seconds(IDLE_SECONDS)
        while not self._ended.is_set() and not self._cloud.stopping.wait(LOOK_SECONDS):
            with self._waking:
                idle = self._busy == 0 and time.monotonic() - self._used >= patience
                if idle and self.awake and not self._ended.is_set():
                    self._end_container()

    def stop(self, *, drain: bool = True) -> None:
        self._ended.set()
        super().stop(drain=drain)
