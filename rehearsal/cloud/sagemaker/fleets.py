"""The fleets behind an endpoint, and which of them the next request goes to."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.sagemaker.data_capture import DataCapture
from rehearsal.cloud.sagemaker.model_server import ModelServer
from rehearsal.cloud.sagemaker.shadows import Shadow
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from rehearsal.cloud.sagemaker.endpoint_configs import EndpointConfig


class NoSuchVariantError(Exception):
    """The request names a variant that no fleet in traffic has."""


@dataclass
class VariantFleet:
    """The instances of one variant of one configuration."""

    name: str
    instance_type: str
    """Empty for a serverless variant."""
    instances: int
    weight: float
    server: ModelServer
    serverless: Document | None = None
    ready_at: datetime | None = None
    status: Document | None = None
    """The secondary status (`VariantStatus`) while something is under way."""
    active_instances: int = 0
    """Those in traffic while a deployment is bringing the fleet in."""
    terminated_instances: int = 0
    """Those a rolling deployment has taken away already."""

    @property
    def current_instances(self) -> int:
        """How many there are at this moment."""
        return self.active_instances if self.status else self.instances - self.terminated_instances

    def report(self) -> Document:
        """ProductionVariantSummary, as DescribeEndpoint and the deployment event show it."""
        image = self.server.image
        deployed = {"SpecifiedImage": image, "ResolvedImage": image}
        if self.ready_at is not None:
            deployed["ResolutionTime"] = self.ready_at  # type: ignore[assignment]
        if self.serverless is not None:
            size: Document = {
                "CurrentServerlessConfig": self.serverless,
                "DesiredServerlessConfig": self.serverless,
            }
        else:
            size = {"CurrentInstanceCount": self.current_instances, "DesiredInstanceCount": self.instances}
        return {
            "VariantName": self.name,
            "DeployedImages": [deployed],
            "CurrentWeight": self.weight,
            "DesiredWeight": self.weight,
            **size,
            **({"VariantStatus": [self.status]} if self.status else {}),
        }


@dataclass
class Fleet:
    """All variants of one endpoint configuration; in a blue/green deployment there are two of these."""

    config: EndpointConfig
    variants: list[VariantFleet]
    capture: DataCapture | None
    shadow: Shadow | None = None

    @property
    def instances(self) -> int:
        return sum(variant.instances for variant in self.variants)

    @property
    def shadows(self) -> list[VariantFleet]:
        return [self.shadow.variant] if self.shadow else []

    def start(self) -> None:
        """Start every variant's server. Raises FleetFailedError after ending those that came up."""
        try:
            for variant in [*self.variants, *self.shadows]:
                variant.server.start()
                variant.ready_at = datetime.now(UTC)
        except BaseException:
            self.stop(drain=False)
            raise

    def kill(self) -> None:
        """Kill every server's container, as if it had crashed; each is started again."""
        for variant in [*self.variants, *self.shadows]:
            variant.server.kill()

    def stop(self, *, drain: bool = True) -> None:
        """End every server, after the requests under way when `drain`; write captured data that waits."""
        for variant in self.variants:
            variant.server.stop(drain=drain)
        if self.shadow is not None:  # after them: what they answered last may have been copied
            self.shadow.stop(drain=drain)
        if self.capture is not None:
            self.capture.close()


class Traffic:
    """Routes each request: first to a fleet by its share, then to a variant by its weight.

    A request enters its server under the same lock under which shares change, so a server that has lost its share gets
    no request any more and can be drained.
    """

    def __init__(self) -> None:
        self._shares: list[tuple[float, Fleet]] = []
        self._lock = threading.Lock()
        self._random = random.Random()  # noqa: S311 - routing, no secret

    def shift(self, shares: Sequence[tuple[float, Fleet]]) -> None:
        """From now on requests go to these fleets in these shares (0 leaves one out)."""
        with self._lock:
            self._shares = [(share, fleet) for share, fleet in shares if share > 0]

    @property
    def instances(self) -> int:
        """How many instances requests go to."""
        with self._lock:
            return sum(fleet.instances for _, fleet in self._shares)

    @contextmanager
    def take(self, target_variant: str | None = None) -> Iterator[tuple[Fleet, VariantFleet]]:
        """The fleet and variant for one request, held until it is answered. Raises NoSuchVariantError."""
        fleet, variant = self._enter(target_variant)
        try:
            yield fleet, variant
        finally:
            variant.server.leave()

    def _enter(self, target_variant: str | None) -> tuple[Fleet, VariantFleet]:
        with self._lock:
            if not self._shares:
                raise NoSuchVariantError(target_variant or "")
            # A fleet without instances (of an asynchronous endpoint that sleeps) leaves the queue to the others.
            shares = [each for each in self._shares if each[1].instances] or self._shares
            fleet = self._random.choices([f for _, f in shares], [s for s, _ in shares])[0]
            if target_variant is not None:
                candidates = [variant for variant in fleet.variants if variant.name == target_variant]
                if not candidates:
                    raise NoSuchVariantError(target_variant)
                variant = candidates[0]
            else:
                weights = [variant.weight for variant in fleet.variants]
                variant = self._random.choices(fleet.variants, weights if any(weights) else None)[0]
            variant.server.enter()
            return fleet, variant
