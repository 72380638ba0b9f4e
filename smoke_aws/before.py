"""What an account is like before the smoke test, and whether it may be played there at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rehearsal.inventory import billable
from service_catalog.holdings import look
from service_catalog.target import Target

FILE = "before.json"
MAILBOX = "mailbox-"
"""What the queues of the story's approvers begin with (`rehearsal/mailbox.py`)."""


class SmokeError(Exception):
    """The smoke test cannot be played, or cannot go on. The message says why and what to do."""


@dataclass(frozen=True)
class Before:
    """Names of what was there already and so is nobody's to clean up."""

    log_groups: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()

    @classmethod
    def look(cls, client: Callable[[str], Any]) -> Before:
        """Look around."""
        return cls(tuple(log_groups(client("logs"))), tuple(queues(client("sqs"))))

    def write(self, folder: Path) -> None:
        """Keep it, for a clean-up by another run."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Before:
        """What another run kept. Raises SmokeError for a folder that is none's."""
        try:
            kept = json.loads((folder / FILE).read_text())
        except FileNotFoundError as missing:
            raise SmokeError(f"{folder} is not the folder of a smoke test: it has no {FILE}.") from missing
        return cls(tuple(kept["log_groups"]), tuple(kept["queues"]))


def log_groups(logs: Any) -> Iterator[str]:  # noqa: ANN401 - boto3 is untyped
    """The names of all log groups."""
    for page in logs.get_paginator("describe_log_groups").paginate():
        yield from (each["logGroupName"] for each in page["logGroups"])


def queues(sqs: Any) -> Iterator[str]:  # noqa: ANN401 - boto3 is untyped
    """The addresses of all mailboxes."""
    for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix=MAILBOX):
        yield from page.get("QueueUrls", [])


def check(target: Target, client: Callable[[str], Any]) -> None:
    """Raise SmokeError unless the story may be played here: nothing published, no project, nothing that costs money."""
    where = f"account {target.account}, region {target.region}"
    if target.caller.endswith(":root"):
        raise SmokeError(
            "These are the root user's credentials, which cannot become the data scientist. Sign in as a role or a "
            "user with administrator's rights (--profile NAME)."
        )
    projects = [
        each["ProjectName"]
        for page in client("sagemaker").get_paginator("list_projects").paginate()
        for each in page["ProjectSummaryList"]
        if each["ProjectStatus"] != "DeleteCompleted"
    ]
    if projects:
        raise SmokeError(f"There are projects in {where}: {', '.join(projects)}. {_SCRATCH}")
    holdings = look(target)
    if not holdings.nothing or holdings.account_setup_stays:
        found = "; ".join([*holdings.lines(), holdings.account_setup_stays])
        raise SmokeError(f"The template is published already in {where} ({found}). {_SCRATCH}")
    running = billable(client)
    if running:
        found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in running.items())
        raise SmokeError(f"There is something in {where} that a clean-up could take for its own: {found}. {_SCRATCH}")


_SCRATCH = (
    "The smoke test publishes, launches and deletes, so it wants an account and region that nobody else works in. "
    "Choose another with --profile and --region."
)
