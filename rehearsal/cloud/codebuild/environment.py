"""What a build sees of the world: CodeBuild's variables, its role's credentials, its tools. And nothing else.

Nothing of this machine's environment reaches a build except what it takes to install packages here as fast as
elsewhere on this machine (`PASSED_ON`): indexes, certificates and download caches; its proxies are behind the cloud's
own (`egress.py`). A build on AWS has those from its network and its cache; none of them changes what a build does.

Tools: the build's own Python first (`python_stand_in`), then `EXTRA_TOOLS` where this machine keeps them outside the
system's folders, then the system's folders. `/usr/local/bin` and the person's own folders are left out: they hold
whatever a person once installed (uv, docker, terraform, ...), which AWS's image has not. Programs the image has and
this machine has not (often the AWS CLI) are simply not there.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from rehearsal.cloud.codebuild.build import Build

SYSTEM_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
EXTRA_FOLDERS = ("/usr/local/bin", "/opt/homebrew/bin")
EXTRA_TOOLS = ("aws", "bash", "curl", "git", "git-lfs", "gzip", "jq", "make", "rsync", "tar", "unzip", "wget", "zip")

_PIP = (
    "CACHE_DIR CERT CLIENT_CERT CONFIG_FILE DEFAULT_TIMEOUT DISABLE_PIP_VERSION_CHECK EXTRA_INDEX_URL FIND_LINKS "
    "INDEX_URL KEYRING_PROVIDER NO_CACHE_DIR NO_INDEX PROXY RETRIES TIMEOUT TRUSTED_HOST"
)
_UV = (
    "CACHE_DIR CONFIG_FILE CONCURRENT_DOWNLOADS DEFAULT_INDEX EXTRA_INDEX_URL FIND_LINKS HTTP_TIMEOUT INDEX "
    "INDEX_URL INSECURE_HOST KEYRING_PROVIDER LINK_MODE NATIVE_TLS NO_CACHE NO_INDEX OFFLINE SYSTEM_CERTS"
)
PASSED_ON = (
    *(f"PIP_{name}" for name in _PIP.split()),
    *(f"UV_{name}" for name in _UV.split()),
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
"""The variables of this machine that a build sees."""


def passed_on(machine: Mapping[str, str], home: Path) -> dict[str, str]:
    """What a build gets of this machine's environment: settings and caches of the package managers."""
    found = {name: machine[name] for name in PASSED_ON if machine.get(name)}
    caches = home / ("Library/Caches" if platform.system() == "Darwin" else ".cache")
    found.setdefault("PIP_CACHE_DIR", str(caches / "pip"))
    found.setdefault("UV_CACHE_DIR", str(home / ".cache" / "uv"))
    settings = {
        "PIP_CONFIG_FILE": (".config/pip/pip.conf", "Library/Application Support/pip/pip.conf", ".pip/pip.conf"),
        "UV_CONFIG_FILE": (".config/uv/uv.toml",),
    }
    for variable, places in settings.items():
        there = next((home / place for place in places if (home / place).is_file()), None)
        if there is not None:
            found.setdefault(variable, str(there))
    return found


def link_tools(folder: Path) -> Path:
    """Links to those extra tools that this machine keeps outside the system's folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for tool in EXTRA_TOOLS:
        if any((Path(system) / tool).exists() for system in SYSTEM_PATH):
            continue
        there = next((Path(extra) / tool for extra in EXTRA_FOLDERS if (Path(extra) / tool).exists()), None)
        if there is not None:
            with contextlib.suppress(FileExistsError):  # another build made it
                (folder / tool).symlink_to(there)
    return folder


def codebuild_variables(build: Build, source: Path, more_sources: Mapping[str, Path]) -> dict[str, str]:
    """The variables CodeBuild sets in every build. Those that do not apply are not set, as on AWS."""
    variables = {
        "CODEBUILD_BUILD_ARN": build.arn,
        "CODEBUILD_BUILD_ID": build.id,
        "CODEBUILD_BUILD_IMAGE": build.project["environment"]["image"],
        "CODEBUILD_BUILD_NUMBER": str(build.number),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_CI": "true",
        "CODEBUILD_INITIATOR": build.initiator,
        "CODEBUILD_KMS_KEY_ID": build.project["encryptionKey"],
        "CODEBUILD_LOG_PATH": build.log_stream,
        "CODEBUILD_PROJECT_ARN": build.project["arn"],
        "CODEBUILD_RESOLVED_SOURCE_VERSION": build.resolved_version,
        "CODEBUILD_SOURCE_VERSION": build.source_version,
        "CODEBUILD_SRC_DIR": str(source),
        "CODEBUILD_START_TIME": str(int(build.started * 1000)),
        # Not documented, but seen in builds: the image's own and a folder that is another one in every build.
        "GOPATH": f"/go:{source.parent}/{build.uuid}",
    }
    if build.project["source"]["type"] == "S3":
        variables["CODEBUILD_SOURCE_REPO_URL"] = f"s3://{build.project['source']['location']}"
    variables |= {f"CODEBUILD_SRC_DIR_{name}": str(path) for name, path in more_sources.items()}
    return {name: value for name, value in variables.items() if value}


def machine_variables(home: Path, temporary: Path, programs: Path, tools: Path) -> dict[str, str]:
    """The variables that make a process at home in the build's folders."""
    return {
        **passed_on(os.environ, Path.home()),
        "PATH": os.pathsep.join((str(programs), str(tools), *SYSTEM_PATH)),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "USER": "root",
    }
