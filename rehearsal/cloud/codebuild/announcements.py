"""What a build tells the event bus about itself; nothing any more once the cloud is stopping."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rehearsal.cloud.codebuild.build import Build
from rehearsal.cloud.codebuild.events import PHASE_CHANGE, SOURCE, STATE_CHANGE, phase_change, state_change

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)


class Announcements:
    """Of one build."""

    def __init__(self, cloud: Cloud, build: Build) -> None:
        self._cloud = cloud
        self._build = build

    def phase(self) -> None:
        """Tell of the phase that has just been completed; a build goes on when the bus does not take the news."""
        if self._cloud.stopping.is_set():
            return
        detail = phase_change(self._build.document(self._cloud.region, self._cloud.account))
        try:
            self._cloud.events.emit(SOURCE, PHASE_CHANGE, detail, [self._build.arn])
        except Exception:
            if not self._cloud.stopping.is_set():
                log.exception("the event bus did not take a phase event of build %s", self._build.id)

    def state(self) -> None:
        """Tell that the build has begun or ended."""
        if self._cloud.stopping.is_set():
            return
        document = self._build.document(self._cloud.region, self._cloud.account)
        self._cloud.events.emit(SOURCE, STATE_CHANGE, state_change(document), [self._build.arn])
