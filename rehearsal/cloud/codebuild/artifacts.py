"""Files in and out of a build: finding them by pattern, packing, and S3 as the build's role."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from rehearsal.cloud.codebuild.build import Output, Place
from rehearsal.cloud.codebuild.buildspec import Artifacts
from rehearsal.cloud.codebuild.errors import PhaseError


@lru_cache(maxsize=512)
def pattern(text: str) -> re.Pattern[str]:
    """A location of a buildspec: `*` and `?` stay within one folder, `**` reaches through all.

    https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.artifacts.files
    """
    text = text.removeprefix("./")
    found, index = "", 0
    while index < len(text):
        if text.startswith("**/", index):
            found, index = f"{found}(?:[^/]+/)*", index + 3
        elif text.startswith("**", index):
            found, index = f"{found}.*", index + 2
        elif text[index] == "*":
            found, index = f"{found}[^/]*", index + 1
        elif text[index] == "?":
            found, index = f"{found}[^/]", index + 1
        else:
            found, index = found + re.escape(text[index]), index + 1
    return re.compile(found)


def _walk(folder: Path) -> list[str]:
    """Every file below a folder, as paths relative to it. Links to folders are not followed."""
    listed = []
    for root, _, names in os.walk(folder):
        relative = Path(root).relative_to(folder)
        listed += [(relative / name).as_posix() for name in names]
    return sorted(listed)


def base_directories(source: Path, base: str) -> list[Path]:
    """The folders a `base-directory` means; a pattern means every top-level folder it matches."""
    if base in (".", "./", ""):
        return [source]
    wanted = base.rstrip("/")
    if "*" in wanted:
        found = [one for one in sorted(source.iterdir()) if one.is_dir() and pattern(wanted).fullmatch(one.name)]
    else:
        found = [one for one in (source / wanted,) if one.is_dir()]
    return found


def find_files(source: Path, base: str, files: Iterable[str], exclude: Iterable[str] = ()) -> list[tuple[Path, str]]:
    """Files by the locations of a buildspec, each with its path relative to its base directory.

    An absolute location means that file. Raises PhaseError when there is no base directory.
    """
    roots = base_directories(source, base)
    if not roots:
        raise PhaseError(f"no matching base directory path found for {base}")
    wanted = [pattern(one) for one in files if not one.startswith("/")]
    refused = [pattern(one) for one in exclude]
    found = [(Path(one), Path(one).name) for one in files if one.startswith("/") and Path(one).is_file()]
    for root in roots:
        for name in _walk(root):
            if any(one.fullmatch(name) for one in wanted) and not any(one.fullmatch(name) for one in refused):
                found.append((root / name, name))
    return found


def collect(source: Path, artifacts: Artifacts) -> list[tuple[Path, str]]:
    """The files of an artifact, each with its path inside it. Raises PhaseError when there are none."""
    found = find_files(source, artifacts.base_directory, artifacts.files, artifacts.exclude_paths)
    if not found:
        raise PhaseError(f"no matching artifact paths found ({', '.join(artifacts.files)})")
    if artifacts.discard_paths:
        return [(path, path.name) for path, _ in found]
    return found


def pack(files: Iterable[tuple[Path, str]], target: Path) -> None:
    """Write a zip file; permissions are kept."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, name in files:
            entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip file, permissions and symbolic links included. Raises zipfile.BadZipFile."""
    links: list[Path] = []
    with zipfile.ZipFile(archive) as contents:
        for entry in contents.infolist():
            target = Path(contents.extract(entry, folder))
            mode = entry.external_attr >> 16
            if stat.S_ISLNK(mode):
                links.append(target)
            elif stat.S_IMODE(mode) and not entry.is_dir():
                target.chmod(stat.S_IMODE(mode) | stat.S_IRUSR | stat.S_IWUSR)
    for link in links:  # last, so that nothing is unpacked through one
        aim = link.read_text()
        link.unlink()
        link.symlink_to(aim)


def download(client: Any, place: Place, folder: Path) -> None:  # noqa: ANN401 - a boto3 client
    """Fetch a zip file from S3 and unpack it into a folder. Raises botocore's ClientError, PhaseError."""
    folder.mkdir(parents=True, exist_ok=True)
    version = {"VersionId": place.version} if place.version else {}
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        archive = Path(temporary) / "source.zip"
        body = client.get_object(Bucket=place.bucket, Key=place.key, **version)["Body"]
        with archive.open("wb") as target:
            for chunk in body.iter_chunks(1 << 20):
                target.write(chunk)
        try:
            unpack(archive, folder)
        except zipfile.BadZipFile as problem:
            raise PhaseError(f"the source s3://{place.bucket}/{place.key} is not a zip file: {problem}") from problem


def upload(
    client: Any,  # noqa: ANN401 - a boto3 client
    output: Output,
    key: str,
    files: list[tuple[Path, str]],
    build_arn: str,
    work: Path,
) -> tuple[str, str]:
    """Put an artifact's files where they belong; MD5 and SHA-256 of the zip, or of nothing when it is not packed.

    AWS leaves the build's ARN in the object's metadata. Raises botocore's ClientError.
    """
    metadata: dict[str, Any] = {"Metadata": {"codebuild-buildarn": build_arn}}
    if output.encryption_key:
        metadata |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output.encryption_key}
    if output.packaging == "NONE":
        for path, name in files:
            client.put_object(Bucket=output.place.bucket, Key=f"{key}/{name}", Body=path.read_bytes(), **metadata)
        return "", ""
    archive = work / "artifact.zip"
    pack(files, archive)
    content = archive.read_bytes()
    archive.unlink()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    sha256 = hashlib.sha256(content).hexdigest()
    metadata["Metadata"] |= {"codebuild-content-md5": md5, "codebuild-content-sha256": sha256}
    client.put_object(Bucket=output.place.bucket, Key=key, Body=content, ContentType="application/zip", **metadata)
    return md5, sha256
