"""Further releases of the real template: copies of its sources, changed, frozen and published."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from rehearsal.person import REPOSITORY_ROOT
from service_catalog.freeze import freeze
from service_catalog.package import PACKED
from service_catalog.publish import SERVICE_CATALOG, Published, Settings, publish
from service_catalog.target import find_target

SOURCES = (*PACKED, "pyproject.toml")


class Template:
    """A clone of the template in which somebody works. It is published as whoever the environment says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = subprocess.run(
            ["git", "-C", str(REPOSITORY_ROOT), "ls-files", "-z", "--", *SOURCES],
            check=True,
            capture_output=True,
            text=True,
        )
        for name in listed.stdout.split("\0"):
            if name:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY_ROOT / name, root / name)
        (root / "CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n")
        self._git("init", "--quiet")

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a text, which occurs once, in one of the sources."""
        text = (self.root / name).read_text()
        assert text.count(old) == 1, (name, old)
        (self.root / name).write_text(text.replace(old, new))

    def release(self, number: str, news: str) -> None:
        """Freeze what is there now under a number."""
        changelog = self.root / "CHANGELOG.md"
        changelog.write_text(changelog.read_text().replace("## Unreleased\n", f"## Unreleased\n\n- {news}\n", 1))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", number)
        freeze(self.root, number, lambda _: None)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", f"Release {number}")

    def publish(self, number: str, *publishers: str) -> Published:
        """Publish a release."""
        settings = Settings(self.root, number, publishers or (SERVICE_CATALOG,), poll_seconds=0.1)
        return publish(find_target(), settings, lambda _: None)

    def _git(self, *arguments: str) -> None:
        git = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-C", str(self.root)]
        subprocess.run([*git, *arguments], check=True, stdout=subprocess.DEVNULL)
