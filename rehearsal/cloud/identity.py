"""Who calls, and may they: the heart of the rehearsal.

A real account refuses what no policy allows. So does this one, for people, for programs, and for AWS services acting
with a role they were given. Decisions are the base's policy evaluator's: identity policies, permissions boundary and
resource policies together.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.base import Base
from rehearsal.cloud.errors import AccessDenied
from rehearsal.cloud.service import Call, Credentials
from rehearsal.cloud.service_calls import ServiceCalls
from rehearsal.cloud.settings import CloudSettings

SENDS_SOURCE = {
    "codebuild.amazonaws.com": "https://docs.aws.amazon.com/codebuild/latest/userguide/cross-service-confused-deputy-prevention.html",
    "codepipeline.amazonaws.com": "https://docs.aws.amazon.com/codepipeline/latest/userguide/cross-service-confused-deputy-prevention.html",
    "events.amazonaws.com": "https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html",
    "sagemaker.amazonaws.com": "https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html",
    "scheduler.amazonaws.com": "https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html",
}  # fmt: skip
"""Services that say for whom they assume a role (`aws:SourceAccount`, `aws:SourceArn`), and where AWS says so.

CloudFormation and Service Catalog do not: a trust policy that asks for either keeps them out.
"""


MOST_ALLOWED = 20_000
"""Distinct allowed decisions kept with their resource; whatever comes after is counted under `ANY_OTHER`."""
ANY_OTHER = "(any other)"


@dataclass(frozen=True)
class Decision:
    """One authorisation as it was decided.

    A denied one names the very principal. Allowed ones are kept together: by the role's name (not the session), the
    action and the resource, and `count` says how many they were.
    """

    principal: str
    action: str
    resource: str
    allowed: bool
    context: Mapping[str, str | list[str]] = field(default_factory=dict)
    count: int = 1


def role_of(principal_arn: str) -> str:
    """The name of the role behind a session's ARN; `root`, `user/<name>` or a service for those without one."""
    kind, _, name = principal_arn.rpartition(":")[2].partition("/")
    return name.partition("/")[0] if kind == "assumed-role" else principal_arn.rpartition(":")[2]


class Identity:
    """Answers who owns an access key, what they may do, and makes sessions of roles."""

    def __init__(self, base: Base, settings: CloudSettings) -> None:
        self._base = base
        self._settings = settings
        self._denials: list[Decision] = []
        self._allowed: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()

    @property
    def root(self) -> Credentials:
        """The account's root user, to set the scene with."""
        return self._base.root

    def credentials_of(self, access_key_id: str) -> Credentials:
        """The credentials behind an access key. Raises AwsError as AWS does for a key it does not know."""
        return self._base.credentials(access_key_id)

    def require(self, caller: Credentials, calls: Iterable[Call], code: str = "AccessDeniedException") -> None:
        """Raise AccessDenied, in AWS's words, for the first call that is not allowed to `caller`."""
        asked = list(calls)
        if not asked:
            return
        for call, why in zip(asked, self._base.refusals(caller.access_key_id, asked), strict=True):
            self.record(caller.principal_arn, call, allowed=not why)
            if why:
                raise AccessDenied(self.denial(caller, call, why), code)

    def require_service_calls(
        self,
        credentials: Credentials,
        entry: ServiceCalls,
        resource: str = "*",
        context: Mapping[str, str | list[str]] | None = None,
    ) -> None:
        """The calls a service makes with its role (see `service_calls.py`), all on one resource."""
        self.require(credentials, [Call(action, resource, context or {}) for action in entry.actions])

    @staticmethod
    def denial(caller: Credentials, call: Call, why: str) -> str:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html

        `why` is what `base_denials.py` says of it."""
        on = "" if call.resource == "*" else f" on resource: {call.resource}"
        return f"User: {caller.principal_arn} is not authorized to perform: {call.action}{on} {why}"

    def record(self, principal: str, call: Call, *, allowed: bool) -> None:
        """Keep a decision for the report."""
        with self._lock:
            if not allowed:
                self._denials.append(Decision(principal, call.action, call.resource, False, dict(call.context)))
                return
            key = (role_of(principal), call.action, call.resource)
            if key not in self._allowed and len(self._allowed) >= MOST_ALLOWED:
                key = (*key[:2], ANY_OTHER)
            self._allowed[key] += 1

    def denials(self) -> list[Decision]:
        """Everything that was refused, in order."""
        with self._lock:
            return list(self._denials)

    def decisions(self) -> list[Decision]:
        """What was allowed here, each once; then everything that was refused, in order."""
        with self._lock:
            allowed = [Decision(*key, allowed=True, count=count) for key, count in self._allowed.items()]
            return allowed + self._denials

    def exercised(self) -> Counter[tuple[str, str]]:
        """How often which role was allowed which action, by our services and by the base."""
        found: Counter[tuple[str, str]] = Counter()
        with self._lock:
            for (role, action, _), count in self._allowed.items():
                found[role, action] += count
        for principal, action, count in self._base.allowed():
            found[role_of(principal), action] += count
        return found

    def record_authorisations(self) -> None:
        """From now on keep every decision on a role's call with all that decided it: condition keys and policies."""
        self._base.ask("record", {})

    def authorisations(self) -> dict[str, Any]:
        """What `record_authorisations` kept, by our services and by the base: `authorisations` in order of their first
        time, and the `policies` and `documents` that they name by digest. Each different one is there once, with its
        `count`; see `base_recording.py`."""
        return self._base.ask("authorisations", {})

    def withhold(self, grant: Mapping[str, str]) -> None:
        """Take one grant out of every policy that has it or will have it; see `base_withholding.py`."""
        self._base.ask("withhold", grant)

    def withheld_from(self) -> list[str]:
        """Whose policies lost the grant that was withheld, so far."""
        owners: list[str] = self._base.ask("taken-from", {})["taken_from"]
        return owners

    def assume_role(self, role_arn: str, service: str, session_name: str, source_arn: str | None = None) -> Credentials:
        """A session of `role_arn`, as the AWS service `service` (`codebuild.amazonaws.com`) makes itself one.

        The trust policy decides, with `aws:SourceAccount` and `aws:SourceArn` where the service sets them. Raises
        AccessDenied when the role does not exist or does not trust the service.
        """
        context: dict[str, str] = {}
        if service in SENDS_SOURCE:
            context["aws:SourceAccount"] = self._settings.account
            if source_arn:
                context["aws:SourceArn"] = source_arn
        exists, trusted = self._base.trust(role_arn, service, context)
        self.record(service, Call("sts:AssumeRole", role_arn, context), allowed=trusted)
        if not trusted:
            problem = "its trust policy does not name the service" if exists else "the role does not exist"
            raise AccessDenied(f"{service} is not authorized to perform: sts:AssumeRole on {role_arn}: {problem}")
        return self._base.session(role_arn, session_name[:64])

    def narrowed(self, role_arn: str, session_name: str, policy: str) -> Credentials:
        """A session of a role that an AWS service acts with already, for somebody else: it may only do what `policy`
        allows, too."""
        return self._base.session(role_arn, session_name[:64], policy)

    def forwarded(self, caller: Credentials, service: str) -> Credentials:
        """With what an AWS service goes on in its caller's name: the caller's session, with `aws:CalledVia`.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
        """
        return self._base.forwarded(caller.access_key_id, service)

    def session_of(self, role_arn: str, session_name: str) -> Credentials:
        """A session of a role for a person of the story; the role's trust is their sign-in's business."""
        return self._base.session(role_arn, session_name[:64])
