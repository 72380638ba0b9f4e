"""The build images that can be stood in for, and the runtimes they offer.

What a buildspec may ask of an image is taken from the image's own `runtimes.yml`:
https://github.com/aws/aws-codebuild-docker-images (al/x86_64/standard, ubuntu/standard,
and unsupported_images for those that AWS no longer maintains)
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rehearsal.cloud.codebuild.errors import NotPlayedError, YamlFileError

VARIABLE = re.compile(r"\$\{?(\w+)\}?")

_STANDARD_5 = {
    "java": ("corretto25", "corretto21", "corretto17", "corretto11", "corretto8"),
    "golang": ("1.26", "1.25", "1.24", "1.23", "1.22", "1.21", "1.20"),
    "python": ("3.14", "3.13", "3.12", "3.11", "3.10", "3.9"),
    "php": ("8.5", "8.4", "8.3", "8.2"),
    "ruby": ("4.0", "3.4", "3.3", "3.2", "3.1"),
    "nodejs": ("24", "22", "20", "18"),
    "dotnet": ("10.0", "8.0", "6.0"),
}
_STANDARD_6 = {
    "java": ("corretto25", "corretto21", "corretto17", "corretto11", "corretto8"),
    "golang": ("1.26", "1.25", "1.24"),
    "rust": ("1.93",),
    "python": ("3.14", "3.13", "3.12", "3.11", "3.10"),
    "php": ("8.5", "8.4", "8.3", "8.2"),
    "ruby": ("4.0", "3.4", "3.3"),
    "nodejs": ("24", "22"),
    "dotnet": ("10.0", "8.0"),
}
_AMAZON_LINUX_2_4 = {
    "java": ("corretto17",),
    "golang": ("1.18",),
    "python": ("3.9",),
    "php": ("8.1",),
    "ruby": ("3.1",),
    "nodejs": ("16",),
    "docker": ("20",),
    "dotnet": ("6.0",),
}
_AMAZON_LINUX_2_3 = {
    "android": ("29", "28"),
    "java": ("corretto11", "corretto8"),
    "golang": ("1.14", "1.13", "1.12"),
    "python": ("3.9", "3.8", "3.7"),
    "php": ("7.4", "7.3"),
    "ruby": ("2.7", "2.6"),
    "nodejs": ("12", "10"),
    "docker": ("19", "18"),
    "dotnet": ("3.1",),
}
_UBUNTU_6 = {
    "java": ("corretto17",),
    "golang": ("1.18",),
    "python": ("3.10",),
    "php": ("8.1",),
    "ruby": ("3.1",),
    "nodejs": ("16",),
    "dotnet": ("6.0",),
}
_UBUNTU_5 = {
    "java": ("corretto11", "corretto8"),
    "golang": ("1.16", "1.15"),
    "python": ("3.9", "3.8", "3.7"),
    "php": ("8.0", "7.4", "7.3"),
    "ruby": ("2.7", "2.6"),
    "nodejs": ("14", "12"),
    "dotnet": ("5.0", "3.1"),
}
IMAGES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "aws/codebuild/amazonlinux-x86_64-standard:6.0": _STANDARD_6,
    "aws/codebuild/amazonlinux-x86_64-standard:5.0": _STANDARD_5,
    "aws/codebuild/amazonlinux2-x86_64-standard:5.0": _STANDARD_5,  # the same image under its older name
    # no longer maintained, and still named by project templates that AWS publishes
    "aws/codebuild/amazonlinux2-x86_64-standard:4.0": _AMAZON_LINUX_2_4,
    "aws/codebuild/amazonlinux2-x86_64-standard:3.0": _AMAZON_LINUX_2_3,
    "aws/codebuild/standard:8.0": _STANDARD_6,
    "aws/codebuild/standard:7.0": _STANDARD_5,
    "aws/codebuild/standard:6.0": _UBUNTU_6,
    "aws/codebuild/standard:5.0": _UBUNTU_5,
}
"""For each image its runtimes, each with its versions, newest first."""


@dataclass(frozen=True)
class Runtime:
    """A runtime the build runs with, and how the choice was made (as the build log says)."""

    name: str
    version: str
    manual: bool


def chosen_runtimes(image: str, wanted: Mapping[str, str], variables: Mapping[str, str], file: str) -> list[Runtime]:
    """The runtimes of a build: those its buildspec asks for, or the image's default Python.

    Raises YamlFileError for a runtime or version the image has not, NotPlayedError for one that it has and this machine
    does not stand in for.
    """
    offered = IMAGES[image]
    if not wanted:
        return [Runtime("python", offered["python"][0], manual=False)]
    chosen = []
    for name, asked in wanted.items():
        if name not in offered:
            raise YamlFileError(
                f"Unknown runtime named '{name}'. This build image has the following runtimes: "
                f"{', '.join(sorted(offered))} (runtime-versions in {file})"
            )
        version = VARIABLE.sub(lambda found: variables.get(found[1], ""), asked)
        chosen.append(Runtime(name, _version(name, version, offered[name], file), manual=True))
        if name != "python":
            raise NotPlayedError(f"the runtime {name} ({version}) asked for in {file}")
    return chosen


def _version(name: str, asked: str, offered: tuple[str, ...], file: str) -> str:
    if asked == "latest":
        return offered[0]
    if asked.endswith(".x"):
        for version in offered:
            if version.startswith(asked[:-1]):
                return version
    if asked in offered:
        return asked
    raise YamlFileError(
        f"Unknown runtime version named '{asked}' of {name}. This build image has the following versions: "
        f"{', '.join(reversed(offered))} (runtime-versions in {file})"
    )


def stand_in_note(runtime: Runtime) -> str | None:
    """What a person should know about the Python they get, if it is not the one they asked for."""
    here = platform.python_version()
    if here.startswith(f"{runtime.version}."):
        return None
    return f"Python {runtime.version} is stood in for by this machine's Python {here}"
