"""What a story leaves behind to prove its policies with: every authorisation, and every policy as it was deployed.

Two files in the run's folder: `authorisations.jsonl`, one authorisation a line, in order of their first time, and
`policies.json`, the documents they were decided by. Standard library only: the base's environment reads them, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AUTHORISATIONS = "authorisations.jsonl"
POLICIES = "policies.json"

Document = dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """One policy document of one owner: a role, by the logical id its stack gave it, or a managed policy by its name.

    `name` tells the inline policies of a role apart; it is empty for a managed policy, which is its own owner.
    """

    owner: str
    name: str
    document: Document


@dataclass
class Recording:
    """One story. `authorisations`, `policies` (what was in force, by digest) and `documents` are
    `Identity.authorisations`'s; `names` are the logical ids of the roles that a stack named; `deployed` is every policy
    of the template as it stood in the account when the project was complete."""

    authorisations: list[Document]
    policies: dict[str, Document]
    documents: dict[str, Document]
    names: dict[str, str] = field(default_factory=dict)
    deployed: list[Policy] = field(default_factory=list)

    def role(self, name: str) -> str:
        """What people call a role: its logical id, or its name."""
        return self.names.get(name, name)

    def write(self, folder: Path) -> None:
        """Write both files."""
        with (folder / AUTHORISATIONS).open("w") as file:
            for each in self.authorisations:
                file.write(json.dumps({**each, "logical_id": self.role(each["role"])}) + "\n")
        rest = {
            "policies": self.policies,
            "documents": self.documents,
            "names": self.names,
            "deployed": [vars(policy) for policy in self.deployed],
        }
        (folder / POLICIES).write_text(json.dumps(rest, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Recording:
        """Read both files. Raises FileNotFoundError for a folder without a recording."""
        lines = (folder / AUTHORISATIONS).read_text().splitlines()
        rest = json.loads((folder / POLICIES).read_text())
        deployed = [Policy(**each) for each in rest.pop("deployed")]
        return cls([json.loads(line) for line in lines], **rest, deployed=deployed)
