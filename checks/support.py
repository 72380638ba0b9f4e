"""Which images and runtimes the template and the seeds name, and until when each of them is kept up."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import yaml

from checks.template_file import PROJECT, ROOT, Template, line_of

LIST = ROOT / "checks" / "support.yaml"
NOTICE = timedelta(days=90)
BUILDSPECS = ("build_repo/codebuild-buildspec.yml", "deploy_repo/buildspec.yml", "deploy_repo/test/buildspec.yml")
KNOBS = ROOT / "build_repo" / "pipelines" / "knobs.py"


@dataclass(frozen=True)
class Named:
    """An image or a runtime that a file names. `kind` is a heading of checks/support.yaml."""

    kind: str
    name: str
    path: Path
    line: int

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path}:{self.line}"


@dataclass(frozen=True)
class Support:
    """The last day something is kept up, and the page that says so."""

    ends: date
    source: str


def known(path: Path = LIST) -> dict[tuple[str, str], Support]:
    """The list, by kind and name."""
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        (kind, name): Support(each["ends"], each["source"])
        for kind, entries in written.items()
        for name, each in entries.items()
    }


# ---- what is named


def in_template(template: Template) -> Iterator[Named]:
    """CodeBuild images and Lambda runtimes."""
    for resource in template.resources:
        if resource.type == "AWS::CodeBuild::Project":
            environment = resource.properties["Environment"]
            image = str(template.resolve(environment["Image"]))
            yield Named("codebuild-image", image, template.path, _line(environment, "Image"))
        if resource.type == "AWS::Lambda::Function" and "Runtime" in resource.properties:
            runtime = str(template.resolve(resource.properties["Runtime"]))
            yield Named("lambda-runtime", runtime, template.path, _line(resource.properties, "Runtime"))


def in_buildspec(path: Path) -> Iterator[Named]:
    """The runtimes that a buildspec asks its image for."""
    text = path.read_text(encoding="utf-8")
    for phase in yaml.load(text, yaml.BaseLoader)["phases"].values():  # noqa: S506  BaseLoader makes text only
        for language, version in phase.get("runtime-versions", {}).items():
            line = next(
                number for number, each in enumerate(text.splitlines(), 1) if each.strip().startswith(f"{language}:")
            )
            yield Named("codebuild-runtime", f"{language} {version}", path, line)


def in_knobs(path: Path = KNOBS) -> Iterator[Named]:
    """The SageMaker image of every step and of the endpoint."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="IMAGE_VERSION")], value=ast.Constant(value=str(version))):
                yield Named("sagemaker-image", f"xgboost {version}", path, node.lineno)


def everything() -> list[Named]:
    """All that the template and the seeds name."""
    template = Template.with_longest(PROJECT, Template(PROJECT, {}).document)
    named = [*in_template(template), *in_knobs()]
    return named + [each for path in BUILDSPECS for each in in_buildspec(ROOT / path)]


def _line(mapping: dict[str, object], key: str) -> int:
    return next(line_of(each) for each in mapping if each == key)


# ---- how fresh it is


def stale(named: Iterable[Named], supported: dict[tuple[str, str], Support], today: date) -> list[str]:
    """A line for whatever is not on the list, has ended, or ends within 90 days. Each thing is named once."""
    complaints: dict[tuple[str, str], str] = {}
    for each in named:
        found = supported.get((each.kind, each.name))
        if found is None:
            words = f"{each.name} is not among the {each.kind} entries of checks/support.yaml: add it with its end"
        elif found.ends - NOTICE > today:
            continue
        elif found.ends < today:
            words = f"{each.name} is no longer kept up since {found.ends}. Move to a newer one ({found.source})"
        else:
            days = (found.ends - today).days
            words = f"{each.name} is kept up for {days} more days, until {found.ends}: move on ({found.source})"
        complaints.setdefault((each.kind, each.name), f"{each.place}: {words}")
    return list(complaints.values())
