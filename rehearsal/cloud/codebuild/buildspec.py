"""Buildspec files, version 0.2: read strictly. A key CodeBuild does not know is an error that names key, file and line.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from rehearsal.cloud.codebuild.errors import NotPlayedError, YamlFileError
from rehearsal.cloud.codebuild.yaml_nodes import Mapping

PHASES = ("install", "pre_build", "build", "post_build")
SHELLS = ("bash", "/bin/sh", "sh")
ON_FAILURE = ("ABORT", "CONTINUE")
RETRY = re.compile(r"RETRY(?:-(\d+))?")
USUAL_RETRIES, MOST_RETRIES = 3, 100
"""How often `RETRY` runs a phase again, and what `RETRY-<count>` can ask for.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.phases
"""
REPORT_FORMATS = {
    "JUNITXML": True,
    **dict.fromkeys(
        (
            "CUCUMBERJSON",
            "NUNITXML",
            "NUNIT3XML",
            "TESTNGXML",
            "VISUALSTUDIOTRX",
            "CLOVERXML",
            "COBERTURAXML",
            "JACOCOXML",
            "SIMPLECOV",
        ),
        False,
    ),
}
"""Every report format of CodeBuild, and whether it is played here."""
MOST_REPORTS = 5
"""https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#reports-buildspec-file"""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A name that a shell can tell; what AWS does with others is undocumented.
https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.env.variables"""
CACHE_ACTIONS = ("restore", "save")
"""https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.cache.action"""


@dataclass(frozen=True)
class Phase:
    """The commands of one phase. `on_failure` is empty when the buildspec leaves it to the usual transitions.

    `retries` says how often a failing phase is run again before it has failed.
    """

    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    on_failure: str = ""
    retries: int = 0


@dataclass(frozen=True)
class Artifacts:
    """Which files leave the build, and how they are laid out."""

    files: tuple[str, ...]
    base_directory: str = "."
    discard_paths: bool = False
    exclude_paths: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Reports:
    """Where a report's raw files lie. `group` is a short name or an ARN."""

    group: str
    files: tuple[str, ...]
    base_directory: str = "."


@dataclass(frozen=True)
class BuildSpec:
    """A buildspec as it was understood."""

    file: str
    shell: str = "/bin/sh"
    variables: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()
    runtimes: dict[str, str] = field(default_factory=dict)
    phases: dict[str, Phase] = field(default_factory=dict)
    reports: tuple[Reports, ...] = ()
    artifacts: Artifacts | None = None
    secondary_artifacts: dict[str, Artifacts] = field(default_factory=dict)
    cache_paths: tuple[str, ...] = ()


def parse(text: str, file: str) -> BuildSpec:
    """Read a buildspec. Raises YamlFileError for what is wrong, NotPlayedError for what is right but not played."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as problem:
        raise YamlFileError(f"{file} is not valid YAML: {' '.join(str(problem).split())}") from problem
    if node is None:
        raise YamlFileError(f"{file} is empty")
    top = Mapping(node, file, "")
    version = top.text("version")
    if version == "0.1":
        raise NotPlayedError(f"buildspec version 0.1 ({file}; AWS recommends 0.2)")
    if version != "0.2":
        raise YamlFileError(f"Invalid buildspec version '{version}' in {file}; it must be 0.2")
    for key in ("run-as", "batch"):
        if top.has(key):
            raise NotPlayedError(f"'{key}' in {file}")
    _proxy(top)
    cache_paths = _cache(top)
    environment = _environment(top)
    phases, runtimes = _phases(top)
    artifacts, secondary = _artifacts(top)
    reports = _reports(top)
    top.done()
    return BuildSpec(
        file,
        environment.shell,
        environment.variables,
        environment.parameters,
        environment.exported,
        runtimes,
        phases,
        reports,
        artifacts,
        secondary,
        cache_paths,
    )


@dataclass(frozen=True)
class _Environment:
    shell: str = "/bin/sh"
    variables: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()


def _environment(top: Mapping) -> _Environment:
    env = top.mapping("env")
    if env is None:
        return _Environment()
    if env.has("secrets-manager"):
        raise NotPlayedError(f"env/secrets-manager in {env.file}")
    if env.flag("git-credential-helper"):
        raise NotPlayedError(f"env/git-credential-helper in {env.file}")
    shell = env.text("shell") or "/bin/sh"
    if shell not in SHELLS:
        raise YamlFileError(f"Unsupported shell '{shell}' (env/shell in {env.file}); it must be bash or /bin/sh")
    exported = env.texts("exported-variables")
    for name in exported:
        if name.startswith("AWS_"):
            where = f"env/exported-variables in {env.file}"
            raise YamlFileError(f"{name} cannot be exported ({where}): variables that start with AWS_ never are")
    variables, parameters = env.text_map("variables"), env.text_map("parameter-store")
    for name in (*variables, *parameters):
        if not VARIABLE.fullmatch(name):
            where = f"env/{'variables' if name in variables else 'parameter-store'} in {env.file}"
            raise YamlFileError(f"'{name}' cannot be a variable's name ({where}): it has letters, digits and _ only")
    for name, parameter in parameters.items():
        if not parameter:
            raise YamlFileError(f"env/parameter-store/{name} in {env.file} names no parameter")
    found = _Environment(shell, variables, parameters, exported)
    env.done()
    return found


def _proxy(top: Mapping) -> None:
    """Settings of an explicit proxy server; `no`, the default, is all that is played."""
    proxy = top.mapping("proxy")
    if proxy is None:
        return
    for key in ("upload-artifacts", "logs"):
        if proxy.flag(key):
            raise NotPlayedError(f"proxy/{key}: yes in {proxy.file}")
    proxy.done()


def _cache(top: Mapping) -> tuple[str, ...]:
    """The paths of a local cache (`local_cache.py`). Keys belong to a cache in S3, which no project here can have."""
    cache = top.mapping("cache")
    if cache is None:
        return ()
    paths = cache.texts("paths")
    cache.texts("fallback-keys")
    cache.text("key")
    action = cache.text("action")
    if action and action not in CACHE_ACTIONS:
        raise YamlFileError(f"cache/action in {cache.file} is '{action}'; it must be restore or save")
    cache.done()
    return paths


def _phases(top: Mapping) -> tuple[dict[str, Phase], dict[str, str]]:
    listed = top.mapping("phases")
    if listed is None:
        raise YamlFileError(f"{top.file} has no phases")
    phases: dict[str, Phase] = {}
    runtimes: dict[str, str] = {}
    for name in PHASES:
        phase = listed.mapping(name)
        if phase is None:
            continue
        if phase.has("run-as"):
            raise NotPlayedError(f"phases/{name}/run-as in {top.file}")
        if name == "install":
            runtimes = phase.text_map("runtime-versions")
        elif not phase.has("commands"):
            raise YamlFileError(f"phases/{name} in {top.file} (line {phase.line}) has no commands")
        phases[name] = Phase(phase.commands("commands"), phase.commands("finally"), *_on_failure(phase, name))
        phase.done()
    listed.done()
    return phases, runtimes


def _on_failure(phase: Mapping, name: str) -> tuple[str, int]:
    """What a failing phase does to the build, and how often it is run again before that.

    AWS does not say what the expression of `RETRY-<regex>` is held against: the phase's message or what was printed.
    """
    action = phase.text("on-failure")
    retry = RETRY.fullmatch(action)
    if retry:
        count = int(retry[1]) if retry[1] else USUAL_RETRIES
        if count > MOST_RETRIES:
            raise YamlFileError(
                f"on-failure of phase {name} in {phase.file} is '{action}'; the count must be 0 to {MOST_RETRIES}"
            )
        return "", count
    if action.startswith("RETRY-"):
        raise NotPlayedError(f"on-failure: {action} of phase {name} in {phase.file} (a regular expression)")
    if action and action not in ON_FAILURE:
        raise YamlFileError(
            f"on-failure of phase {name} in {phase.file} is '{action}'; it must be ABORT, CONTINUE, RETRY or "
            "RETRY-count"
        )
    return action, 0


def _artifacts(top: Mapping) -> tuple[Artifacts | None, dict[str, Artifacts]]:
    listed = top.mapping("artifacts")
    if listed is None:
        return None, {}
    secondary: dict[str, Artifacts] = {}
    others = listed.mapping("secondary-artifacts")
    if others is not None:
        for identifier in others.keys():  # noqa: SIM118 - not a dict
            one = others.mapping(identifier)
            if one is not None:
                secondary[identifier] = _artifact(one)
        others.done()
    if others is not None and not listed.has("files"):
        return None, secondary
    return _artifact(listed), secondary


def _artifact(listed: Mapping) -> Artifacts:
    if listed.has("s3-prefix"):
        raise NotPlayedError(f"{listed.path}/s3-prefix in {listed.file}")
    if listed.flag("enable-symlinks"):
        raise NotPlayedError(f"{listed.path}/enable-symlinks in {listed.file}")
    artifact = Artifacts(
        files=listed.texts("files"),
        base_directory=listed.text("base-directory") or ".",
        discard_paths=listed.flag("discard-paths"),
        exclude_paths=listed.texts("exclude-paths"),
        name=listed.text("name"),
    )
    if not artifact.files:
        raise YamlFileError(f"{listed.path} in {listed.file} (line {listed.line}) names no files")
    listed.done()
    return artifact


def _reports(top: Mapping) -> tuple[Reports, ...]:
    listed = top.mapping("reports")
    if listed is None:
        return ()
    reports = []
    for group in listed.keys():  # noqa: SIM118 - not a dict
        one = listed.mapping(group)
        if one is None:
            continue
        form = (one.text("file-format") or "JUNITXML").upper()
        if form not in REPORT_FORMATS:
            raise YamlFileError(f"Unknown file-format '{form}' of report {group} in {one.file}")
        if not REPORT_FORMATS[form]:
            raise NotPlayedError(f"file-format {form} of report {group} in {one.file}")
        files = one.texts("files")
        if not files:
            raise YamlFileError(f"report {group} in {one.file} (line {one.line}) names no files")
        one.flag("discard-paths")  # how an S3 export is laid out; no report group exports here
        reports.append(Reports(group, files, one.text("base-directory") or "."))
        one.done()
    listed.done()
    if len(reports) > MOST_REPORTS:
        raise YamlFileError(f"{top.file} names {len(reports)} report groups; a build can have at most {MOST_REPORTS}")
    return tuple(reports)
