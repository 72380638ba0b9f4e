"""Decides recorded authorisations again, with one grant less: which of them turn to denied?

A program of the base's environment, because the evaluator is the base's own: `python -m rehearsal.prove_iam.judge
FOLDER` reads the recording in FOLDER and prints JSON. Which authorisations a removal can turn is known beforehand
(those whose action and resource the grant matches); only these are decided, so that it takes seconds.

Names of ministack 1.5.33 used here, of the policy evaluator: `EvalContext`, `evaluate`, `combine_resource_policy`,
`parse_policy_document`, `fnmatch_iam`, `fnmatch_iam_cs`, `_service_principal_matches`.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

from rehearsal.cloud.policy_documents import Document, Place, listed, only, without
from rehearsal.prove_iam.grants import TRUST, Grant, grants
from rehearsal.prove_iam.recording import Recording

Statements = list[Any]
Cut = tuple[str, Place]
"""A document's digest, and the grant to leave out of it."""


class Judge:
    """Knows a recording's documents."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._parsed = cache(self._parse)
        self._grants = cache(self._find_grants)

    def _document(self, digest: str, cut: Place | None = None) -> Document:
        document: Document = self._recording.documents[digest] or {"Statement": []}
        return without(document, cut) if cut else document

    def _parse(self, digest: str, cut: Place | None) -> Statements:
        parsed: Statements = iam_evaluator.parse_policy_document(self._document(digest, cut))
        return parsed

    def _find_grants(self, owner: str, policy: str, digest: str) -> list[tuple[Grant, Place]]:
        return list(grants(owner, policy, self._document(digest)))

    def decide(self, call: Document, cut: Cut | None = None) -> str:
        """Decide a recorded authorisation as the base did, with what `cut` says left out."""
        force = self._recording.policies[call["policies"]]

        def place(digest: str) -> Place | None:
            return cut[1] if cut and cut[0] == digest else None

        if TRUST in force:
            return self._decide_trust(call, self._document(force[TRUST], place(force[TRUST])))
        identity = [
            self._parsed(digest, place(digest)) for digest in (*force["inline"].values(), *force["managed"].values())
        ]
        limits = [[self._parsed(digest, place(digest)) for digest in force["boundary"].values()]]
        limits = limits if force["boundary"] else []
        if force["session"] is not None:
            limits.append([self._parsed(digest, None) for digest in force["session"]])
        request = self._request(call)
        result = iam_evaluator.evaluate(request, identity, *limits)
        asked = call["resource_policy"]
        if asked is not None:
            policy = self._recording.documents[asked["document"]]
            result = iam_evaluator.combine_resource_policy(
                result, request, policy, asked["owner"], required=asked["required"], limits=limits
            )
        return str(result.decision)

    def _decide_trust(self, call: Document, document: Document) -> str:
        """As `base_identity.trusts`."""
        named = [
            {key: value for key, value in {**statement, "Resource": "*"}.items() if key != "Principal"}
            for statement in listed(document["Statement"])
            if iam_evaluator._service_principal_matches(statement.get("Principal", {}), call["principal"])
        ]
        parsed = iam_evaluator.parse_policy_document({"Statement": named})
        return str(iam_evaluator.evaluate(self._request(call), [parsed]).decision)

    @staticmethod
    def _request(call: Document) -> Any:  # noqa: ANN401 - ministack's
        return iam_evaluator.EvalContext(
            principal_arn=call["principal"],
            principal_type="AssumedRole",
            principal_account=call["account"],
            action=call["action"],
            resource_arn=call["resource"],
            region=call["region"],
            source_ip="",
            secure_transport=call["secure"],
            service_context=call["context"],
            principal_keys=call["principal_keys"],
        )

    def grants_for(self, call: Document) -> list[tuple[Grant, str, Place]]:
        """The grants in force that allow the call, conditions included, each by itself."""
        force = self._recording.policies[call["policies"]]
        role = self._recording.role(call["role"])
        if TRUST in force:
            trust = force[TRUST]
            return [
                (grant, trust, place)
                for grant, place in self._grants(role, TRUST, trust)
                if self._decide_trust(call, only(self._document(trust), place)) == "Allow"
            ]
        in_force = [(role, name, digest) for name, digest in force["inline"].items()]
        in_force += [
            (arn.rpartition("/")[2], "", digest)
            for arn, digest in (*force["managed"].items(), *force["boundary"].items())
        ]
        return [
            (grant, digest, place)
            for owner, policy, digest in in_force
            for grant, place in self._grants(owner, policy, digest)
            if iam_evaluator.fnmatch_iam(call["action"], place.action)
            and iam_evaluator.fnmatch_iam_cs(call["resource"], place.resource)
            and self._allows(call, digest, place)
        ]

    def _allows(self, call: Document, digest: str, place: Place) -> bool:
        alone = iam_evaluator.parse_policy_document(only(self._document(digest), place))
        return bool(iam_evaluator.evaluate(self._request(call), [alone]).decision == "Allow")


def judge(recording: Recording) -> Document:
    """`{"needed": [[grant, [number, ...]]], "covered": [[grant, [number, ...]]], "differs": [[number, decision]]}`.

    Numbers are positions in the recording. `needed`: the calls that turn to denied without the grant. `covered`: calls
    that the grant allows and that are allowed without it, too. `differs`: calls that are decided otherwise than they
    were although nothing is left out; then nothing else here can be trusted.
    """
    answers = Judge(recording)
    needed: dict[Grant, list[int]] = defaultdict(list)
    covered: dict[Grant, list[int]] = defaultdict(list)
    differs = []
    for number, call in enumerate(recording.authorisations):
        decision = answers.decide(call)
        if decision != call["decision"]:
            differs.append([number, decision])
        if decision != "Allow":
            continue
        for grant, digest, place in answers.grants_for(call):
            allowed = answers.decide(call, (digest, place)) == "Allow"
            (covered if allowed else needed)[grant].append(number)
    return {
        "needed": [[vars(grant), numbers] for grant, numbers in needed.items()],
        "covered": [[vars(grant), numbers] for grant, numbers in covered.items()],
        "differs": differs,
    }


if __name__ == "__main__":
    json.dump(judge(Recording.read(Path(sys.argv[1]))), sys.stdout)
