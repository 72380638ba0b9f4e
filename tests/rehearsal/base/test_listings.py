"""S3's lists of versions, uploads and parts go on where a page ended.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count()


@pytest.fixture(scope="module")
def s3(ask: Callable[[str], Any]) -> Any:
    return ask("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"listings-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def rows(pages: Iterator[dict[str, Any]], *kinds: str) -> list[list[str]]:
    """What each page lists: `key id`, or a common prefix."""
    return [
        sorted(
            f"{each.get('Key', each.get('Prefix'))} {each.get('VersionId', each.get('UploadId', ''))}".strip()
            for kind in (*kinds, "CommonPrefixes")
            for each in page.get(kind, [])
        )
        for page in pages
    ]


def versions(s3: Any, bucket: str, size: int, **more: Any) -> list[list[str]]:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, MaxKeys=size, **more)
    return rows(pages, "Versions", "DeleteMarkers")


def uploads(s3: Any, bucket: str, size: int, **more: Any) -> list[list[str]]:
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, MaxUploads=size, **more)
    return rows(pages, "Uploads")


def begin(s3: Any, bucket: str, *keys: str) -> list[str]:
    return [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in keys]


@pytest.mark.parametrize("more", [{}, {"Delimiter": "/"}, {"Prefix": "b"}])
def test_versions_are_listed_page_by_page(s3: Any, bucket: str, more: dict[str, str]) -> None:
    for key in ("a", "b", "b", "b/1", "b/2", "c/1", "d"):
        s3.put_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key="d")
    [whole] = versions(s3, bucket, 1000, **more)
    cut = versions(s3, bucket, 1, **more)
    assert all(len(page) == 1 for page in cut)
    assert sorted(itertools.chain.from_iterable(cut)) == whole
    assert versions(s3, bucket, 2, **more)[0] == sorted(cut[0] + cut[1])


def test_common_prefixes_of_versions_are_told_once(s3: Any, bucket: str) -> None:
    for key in ("a", "b/1", "b/2", "c"):
        s3.put_object(Bucket=bucket, Key=key)
    found = [page[0].split()[0] for page in versions(s3, bucket, 1, Delimiter="/")]
    assert found == ["a", "b/", "c"]


def test_who_deletes_what_is_listed_is_told_of_every_version(s3: Any, bucket: str) -> None:
    for number in range(5):
        s3.put_object(Bucket=bucket, Key="k", Body=str(number))
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, MaxKeys=2):
        for each in page["Versions"]:
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
    assert versions(s3, bucket, 1000) == [[]]


@pytest.mark.parametrize("marker", [{"KeyMarker": "k", "VersionIdMarker": "made-up"}, {"VersionIdMarker": "made-up"}])
def test_a_version_to_begin_after_must_be_one(s3: Any, bucket: str, marker: dict[str, str]) -> None:
    s3.put_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError) as problem:
        s3.list_object_versions(Bucket=bucket, **marker)
    assert problem.value.response["Error"]["Code"] == "InvalidArgument"


def test_uploads_are_listed_page_by_page(s3: Any, bucket: str) -> None:
    begin(s3, bucket, "a", "b", "b", "c/1", "c/2")
    [whole] = uploads(s3, bucket, 1000)
    cut = uploads(s3, bucket, 1)
    assert len(whole) == len(cut) == 5
    assert sorted(itertools.chain.from_iterable(cut)) == whole
    assert [page[0].split()[0] for page in uploads(s3, bucket, 1, Delimiter="/")] == ["a", "b", "b", "c/"]


def test_uploads_begin_after_a_key(s3: Any, bucket: str) -> None:
    [*_, last] = begin(s3, bucket, "a", "b", "c")
    assert rows(iter([s3.list_multipart_uploads(Bucket=bucket, KeyMarker="b")]), "Uploads") == [[f"c {last}"]]


def test_who_aborts_what_is_listed_is_told_of_every_upload(s3: Any, bucket: str) -> None:
    begin(s3, bucket, "k", "k", "k", "k", "l")
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, MaxUploads=2):
        for each in page["Uploads"]:
            s3.abort_multipart_upload(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])
    assert uploads(s3, bucket, 1000) == [[]]


def test_parts_are_listed_page_by_page(s3: Any, bucket: str) -> None:
    [upload] = begin(s3, bucket, "k")
    place = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    for number in (1, 2, 4):
        s3.upload_part(**place, PartNumber=number, Body=b"1")
    pages = s3.get_paginator("list_parts").paginate(**place, MaxParts=1)
    assert [[each["PartNumber"] for each in page["Parts"]] for page in pages] == [[1], [2], [4]]


def test_a_page_has_1000_at_most(s3: Any, bucket: str) -> None:
    [upload] = begin(s3, bucket, "k")
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert s3.list_objects(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert s3.list_object_versions(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert s3.list_multipart_uploads(Bucket=bucket, MaxUploads=5000)["MaxUploads"] == 1000
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=upload, MaxParts=5000)["MaxParts"] == 1000


def test_who_asks_for_nothing_is_told_nothing(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k")
    for ask in (s3.list_objects_v2, s3.list_objects, s3.list_object_versions):
        answer = ask(Bucket=bucket, MaxKeys=0)
        assert not answer["IsTruncated"]
        assert not answer.get("Contents", answer.get("Versions"))


def test_a_number_that_is_none_is_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError, match="max-keys must be an integer between 0 and 2147483647"):
        s3.list_object_versions(Bucket=bucket, MaxKeys=-1)
