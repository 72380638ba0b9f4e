"""Lists of S3 in pages: what a page begins after, and how large it is.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack

- lists a prefix again and again where versions are asked for with a delimiter, and takes no notice of the delimiter of
  uploads; begins a page of uploads with the very key that it should begin after; leaves the rest of a key's versions
  out when the one that a page ended with was deleted meanwhile, as programs do that delete what they list;
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
- answers as many as are asked for, where S3 answers 1,000 at most (10,000 buckets), and breaks off at a number that is
  none. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html (MaxKeys)

Which upload to one key comes first is left to ministack: S3 documents two orders. S3's words of a wrong number are not
documented, but known.

Private names of ministack 1.5.33 used here: of `s3` `_list_buckets`, `_list_object_versions`,
`_list_multipart_uploads`, `_list_objects_v1`, `_list_objects_v2`, `_list_parts`, `_error`, `_qp`, `XML_DECL` and
`S3_NS`.
"""

from __future__ import annotations

import xml.etree.ElementTree as Xml
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.services import s3

Document = dict[str, Any]
LARGEST_INTEGER = 2**31 - 1
MOST = 1000
MOST_MARKERS = 10_000
"""So many ends of pages are remembered; the oldest go first."""
NUMBERS = {
    "_list_objects_v1": ("max-keys",),
    "_list_objects_v2": ("max-keys",),
    "_list_object_versions": ("max-keys",),
    "_list_multipart_uploads": ("max-uploads",),
    "_list_parts": ("max-parts", "part-number-marker"),
}


@dataclass(frozen=True)
class Lists:
    """A list that goes by keys and, within a key, by ids: its members' names in requests and answers."""

    handler: str
    entries: tuple[str, ...]
    entry_id: str
    size: str
    size_answered: str
    id_marker: str
    id_marker_answered: str


BY_KEY = (
    Lists(
        "_list_object_versions", ("Version", "DeleteMarker"), "VersionId",
        "max-keys", "MaxKeys", "version-id-marker", "VersionIdMarker",
    ),
    Lists(
        "_list_multipart_uploads", ("Upload",), "UploadId",
        "max-uploads", "MaxUploads", "upload-id-marker", "UploadIdMarker",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One row of a list: a version, an upload, or a prefix that stands for all keys that begin with it."""

    key: str
    id: str
    element: Xml.Element


_rest: dict[tuple[str, str, str, str], frozenset[str]] = {}
"""List, bucket, key and id with which a page ended -> the ids of that key that were still to come."""


def install() -> None:
    """Answer in pages. Call it once, before the base serves."""
    for lists in BY_KEY:
        setattr(s3, lists.handler, _pages(lists, getattr(s3, lists.handler)))
    for handler, members in NUMBERS.items():
        setattr(s3, handler, _with_numbers(members, getattr(s3, handler)))
    list_buckets = s3._list_buckets

    def list_buckets_in_pages(query: Document, *rest: Any) -> Any:  # noqa: ANN401 - ministack's
        problem = _not_a_number(query, "max-buckets", 1, 10_000)
        return problem or list_buckets(query, *rest)

    s3._list_buckets = list_buckets_in_pages


# ---- numbers


def _with_numbers(members: tuple[str, ...], handler: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*place_and_query: Any) -> Any:  # noqa: ANN401 - ministack's
        *place, query = place_and_query
        for member in members:
            problem = _not_a_number(query, member, 0, LARGEST_INTEGER)
            if problem:
                return problem
        size = members[0]
        if size not in query:
            return handler(*place, query)
        wanted = min(int(s3._qp(query, size)), MOST)
        status, headers, body = handler(*place, {**query, size: [str(wanted)]})
        if not wanted:  # nothing is asked for, so that nothing is left out
            body = body.replace(b"<IsTruncated>true<", b"<IsTruncated>false<")
        return status, headers, body

    return answer


def _not_a_number(query: Document, member: str, least: int, most: int) -> Any:  # noqa: ANN401 - ministack's answer
    given = str(s3._qp(query, member, str(most)))
    if given.isdecimal() and least <= int(given) <= most:
        return None
    return s3._error("InvalidArgument", f"Argument {member} must be an integer between {least} and {most}", 400)


# ---- pages


def _pages(lists: Lists, handler: Callable[[str, Document], Any]) -> Callable[[str, Document], Any]:
    def answer(bucket: str, query: Document) -> Any:  # noqa: ANN401 - ministack's answer
        key, entry_id = (str(s3._qp(query, each)) for each in ("key-marker", lists.id_marker))
        if entry_id and not key and lists.entry_id == "VersionId":
            return s3._error("InvalidArgument", "A version-id marker cannot be specified without a key marker.", 400)
        whole = {name: value for name, value in query.items() if name not in ("key-marker", lists.id_marker)}
        status, headers, body = handler(bucket, {**whole, lists.size: [str(LARGEST_INTEGER)]})
        if status != 200:
            return status, headers, body
        root = Xml.fromstring(body)  # noqa: S314 - ministack's own answer
        entries = _entries(lists, root, s3._qp(query, "prefix"), s3._qp(query, "delimiter"))
        found = _after(lists, bucket, entries, key, entry_id)
        if found is None:
            return s3._error("InvalidArgument", "Invalid version id specified", 400)
        size = int(s3._qp(query, lists.size, str(MOST)))
        for each in entries:
            root.remove(each.element)
        for each in found[:size]:
            root.append(each.element)
        _say(root, lists.size_answered, str(size))
        _say(root, "KeyMarker", key)
        _say(root, lists.id_marker_answered, entry_id)
        _say(root, "IsTruncated", "true" if len(found) > size else "false")
        if len(found) > size > 0:
            last = found[size - 1]
            _say(root, "NextKeyMarker", last.key)
            if last.id:
                _say(root, f"Next{lists.id_marker_answered}", last.id)
                _remember(lists, bucket, last, found[size:])
        return status, headers, s3.XML_DECL + b"\n" + Xml.tostring(root, default_namespace=s3.S3_NS)

    return answer


def _entries(lists: Lists, root: Xml.Element, prefix: str, delimiter: str) -> list[Entry]:
    """All rows in the order of their keys, which are compared as S3 does, by their bytes."""
    found: list[Entry] = []
    for element in list(root):
        tag = element.tag.rpartition("}")[2]
        if tag == "CommonPrefixes":
            found.append(Entry(_text(element, "Prefix"), "", element))
        elif tag in lists.entries:
            key = _text(element, "Key")
            before, cut, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else ("", "", "")
            if not cut:
                found.append(Entry(key, _text(element, lists.entry_id), element))
                continue
            root.remove(element)
            common = f"{prefix}{before}{cut}"
            if not any(each.key == common and not each.id for each in found):
                group = Xml.SubElement(root, f"{{{s3.S3_NS}}}CommonPrefixes")
                Xml.SubElement(group, f"{{{s3.S3_NS}}}Prefix").text = common
                found.append(Entry(common, "", group))
    return sorted(found, key=lambda each: each.key.encode())


def _after(lists: Lists, bucket: str, entries: list[Entry], key: str, entry_id: str) -> list[Entry] | None:
    """What comes after a marker; None for one that is of nothing."""
    if not key:
        return entries
    later = [each for each in entries if each.key.encode() > key.encode()]
    if not entry_id:
        return later
    same = [each for each in entries if each.key == key and each.id]
    ids = [each.id for each in same]
    if entry_id in ids:
        return same[ids.index(entry_id) + 1 :] + later
    left = _rest.get((lists.handler, bucket, key, entry_id))
    if left is None:
        return later if lists.entry_id == "UploadId" else None
    return [each for each in same if each.id in left] + later


def _remember(lists: Lists, bucket: str, last: Entry, following: list[Entry]) -> None:
    _rest[lists.handler, bucket, last.key, last.id] = frozenset(each.id for each in following if each.key == last.key)
    while len(_rest) > MOST_MARKERS:
        del _rest[next(iter(_rest))]


def _text(element: Xml.Element, name: str) -> str:
    return element.findtext(f"{{{s3.S3_NS}}}{name}") or ""


def _say(root: Xml.Element, name: str, value: str) -> None:
    """A member of the answer, in its place or at the end."""
    found = root.find(f"{{{s3.S3_NS}}}{name}")
    if found is None:
        found = Xml.SubElement(root, f"{{{s3.S3_NS}}}{name}")
    found.text = value
