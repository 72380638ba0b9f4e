"""The story of one project: which acts there are, and when each begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rehearsal.acts.approve import approve
from rehearsal.acts.build import build
from rehearsal.acts.delete import delete
from rehearsal.acts.edit import edit_and_push
from rehearsal.acts.launch import launch
from rehearsal.acts.production import first_version, production
from rehearsal.acts.publish import publish
from rehearsal.acts.refuse import refuse
from rehearsal.own_model import OwnModel
from rehearsal.people import People
from rehearsal.progress import ActRecord, Progress
from rehearsal.scene import Milestone, Scene
from rehearsal.world import World

ACTS: tuple[tuple[str, Callable[[Scene, ActRecord], None]], ...] = (
    ("Publish", publish),
    ("Launch", launch),
    ("Build", build),
    ("Edit and push", edit_and_push),
    ("Approve", approve),
    ("Production", production),
    ("Refuse", refuse),
    ("Delete", delete),
)


class Story:
    """Plays the acts in a running cloud, or on AWS."""

    def __init__(self, cloud: World, people: People, progress: Progress, own: OwnModel | None = None) -> None:
        self.scene = Scene(cloud, people, progress, own)
        self._of_own_model = own is not None
        self.before_delete: Callable[[], None] = lambda: None
        """Called when the project is complete and about to be deleted."""

    def play(self) -> None:
        """All acts, or those of a model of one's own. The first that fails ends the story: the later ones
        stand on it.

        Work goes on while people decide: version 1 is approved while version 2 is still being built, and somebody
        registers a hotfix while production still shifts to version 2. The milestones of the scene keep that in order.
        """
        for number in (1, 2, 3):
            self._play(number)
        if self._of_own_model:
            self._play(5)
            self._play(6, act=first_version)
            self.scene.remedies.confirm()
            return
        with ThreadPoolExecutor(2, "story") as beside, self._interrupted_at_once():
            edited = beside.submit(self._play, 4)
            refused = beside.submit(self._play, 7, self.scene.second_version)
            self._play(5)
            self._play(6)
            edited.result()
            refused.result()
        self.before_delete()
        self._play(8)
        self.scene.remedies.confirm()

    @contextmanager
    def _interrupted_at_once(self) -> Iterator[None]:
        """What comes from outside (Ctrl-C, a signal, a full disk) ends the acts on other threads, too.

        They hear of it because the cloud they wait in stops; whoever leaves their pool would wait for them otherwise.
        """
        try:
            yield
        except Exception:
            raise
        except BaseException as ending:
            for milestone in self.scene.milestones:
                milestone.give_up(ending)
            self.scene.cloud.stop()
            raise

    def _play(
        self, number: int, begin: Milestone | None = None, act: Callable[[Scene, ActRecord], None] | None = None
    ) -> None:
        """One act, or another in its place, from a milestone on. When it fails, nobody waits for its milestones."""
        if begin is not None:
            begin.wait()
        name, usual = ACTS[number - 1]
        with self.scene.progress.act(number, name) as record:
            try:
                (act or usual)(self.scene, record)
            except BaseException as problem:
                for milestone in self.scene.milestones:
                    milestone.give_up(problem)
                raise
