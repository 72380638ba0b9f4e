"""A function's code: fetched as whoever deploys it, checked, and unpacked.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-zip.html
"""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import threading
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AccessDenied, NotImplementedHere
from rehearsal.cloud.lambda_.records import Code
from rehearsal.cloud.lambda_.room import invalid
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

LARGEST_UPLOAD = 50 * 1024 * 1024
LARGEST_UNPACKED = 250 * 1024 * 1024
"""Bytes. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
UNIX = 3
READABLE_BY_OTHERS = 0o004
SOURCES = ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")

_unpacking = threading.Lock()


def archive_of(cloud: Cloud, source: Document, caller: Credentials) -> bytes:
    """The archive a request names. S3 is asked as the caller, who needs s3:GetObject (s3:GetObjectVersion for a
    version): "You must have permission to access the object",
    https://docs.aws.amazon.com/lambda/latest/dg/access-control-identity-based.html

    Raises AwsError as Lambda words it.
    """
    for member in source:
        if member not in SOURCES:
            raise NotImplementedHere(f"{member} of a Lambda function's code")
    if "ZipFile" in source:
        if any(member in source for member in SOURCES[1:]):
            raise invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
        archive = bytes(source["ZipFile"])
        if len(archive) > LARGEST_UPLOAD:
            raise invalid(f"Zipped size must be smaller than {LARGEST_UPLOAD} bytes")
        return archive
    if not source.get("S3Bucket") or not source.get("S3Key"):
        raise invalid("Please provide a source for function code.")
    version = {"VersionId": source["S3ObjectVersion"]} if "S3ObjectVersion" in source else {}
    try:
        found = cloud.client("s3", caller).get_object(Bucket=source["S3Bucket"], Key=source["S3Key"], **version)
        return bytes(found["Body"].read())
    except ClientError as problem:
        error = problem.response["Error"]
        told = f"S3 Error Code: {error['Code']}. S3 Error Message: {error.get('Message', '')}"
        if error["Code"] in ("AccessDenied", "403"):
            raise AccessDenied(
                "Your access has been denied by S3, please make sure your request credentials have permission to "
                f"GetObject for {source['S3Bucket']}/{source['S3Key']}. {told}"
            ) from problem
        raise invalid(f"Error occurred while GetObject. {told}") from problem


def unpack(archive: bytes, folder: Path) -> Code:
    """Unpack an archive below `folder`, once for the same bytes. Raises AwsError for one Lambda cannot use."""
    digest = hashlib.sha256(archive)
    place = folder / digest.hexdigest()
    with _unpacking:
        if not place.exists():
            unfinished = folder / f"{place.name}.unfinished"
            unfinished.mkdir(parents=True, exist_ok=True)
            try:
                with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
                    _check(zipped.infolist())
                    zipped.extractall(unfinished)
            except (zipfile.BadZipFile, RuntimeError, EOFError) as problem:  # damaged, or encrypted
                raise invalid(
                    "Could not unzip uploaded file. Please check your file, then try to upload again."
                ) from problem
            unfinished.rename(place)
    return Code(place, base64.b64encode(digest.digest()).decode(), len(archive))


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if sum(entry.file_size for entry in entries) > LARGEST_UNPACKED:
        raise invalid(f"Unzipped size must be smaller than {LARGEST_UNPACKED} bytes")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise invalid(f"The archive's entry {entry.filename} would be unpacked outside the function's folder.")
        mode = entry.external_attr >> 16
        if stat.S_ISLNK(mode):
            raise NotImplementedHere(f"a symbolic link in a Lambda function's archive ({entry.filename})")
        if entry.create_system == UNIX and mode and not mode & READABLE_BY_OTHERS:
            # AWS takes it and then cannot import it ("Permission denied"): Lambda runs as another user.
            raise invalid(
                f"Lambda could not read {entry.filename}: its mode in the archive is {stat.S_IMODE(mode):04o}. "
                "Pack files with 0644 and folders with 0755."
            )
