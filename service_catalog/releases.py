"""Releases: versions that are frozen in ``releases/``, byte for byte, so that they can be published for good.

``releases/x.y.z/`` holds what is uploaded, under the very keys it is uploaded to, and a manifest with the SHA-256 of
each. It is committed. A release is never written twice; whatever differs from its manifest is refused.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seed_code import Source
from seed_code.archive import Archive
from service_catalog.errors import PublishError
from service_catalog.package import Package, RolesAhead, Say, sha256

FOLDER = Path("releases")
MANIFEST = "manifest.json"

# https://semver.org, without pre-releases and build metadata: what is released is meant to be used.
_SEMVER = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_KEY = re.compile(r"[\w/-]+-[0-9a-f]{64}\.zip\b")


@dataclass(frozen=True, order=True)
class Number:
    """The number of a release; the greater is the newer one."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def number_of(text: str) -> Number:
    """Raises PublishError for what is not three numbers."""
    found = _SEMVER.fullmatch(text)
    if found is None:
        raise PublishError(
            f"{text!r} is not a version. Give three numbers, without a v and without leading zeros: VERSION=1.2.0. "
            "The first is raised when running projects cannot take the new one over, the second for something new, "
            "the third for a repair."
        )
    return Number(*(int(each) for each in found.groups()))


def released(root: Path) -> list[Number]:
    """The numbers of all releases, oldest first."""
    return sorted(number_of(each.parent.name) for each in (root / FOLDER).glob(f"*/{MANIFEST}"))


def read_release(root: Path, version: str, say: Say) -> Package:
    """A release as it was frozen. Raises PublishError for one that is not there, or not what it was."""
    number = number_of(version)
    known = released(root)
    if number not in known:
        listed = ", ".join(map(str, known)) or "none yet"
        raise PublishError(
            f"There is no release {version} in {root / FOLDER}. There are: {listed}. "
            f"'make release VERSION={version}' makes it from what is committed; 'git pull' brings others."
        )
    package, _ = _read(root / FOLDER / version)
    newest, _ = (package, None) if number == known[-1] else _read(root / FOLDER / str(known[-1]))
    say(f"release {version}: {len(package.archives)} archives, template sha256 {sha256(package.template)[:12]}…")
    # Versions live side by side under one launch role, and only the newest set-up knows what all of them need.
    return replace(package, account_setup=newest.account_setup)


def same_content(root: Path, version: str, package: Package) -> list[str]:
    """What a release holds otherwise than this package: the names of its parts; none when they are the same."""
    _, manifest = _read(root / FOLDER / version)
    mine, frozen = dict(_parts(package)), manifest["sha256"]
    return sorted({*mine, *frozen} - {key for key in mine if frozen.get(key) == sha256(mine[key])})


def write_release(root: Path, version: str, package: Package, commit: str) -> Path:
    """Write the files of a release, its manifest last; the folder they lie in."""
    folder = root / FOLDER / version
    parts = dict(_parts(package))
    for key, data in parts.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(data)
    manifest = {
        "version": version,
        "commit": commit,
        "template": package.template_key,
        "account_setup": package.account_setup_key,
        **_named_halves(package.roles_ahead),
        "archives": {archive.source.name: archive.key for archive in package.archives},
        "sha256": {key: sha256(data) for key, data in sorted(parts.items())},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return folder


def _named_halves(halves: RolesAhead | None) -> dict[str, str]:
    return {"template_without_roles": halves.project_key, "roles": halves.roles_key} if halves else {}


def _parts(package: Package) -> Iterator[tuple[str, bytes]]:
    yield package.template_key, package.template
    if package.roles_ahead:
        yield package.roles_ahead.project_key, package.roles_ahead.project
        yield package.roles_ahead.roles_key, package.roles_ahead.roles
    yield package.account_setup_key, package.account_setup
    yield from ((archive.key, archive.data) for archive in package.archives)


def _read(folder: Path) -> tuple[Package, dict[str, Any]]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        frozen = {key: _frozen(folder, key, expected) for key, expected in manifest["sha256"].items()}
        package = Package(
            archives=tuple(
                # Where it was packed from does not matter any more, and may have moved since.
                Archive(Source(name, "", key.rpartition("-")[0]), manifest["sha256"][key], frozen[key], ())
                for name, key in manifest["archives"].items()
            ),
            template=frozen[manifest["template"]],
            account_setup=frozen[manifest["account_setup"]],
            version=manifest["version"],
            description=f"Release {manifest['version']}, packed from commit {manifest['commit'][:12]}",
            roles_ahead=RolesAhead(frozen[manifest["template_without_roles"]], frozen[manifest["roles"]])
            if "roles" in manifest
            else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise PublishError(
            f"{folder / MANIFEST} is not a manifest that 'make release' wrote ({type(problem).__name__}: {problem}). "
            f"Bring it back with 'git restore {folder}'."
        ) from problem
    named = set(_KEY.findall(package.template.decode()))
    if named != {archive.key for archive in package.archives} or package.version != folder.name:
        raise PublishError(
            f"{folder} does not belong together: its template names {', '.join(sorted(named))}, and its manifest other "
            f"archives or another version. Bring it back with 'git restore {folder}'."
        )
    return package, manifest


def _frozen(folder: Path, key: str, expected: str) -> bytes:
    file = folder / key
    data = file.read_bytes() if file.is_file() else None
    if data is None or sha256(data) != expected or expected not in key:
        raise PublishError(
            f"{file} {'is missing' if data is None else 'is not what was released'}: the manifest beside it says "
            f"sha256 {expected[:12]}…. A release never changes; bring it back with 'git restore {folder}'."
        )
    return data
