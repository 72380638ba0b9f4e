"""The process of a model's container, started again whenever it ends by itself.

SageMaker keeps looking at `/ping` and takes care of containers that stop answering; until one answers again, requests
that reach it fail, which alarms on 5xx answers see.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html

AWS does not say how long it waits before it starts a container again. The waits here are Kubernetes': 10 seconds,
doubled each time up to 5 minutes, and from the beginning again for a container that ran for 10 minutes.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.container import Containers

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

FIRST_WAIT = 10.0
LONGEST_WAIT = 300.0
LONG_ENOUGH = 600.0
"""AWS seconds, all three."""


class ServingContainer:
    """One container: `keep` watches over it from when it is healthy until `stop`."""

    def __init__(
        self, cloud: Cloud, containers: Containers, name: str, launch: Callable[[], subprocess.Popen[Any]]
    ) -> None:
        self._cloud = cloud
        self._containers = containers
        self._name = name
        self._launch = launch
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._process = launch()

    @property
    def alive(self) -> bool:
        """Whether its program runs."""
        return self._process.poll() is None

    def keep(self) -> None:
        """Start it again whenever it ends, from now on."""
        self._cloud.background(f"container of {self._name}", self._keep)

    def kill(self) -> None:
        """End its program at once and without asking, as when an instance runs out of memory."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End it for good. Safe to call twice."""
        with self._lock:
            self._stopped.set()
        self._containers.stop(self._process)

    def _keep(self) -> None:
        wait = FIRST_WAIT
        while True:
            began = time.monotonic()
            status = self._process.wait()
            if self._ending():
                return
            ran = (time.monotonic() - began) * self._cloud.clock.speed
            wait = FIRST_WAIT if ran >= LONG_ENOUGH else wait
            log.warning("container of %s ended with %s; it is started again in %.0f s", self._name, status, wait)
            self._containers.stop(self._process)  # what it left running
            self._cloud.clock.wait(wait, until=self._stopped)
            wait = min(wait * 2, LONGEST_WAIT)
            with self._lock:
                if self._ending():
                    return
                self._process = self._launch()

    def _ending(self) -> bool:
        return self._stopped.is_set() or self._cloud.stopping.is_set()
