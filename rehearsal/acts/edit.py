"""Act 4: the data scientist changes a hyperparameter and pushes: version 2, with untouched steps spared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from rehearsal.acts.build import install_seconds
from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must


def edit_and_push(scene: Scene, act: ActRecord) -> None:
    folder = scene.build_folder
    scene.scientist.git("clone", "--quiet", scene.project.outputs["ModelBuildCloneUrl"], str(folder))
    turn(folder, r"^MAX_DEPTH = (\d+)", lambda depth: f"MAX_DEPTH = {int(depth) + 1}")
    execution = scene.push("Let the trees grow one level deeper")
    scene.progress.say("pushed a changed hyperparameter")
    scene.watch_build(execution).until_succeeded()
    cached = [step["StepName"] for step in scene.newest_steps() if step.get("CacheHitResult")]
    must(cached == ["Preprocess"], f"only Preprocess must come from the cache, not {cached}")
    package = scene.newest_package()
    must(package["ModelPackageVersion"] == 2, f"version 2 must be registered, not {package['ModelPackageVersion']}")
    scene.project.package_versions.append(package["ModelPackageArn"])
    scene.second_version.reach()
    act.facts["install seconds"] = install_seconds(scene)
    act.facts |= {"version": 2, "from cache": "Preprocess", **scene.metrics(package)}


def turn(clone: Path, pattern: str, to: Callable[[str], str]) -> None:
    """Change one number in the seed's knobs."""
    knobs = clone / "pipelines" / "knobs.py"
    before = knobs.read_text()
    after = re.sub(pattern, lambda found: to(found[1]), before, flags=re.MULTILINE)
    must(after != before, f"{knobs.name} has nothing like {pattern} to change")
    knobs.write_text(after)
