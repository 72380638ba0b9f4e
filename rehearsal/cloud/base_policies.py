"""The policies that AWS manages: every one it publishes, not just the few that ministack carries.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. The documents come
from the file that `managed_policies.py` names; it is read when somebody first asks for a policy that ministack has not,
which no cloud but those of other people's templates does.

Private names of ministack 1.5.33 used here: of `iam` `_aws_managed_policies` and `_make_aws_managed_record`.
"""

from __future__ import annotations

import json
import os
import runpy
import threading
from typing import Any

from ministack.services import iam

FILE = os.environ.get("REHEARSAL_MANAGED_POLICIES", "")
PREFIX = "arn:aws:iam::aws:policy"


class Published(dict[str, Any]):
    """ministack's table of managed policies by ARN, completed from AWS's own when one is missing."""

    def __init__(self, known: dict[str, Any]) -> None:
        super().__init__(known)
        self._documents: dict[str, tuple[str, str]] | None = None
        self._reading = threading.Lock()

    def get(self, arn: str, default: Any = None) -> Any:  # noqa: ANN401 - as dict has it
        if arn not in self:
            with self._reading:
                if self._documents is None:
                    self._documents = documents()
            if arn in self._documents:
                version, document = self._documents[arn]
                record = iam._make_aws_managed_record(arn.removeprefix(f"{PREFIX}/"), document)
                record["Versions"] = {version: {**record["Versions"]["v1"], "VersionId": version}}
                record["DefaultVersionId"] = version
                self[arn] = record
        return super().get(arn, default)


def documents() -> dict[str, tuple[str, str]]:
    """ARN -> default version and document."""
    if not FILE:
        return {}
    published = json.loads(runpy.run_path(FILE)["aws_managed_policies_data"])
    return {
        f"{PREFIX}{policy['Path']}{name}": (policy["DefaultVersionId"], json.dumps(policy["Document"]))
        for name, policy in published.items()
    }


def install() -> None:
    """Complete ministack's table. Call it once, before the base serves."""
    iam._aws_managed_policies = Published(iam._aws_managed_policies)
