"""Deterministic, content-addressed zip archives of a folder.

The same files give the same bytes, on any machine and at any time, so an archive's key can be the SHA-256 of its
bytes and an archive that is already uploaded never needs to be uploaded again. What makes it so:

- entries are sorted by name, carry one fixed timestamp and a mode of 0644 or 0755;
- entries are stored, not compressed: deflate's output depends on the zlib it was made with. A seed is a few hundred
  kilobytes of text, and CodeCommit unpacks it once.

The files lie at the top of the archive, which is where CodeCommit and Lambda look for them.
"""

import hashlib
import io
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from seed_code import SeedError, Source
from seed_code.worktree import TrackedFile, tracked_files

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment a zip archive can express
_UNIX = 3

SIZE_LIMIT = 20_000_000
"""Bytes. CodeCommit commits an archive of "less than 20 MB" when CloudFormation creates a repository:
https://docs.aws.amazon.com/codecommit/latest/userguide/creating-resources-with-cloudformation.html"""


@dataclass(frozen=True)
class Archive:
    """A packed folder. ``sha256`` is that of ``data``, in hexadecimal."""

    source: Source
    sha256: str
    data: bytes
    files: tuple[str, ...]

    @property
    def key(self) -> str:
        """Where the archive lies in the bucket of everything published."""
        return self.source.key(self.sha256)


def pack(root: Path, source: Source) -> Archive:
    """Pack what git tracks in the source's folder below ``root``, with the content the working tree has now.

    Raises SeedError for what ``tracked_files`` refuses, for functions without a module, and for an archive CodeCommit
    would refuse.
    """
    buffer = io.BytesIO()
    files = _chosen(root, source)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, _EARLIEST)
            entry.create_system = _UNIX
            entry.external_attr = (stat.S_IFREG | file.mode) << 16
            archive.writestr(entry, file.path.read_bytes())
    data = buffer.getvalue()
    if len(data) >= SIZE_LIMIT:
        largest = max(files, key=lambda file: file.path.stat().st_size)
        raise SeedError(
            f"{source.folder} packs to {len(data) / 1e6:.1f} MB, but CodeCommit seeds a repository from less than "
            f"{SIZE_LIMIT / 1e6:.0f} MB. The largest file is {source.folder}/{largest.name}."
        )
    return Archive(source, hashlib.sha256(data).hexdigest(), data, tuple(file.name for file in files))


def _chosen(root: Path, source: Source) -> list[TrackedFile]:
    files = tracked_files(root, source.folder)
    if not source.modules_only:
        return files
    modules = [file for file in files if file.name.endswith(".py") and "/" not in file.name]
    if not modules:
        raise SeedError(f"No Python module lies directly in {root / source.folder}: there is nothing to run.")
    return modules
