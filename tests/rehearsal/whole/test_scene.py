"""What the people of the story do, they do not do blindly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import People
from rehearsal.progress import Progress
from rehearsal.scene import Scene
from rehearsal.watch import PipelineWatch, StoryError
from tests.rehearsal.conftest import ENVIRONMENTS


class Pipeline:
    """A pipeline whose approval stage shows what it is told to."""

    def __init__(self, execution: str, **latest: str) -> None:
        self._stage = {
            "stageName": "ApproveProduction",
            "latestExecution": {"pipelineExecutionId": execution},
            "actionStates": [{"actionName": "ApproveProduction", "latestExecution": latest}],
        }
        self.answered: list[dict[str, Any]] = []

    def get_pipeline_state(self, **_: str) -> dict[str, Any]:
        return {"stageStates": [self._stage]}

    def get_pipeline_execution(self, **_: str) -> dict[str, Any]:
        return {"pipelineExecution": {"status": "InProgress"}}

    def put_approval_result(self, **given: Any) -> None:
        self.answered.append(given)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Cloud(CloudSettings(tmp_path_factory.mktemp("cloud"), ENVIRONMENTS), [], []) as cloud:
        root = cloud.identity.root
        yield Scene(cloud, People(root, root, root, "", ""), Progress())


def watch(scene: Scene, pipeline: Pipeline) -> PipelineWatch:
    return PipelineWatch(pipeline, None, None, None, scene.progress, "deploys", "execution-1")


def test_a_person_says_yes_to_the_execution_that_asks(scene: Scene) -> None:
    pipeline = Pipeline("execution-1", status="InProgress", token="t-1")  # noqa: S106 - no secret
    scene.say_yes(watch(scene, pipeline))
    [given] = pipeline.answered
    assert (given["token"], given["result"]["status"]) == ("t-1", "Approved")


@pytest.mark.parametrize(
    "pipeline",
    [
        Pipeline("execution-2", status="InProgress", token="t-1"),  # noqa: S106 - no secret
        Pipeline("execution-1", status="Succeeded", token="t-1"),  # noqa: S106 - no secret
        Pipeline("execution-1"),
    ],
)
def test_nobody_says_yes_to_an_execution_that_does_not_ask(scene: Scene, pipeline: Pipeline) -> None:
    with pytest.raises(StoryError, match="execution-1 of deploys waits for no approval: InProgress"):
        scene.say_yes(watch(scene, pipeline))
    assert pipeline.answered == []
