"""How a function answers CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

Event = Mapping[str, Any]

LONGEST_ANSWER_BYTES = 4096
ATTEMPTS = 4
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 10

log = logging.getLogger(__name__)


def physical_id(event: Event) -> str:
    """The resource's id: the one it has, or else one that never changes. A changed id would mean a replacement, and
    CloudFormation deletes what is replaced."""
    return str(event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-{event['StackId'].rpartition('/')[2]}")


def succeed(event: Event) -> None:
    """Tell CloudFormation that the request is carried out."""
    _answer(event, "SUCCESS", "")


def fail(event: Event, reason: str) -> None:
    """Tell CloudFormation, and the person who looks at the stack, why the request cannot be carried out."""
    _answer(event, "FAILED", reason)


def _answer(event: Event, status: str, reason: str) -> None:
    """PUT the answer. Raises OSError when CloudFormation cannot be reached: Lambda then runs the event again."""
    body = _body(event, status, reason)
    # The URL is signed for an empty content type; urllib would send one of its own.
    request = Request(event["ResponseURL"], data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310 - CloudFormation's own URL
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - as above
                log.info("Answered CloudFormation: %s %s", status, reason)
                return
        except OSError:  # HTTP errors are among them
            if attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE_SECONDS * attempt)


def _body(event: Event, status: str, reason: str) -> bytes:
    """The answer in JSON. A reason that is too long loses its end; an answer that is too long would be ignored."""
    document = {
        "Status": status,
        "PhysicalResourceId": physical_id(event),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    if reason:
        document["Reason"] = reason
    begun = reason
    while len(body := json.dumps(document).encode()) > LONGEST_ANSWER_BYTES:
        # JSON writes some characters in twelve bytes; cutting fewer than are too many is made up for by the next round.
        begun = begun[: -max(1, (len(body) - LONGEST_ANSWER_BYTES) // 12)]
        document["Reason"] = f"{begun} …"
    return body
