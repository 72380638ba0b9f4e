"""The CodeBuild API, put together."""

from __future__ import annotations

from rehearsal.cloud.codebuild.builds import Builds


class CodeBuild(Builds):
    """Projects, builds and reports: each parent answers the operations of one concern."""

    def stop(self) -> None:
        """Builds that still run end as stopped; their processes end with the cloud's."""
        for run in list(self._runs.values()):
            run.interrupt("STOPPED")
