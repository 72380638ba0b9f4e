"""The archives a template takes code from, and the folders they are made of: `--seed KEY=FOLDER`."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.foreign.template import ForeignTemplateError, Template
from rehearsal.foreign.values import Values

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
EARLIEST = (1980, 1, 1, 0, 0, 0)
LEFT_OUT = {".git", "__pycache__", ".DS_Store"}


@dataclass(frozen=True)
class Place:
    """An object in S3 that a resource takes its code from."""

    logical_id: str
    bucket: str
    key: str

    def goes_by(self, name: str) -> int:
        """How well a name names it: 2 by its key, with or without its bucket, 1 by the end of its key, 0 not at all."""
        if name in (self.key, f"{self.bucket}/{self.key}", f"s3://{self.bucket}/{self.key}"):
            return 2
        return int(self.key.endswith(f"/{name}"))


@dataclass(frozen=True)
class Seed:
    """What lies at a place: a folder to be packed, or a file as it is."""

    source: Path
    bucket: str
    key: str

    def content(self) -> bytes:
        """The archive: the same bytes for the same files."""
        if self.source.is_file():
            return self.source.read_bytes()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(self.source.rglob("*")):
                name = path.relative_to(self.source)
                if path.is_file() and not LEFT_OUT & set(name.parts):
                    entry = zipfile.ZipInfo(name.as_posix(), EARLIEST)
                    entry.external_attr = (path.stat().st_mode & 0o777) << 16
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        return packed.getvalue()


def places(template: Template, values: Values) -> list[Place]:
    """Every object that the template's resources take code from."""
    return [
        place
        for logical_id, resource in template.resources.items()
        if values.exists(resource)
        for place in _places_of(logical_id, resource["Type"], values.of(resource.get("Properties") or {}))
        if place.bucket not in template.resources  # or else the project fills it itself
    ]


def _places_of(logical_id: str, type_name: str, properties: Mapping[str, Any]) -> Iterator[Place]:
    code, source = properties.get("Code") or {}, properties.get("Source") or {}
    if type_name == "AWS::CodeCommit::Repository" and isinstance(code.get("S3"), Mapping):
        yield Place(logical_id, str(code["S3"].get("Bucket")), str(code["S3"].get("Key")))
    elif type_name == "AWS::Lambda::Function" and "S3Bucket" in code:
        yield Place(logical_id, str(code["S3Bucket"]), str(code.get("S3Key")))
    elif type_name == "AWS::CodeBuild::Project" and source.get("Type") == "S3":
        bucket, _, key = str(source.get("Location", "")).partition("/")
        yield Place(logical_id, bucket, key)


def chosen(given: Iterable[str], template: Template, values: Values) -> list[Seed]:
    """The seeds of `--seed KEY=FOLDER`. Raises ForeignTemplateError with a line for each that is missing or wrong."""
    wanted = places(template, values)
    seeds: dict[tuple[str, str], Seed] = {}
    problems = []
    for each in given:
        try:
            seed = _seed(each, template, wanted)
        except ForeignTemplateError as problem:
            problems.append(str(problem))
            continue
        if (seed.bucket, seed.key) in seeds:
            problems.append(f"--seed {each}: s3://{seed.bucket}/{seed.key} was given before.")
        seeds[seed.bucket, seed.key] = seed
    if not problems:
        for place in wanted:
            if (place.bucket, place.key) not in seeds:
                problems.append(
                    f"{template.place(place.logical_id)} takes its code from s3://{place.bucket}/{place.key}: give it "
                    f"with --seed {place.key}=FOLDER."
                )
            elif not BUCKET_NAME.fullmatch(place.bucket):
                problems.append(f"{template.place(place.logical_id)}: {place.bucket} is no name a bucket can have.")
    if problems:
        raise ForeignTemplateError(*dict.fromkeys(problems))
    return list(seeds.values())


def _seed(given: str, template: Template, wanted: list[Place]) -> Seed:
    name, equals, path = given.partition("=")
    if not name or not equals or not path:
        raise ForeignTemplateError(f"--seed {given} must be KEY=FOLDER, the key as the template has it.")
    source = Path(path)
    if not source.exists():
        raise ForeignTemplateError(f"--seed {given}: there is no folder or file {source}.")
    if source.is_file() and not zipfile.is_zipfile(source):
        raise ForeignTemplateError(f"--seed {given}: {source} is neither a folder nor a zip file.")
    if source.is_dir() and not any(path.is_file() for path in source.rglob("*")):
        raise ForeignTemplateError(f"--seed {given}: the folder {source} is empty.")
    best = max((place.goes_by(name) for place in wanted), default=0)
    found = {(place.bucket, place.key) for place in wanted if best and place.goes_by(name) == best}
    if not found:
        keys = ", ".join(sorted({place.key for place in wanted})) or "none"
        raise ForeignTemplateError(f"--seed {given}: {template.file} takes no code from {name}; its keys: {keys}.")
    if len(found) > 1:
        where = ", ".join(sorted(f"{bucket}/{key}" for bucket, key in found))
        raise ForeignTemplateError(f"--seed {given}: {name} may be {where}; write one of them.")
    return Seed(source, *found.pop())
