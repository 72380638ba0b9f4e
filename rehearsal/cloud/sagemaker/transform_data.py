"""What a batch transform job sends and what it writes: records, mini-batches, and the output of a file.

The words are those of https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html; where they
leave something open (does a record keep its line end? is a newline doubled?), AWS's own SDK decides, which plays
transform jobs in its local mode: https://github.com/aws/sagemaker-python-sdk/blob/v2.232.0/src/sagemaker/local/data.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MEGABYTE = 1024 * 1024


class TooLargeError(Exception):
    """A record, or a file that is not split, is larger than a payload may be."""


def records(content: bytes, split_type: str) -> list[bytes]:
    """The records of one input file. Lines keep their ends; a file that is not split is one record."""
    if split_type != "Line":
        return [content]
    parts = content.split(b"\n")  # only a newline ends a line
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def payloads(found: Iterable[bytes], batch_strategy: str, most_megabytes: int) -> Iterator[bytes]:
    """What is sent, request by request: as many records as fit, or one. 0 megabytes set no limit.

    Raises TooLargeError for a record that does not fit by itself.
    """
    most = most_megabytes * MEGABYTE
    batch: list[bytes] = []
    size = 0
    for record in found:
        if most and len(record) > most:
            raise TooLargeError(
                f"a record of {len(record)} bytes is larger than MaxPayloadInMB ({most_megabytes}) lets"
            )
        if batch and (batch_strategy == "SingleRecord" or (most and size + len(record) > most)):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield b"".join(batch)


def assembled(answers: Iterable[bytes], assemble_with: str) -> bytes:
    """The output of one file: the answers in the order of the records, each followed by a newline when lines are
    wanted."""
    end = b"\n" if assemble_with == "Line" else b""
    return b"".join(answer + end for answer in answers)
