"""What is published as one version: the archives, the product template that names them, and the account's set-up."""

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from seed_code import SOURCES
from seed_code.archive import Archive, pack
from seed_code.render import render
from seed_code.worktree import commit, uncommitted
from service_catalog.errors import PublishError

PROJECT_TEMPLATE = Path("cloudformation/project.yaml")
ACCOUNT_TEMPLATE = Path("cloudformation/account-setup.yaml")
PACKED = (*(each.folder for each in SOURCES), str(PROJECT_TEMPLATE), str(ACCOUNT_TEMPLATE))
"""Everything that a version is made from."""

Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class RolesAhead:
    """The product template in two: the project without any role, and the roles, which are made ahead."""

    project: bytes
    roles: bytes

    @property
    def project_key(self) -> str:
        """Where the project's half lies."""
        return f"template/project-without-roles-{sha256(self.project)}.yaml"

    @property
    def roles_key(self) -> str:
        """Where the roles' half lies."""
        return f"template/project-roles-{sha256(self.roles)}.yaml"


@dataclass(frozen=True)
class Package:
    """One version's content. Every part lies in the catalog's bucket under the hash of what it holds.

    ``account_setup`` is empty where there is none: an account that somebody else set up needs none. ``roles_ahead`` is
    there in releases, and when it was asked for.
    """

    archives: tuple[Archive, ...]
    template: bytes
    account_setup: bytes
    version: str
    description: str
    roles_ahead: RolesAhead | None = None

    @property
    def template_key(self) -> str:
        """Where the product template lies."""
        return f"template/project-{sha256(self.template)}.yaml"

    @property
    def account_setup_key(self) -> str:
        """Where the template of the account's set-up lies."""
        return f"template/account-setup-{sha256(self.account_setup)}.yaml"


def other_content(version: str, published: str) -> PublishError:
    """What to tell whoever publishes something else under a version that is published."""
    return PublishError(
        f"Version {version} is already published with another template ({published}), and a version never changes. "
        "Nothing was published. Release this content under a further version: 'make release VERSION=x.y.z'."
    )


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def pack_all(root: Path, say: Say, *, roles_ahead: bool = False) -> Package:
    """Pack the archives and render the product template, also in two halves; nothing leaves this machine.

    The version is named after the project's version and the template, and so after all it is made from.
    """
    source = root / PROJECT_TEMPLATE
    if not source.is_file():
        raise PublishError(f"{source} is missing: there is no product to publish. Run this from a full clone.")
    _say_uncommitted(root, say)
    archives = tuple(pack(root, each) for each in SOURCES)
    for archive in archives:
        size = f"{len(archive.files)} files, {len(archive.data) / 1000:.0f} kB"
        say(f"{archive.source.name}: {size}, sha256 {archive.sha256[:12]}…")
    template = render(source.read_text(encoding="utf-8"), archives, str(PROJECT_TEMPLATE)).encode()
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = f"{project['version']}-{sha256(template)[:8]}"
    say(f"template: {len(template) / 1000:.0f} kB, sha256 {sha256(template)[:12]}…, version {version}")
    set_up = root / ACCOUNT_TEMPLATE
    halves = _halves(template.decode()) if roles_ahead else None
    setting_up = set_up.read_bytes() if set_up.is_file() else b""
    return Package(archives, template, setting_up, version, _origin(root), halves)


def _halves(template: str) -> RolesAhead | None:
    from seed_code.made_ahead import split  # late: reading templates takes half a second to import

    halves = split(template)
    return RolesAhead(halves.project.encode(), halves.roles.encode()) if halves else None


def _origin(root: Path) -> str:
    """Where a version came from, as its description in Service Catalog."""
    found = uncommitted(root, *PACKED)
    text = f"Packed from commit {commit(root) or '(none yet)'}"
    return f"{text} with uncommitted changes" if found.changed or found.untracked else text


def _say_uncommitted(root: Path, say: Say) -> None:
    for path in PACKED:
        found = uncommitted(root, path)
        for changed in found.changed:
            say(f"WARNING {changed} has uncommitted changes; it is packed as it is now")
        for untracked in found.untracked:
            say(f"WARNING {untracked} is not tracked by git and NOT packed; 'git add' it, or ignore it")
