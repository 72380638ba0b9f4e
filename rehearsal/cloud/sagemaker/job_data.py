"""A job's data on its way from and to S3, as the job's role."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

S3_URI = re.compile(r"^s3://(?P<bucket>[^/]+)/?(?P<key>.*)$")


class DataProblem(Exception):
    """Data that could not be brought; the message is the job's failure reason."""


def split_s3_uri(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` as bucket and key. Raises DataProblem for anything else."""
    match = S3_URI.match(uri)
    if match is None:
        raise DataProblem(f"ClientError: '{uri}' is not an S3 URI of the form s3://bucket/key.")
    return match["bucket"], match["key"]


def download_prefix(s3: Any, uri: str, folder: Path, role_arn: str, region: str) -> int:  # noqa: ANN401 - boto3 is untyped
    """Every object whose key starts with the prefix `uri`, as `S3DataType=S3Prefix` means it; returns their number.

    A prefix is a prefix of the key, not a folder: `s3://b/train` brings `train2/x.csv` too. File names are relative to
    the prefix as a folder, or to the folder the prefix lies in.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html
    """
    bucket, prefix = split_s3_uri(uri)
    folder.mkdir(parents=True, exist_ok=True)
    brought = 0
    try:
        for key in keys_of(s3, bucket, prefix):
            target = folder / relative_key(key, prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            body = s3.get_object(Bucket=bucket, Key=key)["Body"]
            with target.open("wb") as file:
                for chunk in body.iter_chunks(1 << 20):
                    file.write(chunk)
            brought += 1
    except (ClientError, BotoCoreError) as problem:
        raise DataProblem(f"ClientError: Data download failed:{_words(problem)} (s3://{bucket}/{prefix})") from problem
    if not brought:
        raise DataProblem(
            f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the '
            f"bucket exists in the selected region ({region}), that objects exist under that S3 prefix, and that the "
            f'role "{role_arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
        )
    return brought


def keys_of(s3: Any, bucket: str, prefix: str) -> Iterator[str]:  # noqa: ANN401 - boto3 is untyped
    """The keys that start with `prefix`, but for the folders the console makes."""
    for answer in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in answer.get("Contents", []):
            key: str = item["Key"]
            if not key.endswith("/"):  # the console's folder markers
                yield key


def relative_key(key: str, prefix: str) -> str:
    """The key below the prefix as a folder, or below the folder that the prefix lies in."""
    within = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    if key.startswith(within):
        return key[len(within) :]
    parent = str(PurePosixPath(prefix).parent)
    return key if parent == "." else key[len(parent) + 1 :]


def upload_folder(s3: Any, folder: Path, uri: str, kms_key: str | None = None) -> int:  # noqa: ANN401 - boto3 is untyped
    """Every file below `folder` under the prefix `uri`; returns their number."""
    uploaded = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            upload_file(s3, path, f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}", kms_key)
            uploaded += 1
    return uploaded


def upload_file(s3: Any, path: Path, uri: str, kms_key: str | None = None) -> None:  # noqa: ANN401 - boto3 is untyped
    """One file to one object, encrypted with `kms_key` when there is one."""
    bucket, key = split_s3_uri(uri)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    try:
        with path.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)
    except (ClientError, BotoCoreError) as problem:
        raise DataProblem(f"ClientError: Data upload failed:{_words(problem)} ({uri})") from problem


def pack(folder: Path, archive: Path) -> None:
    """What lies in `folder`, as model.tar.gz and output.tar.gz are packed: names relative to the folder."""
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)


def _words(problem: Exception) -> str:
    if isinstance(problem, ClientError):
        error = problem.response.get("Error", {})
        return f"{error.get('Code', 'Error')}: {error.get('Message', '')}"
    return str(problem)
