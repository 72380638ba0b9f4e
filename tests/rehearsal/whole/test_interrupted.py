"""A person who interrupts the story, or a machine that does, waits for none of its acts."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from rehearsal import story as stories
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import People
from rehearsal.progress import ActRecord, Progress
from rehearsal.scene import Milestone, Scene
from rehearsal.story import Story
from tests.rehearsal.conftest import ENVIRONMENTS

Act = Callable[[Scene, ActRecord], None]
LONG = 40.0
WHAT_ENDED_IT = "the rehearsal was ended while it waited for"


@pytest.fixture
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Cloud(CloudSettings(tmp_path_factory.mktemp("cloud"), ENVIRONMENTS), [], []) as cloud:
        root = cloud.identity.root
        yield Story(cloud, People(root, root, root, "", ""), Progress())


def play(story: Story, monkeypatch: pytest.MonkeyPatch, **acts: Act) -> None:
    """Play these acts; the others do nothing."""

    def nothing(scene: Scene, act: ActRecord) -> None:
        for milestone in (scene.second_version, scene.second_shift, scene.second_live):
            milestone.reach()

    monkeypatch.setattr(stories, "ACTS", tuple((name, acts.get(name, nothing)) for name, _ in stories.ACTS))
    story.play()


def for_a_build(scene: Scene, act: ActRecord) -> None:
    scene.wait_until(lambda: None, "a build", LONG)


def problem_of(story: Story, name: str) -> str:
    return next(act.problem for act in story.scene.progress.acts if act.name == name)


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(143)])
def test_an_act_that_waits_beside_the_one_that_is_interrupted_ends_with_it(
    story: Story, monkeypatch: pytest.MonkeyPatch, ending: BaseException
) -> None:
    began = threading.Event()

    def build(scene: Scene, act: ActRecord) -> None:
        began.set()
        for_a_build(scene, act)

    def interrupted(scene: Scene, act: ActRecord) -> None:
        began.wait(LONG)
        raise ending

    with pytest.raises(type(ending)):
        play(story, monkeypatch, **{"Edit and push": build, "Approve": interrupted})

    assert problem_of(story, "Edit and push") == f"{WHAT_ENDED_IT} a build"
    assert "Delete" not in [act.name for act in story.scene.progress.acts]


def test_a_signal_is_heard_while_only_the_acts_beside_are_left(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def build(scene: Scene, act: ActRecord) -> None:
        over.wait(LONG)
        os.kill(os.getpid(), signal.SIGINT)
        for_a_build(scene, act)

    def last_in_front(scene: Scene, act: ActRecord) -> None:
        over.set()

    with pytest.raises(KeyboardInterrupt):
        play(story, monkeypatch, **{"Edit and push": build, "Production": last_in_front})

    assert problem_of(story, "Edit and push") == f"{WHAT_ENDED_IT} a build"


def test_what_an_interrupted_act_would_have_brought_about_is_awaited_no_longer(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    milestone = Milestone("the sun rose")
    story.scene.milestones += (milestone,)
    began = threading.Event()

    def waits(scene: Scene, act: ActRecord) -> None:
        began.set()
        milestone.wait()

    def interrupted(scene: Scene, act: ActRecord) -> None:
        began.wait(LONG)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(story, monkeypatch, **{"Edit and push": waits, "Approve": interrupted})

    assert problem_of(story, "Edit and push").startswith("the story ended before the sun rose")
