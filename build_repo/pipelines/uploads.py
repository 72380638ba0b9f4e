"""Files the pipeline needs in S3. Their keys contain their content's hash, so equal content is never uploaded twice."""

import ast
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

STEPS = Path(__file__).resolve().parent.parent / "steps"
HASH_LENGTH = 16


@dataclass(frozen=True)
class Upload:
    """A local file and where it belongs."""

    path: str
    bucket: str
    key: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class StepCode:
    """A step's script with every module of `steps/` it imports: what its container needs, and no more.

    The hash covers exactly these files, so editing one step leaves the cache of the others valid.
    """

    files: tuple[Path, ...]

    @classmethod
    def of(cls, script: str, directory: Path = STEPS) -> "StepCode":
        found: set[Path] = set()
        waiting = [directory / script]
        while waiting:
            file = waiting.pop()
            if file not in found:
                found.add(file)
                waiting += [directory / f"{name}.py" for name in _imports(file) if (directory / f"{name}.py").is_file()]
        return cls(tuple(sorted(found)))

    @property
    def digest(self) -> str:
        return content_hash([(file.name, file.read_bytes()) for file in self.files])

    def uploads(self, bucket: str, pipeline_name: str) -> list[Upload]:
        prefix = self.prefix(pipeline_name)
        return [Upload(str(file), bucket, f"{prefix}/{file.name}") for file in self.files]

    def prefix(self, pipeline_name: str) -> str:
        return f"{pipeline_name}/code/{self.digest}"


def content_hash(named: Iterable[tuple[str, bytes]]) -> str:
    """A short hash of names and contents, in the given order."""
    digest = hashlib.sha256()
    for name, content in named:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:HASH_LENGTH]


def write_manifest(uploads: Iterable[Upload], path: Path) -> None:
    unique = sorted(set(uploads), key=lambda upload: upload.key)
    path.write_text(json.dumps([asdict(upload) for upload in unique], indent=1) + "\n")


def read_manifest(path: Path) -> list[Upload]:
    return [Upload(**entry) for entry in json.loads(path.read_text())]


def _imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names
