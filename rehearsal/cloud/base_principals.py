"""Whom a policy names as principals: those of this account must exist when the policy is written.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. AWS turns the ARN of
a principal into its unique id as a policy is saved, and refuses one that it cannot find. Whether a principal of another
account exists cannot be known here, so it is taken; so are federated users, and service-linked roles, which AWS makes.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_policies.html

Private names of ministack 1.5.33 used here: `iam._roles` and `_users`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from ministack.services import iam

from rehearsal.cloud.service_principals import is_known

ACCOUNT = os.environ["MINISTACK_ACCOUNT_ID"]
POLICIES = os.environ.get("REHEARSAL_MANAGED_POLICIES", "")
ARN = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::(?P<account>[^:]*):(?P<kind>[a-z-]+)(?:/(?P<path>.+))?")
ACCOUNT_ID = re.compile(r"\d{12}")
UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{16,}")


def unknown(statement: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The principals of a statement that AWS would not find: kind and name, as the policy writes them."""
    for member in ("Principal", "NotPrincipal"):
        named = statement.get(member)
        if isinstance(named, str) and named != "*":
            yield "AWS", named
        if not isinstance(named, dict):
            continue
        for kind, names in named.items():
            for name in names if isinstance(names, list) else [names]:
                if (kind == "AWS" and not _exists(str(name))) or (
                    kind == "Service" and not is_known(str(name), POLICIES)
                ):
                    yield kind, str(name)


def _exists(name: str) -> bool:
    if name == "*" or ACCOUNT_ID.fullmatch(name):
        return True
    if UNIQUE_ID.fullmatch(name):
        ids = {role["RoleId"] for role in iam._roles.values()} | {user["UserId"] for user in iam._users.values()}
        return name in ids
    arn = ARN.fullmatch(name)
    if arn is None:
        return False
    kind, path = arn["kind"], arn["path"] or ""
    if arn["account"] != ACCOUNT or kind == "root":
        return True
    if kind == "assumed-role":
        return path.split("/")[0] in iam._roles
    if kind == "role" and path.startswith("aws-service-role/"):
        return True
    kept: dict[str, Any] = {"role": iam._roles, "user": iam._users}.get(kind, {})
    found = kept.get(path.rpartition("/")[2])
    return kind == "federated-user" or (found is not None and found["Arn"] == name)
