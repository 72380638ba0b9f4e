"""The local cache of a project: folders that the buildspec names and that stay on the build host between builds.

Custom cache mode: "Only directories can be specified for caching. [...] Symlinks are used to reference cached
directories. Cached directories are linked to your build before it downloads its project sources. Cached items are
overridden if a source item has the same name."
https://docs.aws.amazon.com/codebuild/latest/userguide/caching-local.html

CodeBuild makes no promise that the next build runs on the same host. Here a second build that runs meanwhile is on
another host, so to speak: it finds its folders empty, and what it puts there is not kept.
"""

from __future__ import annotations

import fcntl
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal.cloud.service import Document

CUSTOM = "LOCAL_CUSTOM_CACHE"
ALL_BELOW = re.compile(r"/\*\*(/\*)?$|/\*$|/$")
"""How a path says `this directory and everything in it`."""


@contextmanager
def kept_folders(project: Document, host: Path, spare: Path) -> Iterator[Path | None]:
    """Where a build of the project keeps its folders: on `host`, or below `spare` while another build is there.

    None for a project without a custom cache.
    """
    cache = project["cache"]
    if cache["type"] != "LOCAL" or CUSTOM not in cache.get("modes", []):
        yield None
        return
    kept = host / project["name"]
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield Path(tempfile.mkdtemp(prefix="cache-", dir=spare))
        else:
            yield kept


def link(paths: tuple[str, ...], source: Path, kept: Path, say: Callable[[str], None]) -> None:
    """Put a link to its kept folder at every path that lies in the build's source folder.

    Paths elsewhere (`/root/.cache/...`) are the build host's own and are not kept here, as on a host that is new.
    """
    for number, path in enumerate(paths):
        folder = ALL_BELOW.sub("", path)
        place = (source / folder).resolve()
        if not place.is_relative_to(source.resolve()) or place == source.resolve():
            say(f"Not kept between builds of this rehearsal: {path}")
            continue
        if place.exists():
            say(f"Skipping the cache of {path}: the source has a file or folder of that name")
            continue
        target = kept / re.sub(r"[^A-Za-z0-9._-]+", "-", f"{number}-{folder}")
        target.mkdir(exist_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target, target_is_directory=True)
        say(f"Symlinking: {place} => {target}")
