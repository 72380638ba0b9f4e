"""How models get into production, for `make bench`: how long each mode takes, and whether anybody notices.

*From approval to production*: a version is approved in the registry, the deploy pipeline brings it to staging, tests it
there and asks a person, who says yes at once; the time ends when the pipeline's execution has succeeded. Production has
nothing before that. Each mode has a project of its own, because a living endpoint does not change into another kind.

*Under load*: callers ask production without a pause, from before the yes until after the execution has succeeded, while
the next version comes in by each of the strategies. A good version must cost them no request.

`rehearsal.bench_serving` measures what a request takes besides the model, on the same endpoint.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.acts.production import records_are_scored
from rehearsal.acts.publish import publish
from rehearsal.bench_cloud import Row
from rehearsal.bench_files import FileCallers, put_batch, until_published
from rehearsal.bench_projects import STAGES, BenchProject, shipped
from rehearsal.bench_serving import serving_rows
from rehearsal.callers import ANSWERED, Callers
from rehearsal.claims import HARMLESS
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import People, settle
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.progress import ActRecord, Progress
from rehearsal.scene import Scene, must

REALTIME = "realtime"
CALLERS = 2
SOME = 50
"""Answers before the update begins, and after it has ended."""


def _callers(project: BenchProject) -> Callers:
    return Callers(project.scene.scientist.client, project.scene.project.endpoint("prod"), [HARMLESS], CALLERS)


def _callers_of_files(project: BenchProject) -> FileCallers:
    return FileCallers(project, [HARMLESS], CALLERS)


@dataclass(frozen=True)
class Mode:
    """A way of serving."""

    parameters: Mapping[str, Mapping[str, object]]
    """Stage -> what it is configured with."""
    answers: Callable[[BenchProject, str], object]
    """Returns when production has answered with this version. Raises StoryError when it does not."""
    strategies: Sequence[str] = ()
    """By which the next versions come in while callers ask."""
    callers: Callable[[BenchProject], Callers] = _callers
    """Who asks production without a pause."""
    prepare: Callable[[BenchProject], None] = lambda project: None  # noqa: ARG005
    """What is done before the first version comes in."""


def _scored(project: BenchProject, package: str) -> object:
    return records_are_scored(project.scene, package)


def _answered_in_a_file(project: BenchProject, package: str) -> None:
    project.scene.serves("prod", package)
    _callers_of_files(project).ask()


def _shipped_as(mode: str, *, without: Collection[str] = ()) -> dict[str, Mapping[str, object]]:
    return {
        stage: {
            "DeploymentMode": mode,
            **{name: value for name, value in shipped(stage).items() if name not in without},
        }
        for stage in STAGES
    }


SERVERLESS = {"DeploymentMode": "serverless", "TrafficRouting": "ALL_AT_ONCE", "EnableNetworkIsolation": False}
BATCH = {"DeploymentMode": "batch"}
NOT_OF_ASYNC = ("InvocationsPerInstanceTarget", "EnableDataCapture", "SamplingPercentage")
STRATEGIES = {
    "ALL_AT_ONCE": "an all-at-once",
    "CANARY": "a canary",
    "LINEAR": "a linear",
    "ROLLING": "a rolling",
}
"""How traffic moves -> what the page calls such a deployment."""
MODES: dict[str, Mode] = {
    REALTIME: Mode(_shipped_as(REALTIME), _scored, tuple(STRATEGIES)),
    "serverless": Mode(dict.fromkeys(STAGES, SERVERLESS), _scored, ("ALL_AT_ONCE",)),
    "async": Mode(_shipped_as("async", without=NOT_OF_ASYNC), _answered_in_a_file, ("CANARY",), _callers_of_files),
    "batch": Mode(dict.fromkeys(STAGES, BATCH), until_published, prepare=put_batch),
}
"""In the order in which they are measured. The model is trained in the first one's project."""


WORDS = """\
AWS's waits (bake times, alarms' periods, the old fleet's end) pass {speed:g} times faster here; builds, tests,
containers and requests take the time they take on this machine. The model was trained once, and every version is
that model.

*From approval to production*: from the approval of a project's first version in the registry until its deploy
pipeline has succeeded, with the build, staging and its tests; the question before production is answered at once.
The configuration is the shipped one but for what the mode demands. The first answer is production's: of an
asynchronous endpoint the file, of a batch run the published answers.

*Requests during a deployment*: {callers} callers ask production without a pause, from before the yes until after
the pipeline has succeeded. A caller of an asynchronous endpoint hands a request in, waits for its file, and hands
in the next.

*InvokeEndpoint*: on the real-time endpoint, which captures the shipped share of its data; in process, on one thread
of the interpreter that plays the image, as in the container."""


def words(speed: float) -> str:
    """What a reader has to know of the figures."""
    return WORDS.format(speed=speed, callers=CALLERS)


def deployment_rows(scratch: Path) -> list[Row]:
    """Measure. Raises StoryError when something does not come into production."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        settings = CloudSettings(Path(folder), REPOSITORY_ROOT / ".venvs", cache=scratch / "cache")
        with new_cloud(settings) as cloud:
            people, progress = settle(cloud), Progress()
            publish(Scene(cloud, people, progress), ActRecord(1, "Publish"))
            return _rows(Bench(cloud, people, progress))


class Bench:
    """One account with a project for each mode, and the model that they all serve."""

    def __init__(self, cloud: Cloud, people: People, progress: Progress) -> None:
        self._account = (cloud, people, progress)
        self.cloud = cloud
        self.home = BenchProject(*self._account, f"bench-{next(iter(MODES))}")
        self.package = self.home.train()

    def project(self, mode: str) -> tuple[BenchProject, str]:
        """A project whose stages are of the mode, with nothing deployed; and the version that waits for approval."""
        if self.home.name == f"bench-{mode}":
            project, version = self.home, str(self.package["ModelPackageArn"])
        else:
            project = BenchProject(*self._account, f"bench-{mode}")
            project.stop_all()
            version = project.register(self.package, self.home)
        parameters = MODES[mode].parameters
        project.configure(parameters["staging"], parameters["prod"], f"Serve as {mode}")
        return project, version

    def again(self, project: BenchProject) -> str:
        """The same model as a further version."""
        return project.register(self.package, self.home)


def _rows(bench: Bench) -> list[Row]:
    """All that is measured, the same kind of figure together."""
    releases: list[Row] = []
    loads: list[Row] = []
    serving: list[Row] = []
    for name, mode in MODES.items():
        project, version = bench.project(name)
        mode.prepare(project)
        releases += release_rows(name, *first_release(project, version, mode))
        for strategy in mode.strategies:
            loads += under_load(project, bench.again(project), name, strategy)
        if name == REALTIME:
            serving += serving_rows(bench.cloud, project)
    return [*releases, *loads, *serving]


def first_release(project: BenchProject, version: str, mode: Mode) -> tuple[float, float]:
    """Bring the first version of a project into production: the seconds until that, and until it has answered."""
    began = time.monotonic()
    took = project.release(version)
    mode.answers(project, version)
    answered = time.monotonic() - began
    project.scene.progress.say(f"{project.name}: in production after {took:.1f} s", style="green")
    return took, answered


def release_rows(mode: str, live: float, answered: float) -> list[Row]:
    """What is told of a mode's way into production."""
    return [
        (f"from approval to production, {mode}", live, "s", None),
        (f"from approval to production's first answer, {mode}", answered, "s", None),
    ]


# ---- under load


def under_load(project: BenchProject, version: str, name: str, strategy: str) -> list[Row]:
    """Bring a further version in by this strategy while callers ask. Raises StoryError when it does not come in."""
    scene, mode = project.scene, MODES[name]
    if _strategy_now(project) != strategy:
        parameters = {**mode.parameters["prod"], "TrafficRouting": strategy}
        project.configure(mode.parameters["staging"], parameters, f"Move traffic {strategy}")
    watch = project.approved(version)
    with mode.callers(project) as callers:
        scene.wait_until(lambda: callers.count().total() >= SOME, "calls before the update")
        began = time.monotonic()
        scene.say_yes(watch)
        watch.until_succeeded()
        took = time.monotonic() - began
        before = callers.count().total()
        scene.wait_until(lambda: callers.count().total() >= before + SOME, "calls after the update")
    heard = callers.count()
    scene.serves("prod", version)
    _was_moved_by(project, strategy)
    failed = heard.total() - heard[ANSWERED]
    scene.progress.say(f"{strategy}: {failed} of {heard.total()} requests failed: {dict(heard)}", style="green")
    return load_rows(f"{STRATEGIES[strategy]} deployment, {name}", heard.total(), failed, took)


def load_rows(deployment: str, requests: int, failed: int, seconds: float) -> list[Row]:
    """What is told of a deployment under load. That no request fails is demanded, whatever else the machine does."""
    return [
        (f"requests during {deployment}", requests, "requests", None),
        (f"requests during {deployment}: failed", failed, "requests", 0),
        (f"{deployment}, under load: from the yes to its end", seconds, "s", None),
    ]


def _strategy_now(project: BenchProject) -> str:
    """What the project's clone says of production."""
    config = json.loads((project.clone / "prod-config.json").read_text())
    return str(config["Parameters"]["TrafficRouting"])


def _was_moved_by(project: BenchProject, strategy: str) -> None:
    """The endpoint's last update was by this strategy, or something else was measured."""
    scene = project.scene
    endpoint = scene.scientist.client("sagemaker").describe_endpoint(EndpointName=scene.project.endpoint("prod"))
    config = endpoint.get("LastDeploymentConfig", {})
    routing = config.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
    found = "ROLLING" if "RollingUpdatePolicy" in config else routing.get("Type", "ALL_AT_ONCE")
    must(found == strategy, f"production must have been updated by {strategy}, not {found}: {json.dumps(config)}")
