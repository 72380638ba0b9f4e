"""The cloud itself: one account in one region, its services, and everything they share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rehearsal.cloud.base import Base
from rehearsal.cloud.clients import Clients
from rehearsal.cloud.clock import Clock, Patience
from rehearsal.cloud.egress import Egress
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.events import Events
from rehearsal.cloud.faults import Faults
from rehearsal.cloud.front_door import FrontDoor
from rehearsal.cloud.identity import Identity
from rehearsal.cloud.news import News
from rehearsal.cloud.pages import Tokens, asking
from rehearsal.cloud.processes import Processes
from rehearsal.cloud.resources.engine import ResourceEngine
from rehearsal.cloud.resources.provider import ResourceProvider
from rehearsal.cloud.service import Credentials, Document, Service
from rehearsal.cloud.settings import CloudSettings
from rehearsal.cloud.validation import ServiceShapes, without_absent

log = logging.getLogger(__name__)


class Cloud:
    """One AWS account in one region, on this machine.

    Shared parts that rooms use: `identity` (who may what, and roles to act as), `events` (EventBridge), `clock`,
    `faults` (what is to go wrong), `processes` (child processes that end with the cloud), `egress` (their only way out
    of this machine), `folder_for` (state on disk),
    `client` (boto3 as a role), `call` (one of our own services as a role, without HTTP), `background` (work that
    outlives its request).
    """

    def __init__(
        self,
        settings: CloudSettings,
        services: Iterable[type[Service]],
        providers: Iterable[type[ResourceProvider]],
    ) -> None:
        self.settings = settings
        self.account = settings.account
        self.region = settings.region
        self.clock = Clock(settings.speed)
        self.faults = Faults(settings.faults)
        self.page_tokens = Tokens()
        self.stopping = threading.Event()
        self.news = News()
        self.patience = Patience(news=self.news)
        self.processes = Processes()
        self.egress = Egress()
        self.shapes = ServiceShapes(settings.region)
        self.base = Base(settings, self.processes)
        self.clients = Clients(settings.region)
        self.identity = Identity(self.base, settings)
        self.events = Events(self)
        self.services: dict[str, Service] = {room.name: room(self) for room in services}
        self.resources = ResourceEngine(self, providers)
        self.front_door = FrontDoor(self)

    @property
    def url(self) -> str:
        """The one address of everything: AWS_ENDPOINT_URL."""
        return self.front_door.url

    def start(self) -> None:
        """Open the front door and start the base behind it; returns when both answer."""
        self.egress.open()
        self.front_door.open()
        self.base.start(
            self.url,
            self.resources.type_names,
            self.resources.replacing_properties(),
            self.resources.tag_properties(),
        )
        if self.settings.record:
            self.identity.record_authorisations()
        self.resources.warm_up()

    def stop(self) -> None:
        """End every process and close the door. Safe to call twice."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        self.news.tell()
        for service in self.services.values():
            service.stop()
        self.processes.stop()
        self.front_door.close()
        self.egress.close()

    def __enter__(self) -> Cloud:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def folder_for(self, *parts: str) -> Path:
        """A folder below the cloud's own, made when it is missing."""
        folder = self.settings.folder.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def cache_for(self, *parts: str) -> Path:
        """A folder that outlives the cloud, for what is only faster to find again than to make again."""
        folder = (self.settings.cache or self.settings.folder / "cache").joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def environment(self, credentials: Credentials) -> dict[str, str]:
        """The environment with which a program acts in this cloud as `credentials`."""
        return {
            **credentials.environment(),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, credentials: Credentials) -> Any:  # noqa: ANN401 - boto3 clients are untyped
        """A boto3 client of any service, acting as `credentials` through the front door."""
        return self.clients.client(service, self.url, credentials)

    def call(self, caller: Credentials, service: str, operation: str, request: Mapping[str, Any]) -> Document:
        """Call one of our own services as `caller`: validated, authorised and recorded as over HTTP.

        Raises AwsError as the API would answer it.
        """
        room = self.services[service]
        handler = room.operations.get(operation)
        if handler is None:
            raise NotImplementedHere(f"{service}:{operation}")
        document = without_absent(dict(request))  # null is as good as nothing
        problem = self.shapes.request_problem(service, operation, document)
        if problem:
            raise room.malformed(operation, problem)
        self.identity.require(caller, room.calls_for(operation, document, caller), code=room.access_denied_error)
        with asking(self.page_tokens, f"{service}:{operation}", document):
            answer: Document = without_absent(handler(document, caller))
        problem = self.shapes.response_problem(service, operation, answer)
        if problem:
            raise AwsError("InternalFailure", f"{service}:{operation} would answer against its model: {problem}", 500)
        return answer

    def background(self, name: str, work: Callable[..., None], *arguments: object) -> threading.Thread:
        """Run `work` on a thread of its own; an exception that escapes it is logged with its name."""

        def guarded() -> None:
            try:
                work(*arguments)
            except Exception:
                if not self.stopping.is_set():
                    log.exception("%s failed", name)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread
