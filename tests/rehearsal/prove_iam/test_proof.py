"""Every grant is proved or explained, every explanation is needed, and the committed table says the same."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rehearsal.prove_iam.__main__ import arguments
from rehearsal.prove_iam.applicable import applicable
from rehearsal.prove_iam.grants import Grant, constant, is_role
from rehearsal.prove_iam.proof import Proof, prove
from rehearsal.prove_iam.reasons import Reason, TableError, read
from rehearsal.prove_iam.recording import Policy, Recording
from rehearsal.prove_iam.replay import Replay, predict
from rehearsal.prove_iam.table import differences, render

GET = Grant("Worker", "given", "Files", "s3:GetObject", "arn:aws:s3:::bucket/*")
PUT = Grant("Worker", "given", "Files", "s3:PutObject", "arn:aws:s3:::bucket/*")
STATEMENT = {"Sid": "Files", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": GET.resource}
CALL = {
    "role": "Worker", "principal": "arn:aws:sts::1:assumed-role/Worker/s", "action": "s3:GetObject",
    "resource": "arn:aws:s3:::bucket/file", "decision": "Allow", "count": 3,
}  # fmt: skip


def reason(says: str, *actions: str, grants: int = 1, sometimes: bool = False) -> Reason:
    """A reason for grants of the worker's files."""
    return Reason(says, ("Worker",), ("Files",), actions, ("arn:aws:s3:::bucket/[*]",), grants, sometimes)


FAILURES = reason("Only after a failure.", "s3:PutObject")


def proof(
    *reasons: Reason,
    needed: tuple[Grant, ...] = (GET,),
    covered: tuple[Grant, ...] = (),
    written: dict[Grant, str] | None = None,
    **statement: Any,
) -> Proof:
    """What becomes of one role's two grants, of which a call needs `needed`."""
    policy = Policy("Worker", "given", {"Statement": [{**STATEMENT, **statement}]})
    answer = {
        "needed": [[vars(grant), [0]] for grant in needed],
        "covered": [[vars(grant), [0]] for grant in covered],
        "differs": [],
    }
    return prove(Recording([CALL], {}, {}, deployed=[policy]), answer, reasons, written)


def test_a_grant_that_no_call_needs_wants_a_reason() -> None:
    assert proof().faults == [f"no call needs it and no reason is given: {PUT}"]
    assert proof(FAILURES).faults == []


def test_a_redundant_grant_is_told_as_such() -> None:
    assert proof(covered=(PUT,)).faults == [
        f"redundant, because other grants allow its calls too, and no reason is given: {PUT}"
    ]
    assert "| redundant: Only after a failure. |" in render(proof(FAILURES, covered=(PUT,)))


def test_a_reason_for_what_a_call_proves_is_a_fault() -> None:
    (fault,) = proof(FAILURES, needed=(GET, PUT)).faults
    assert fault == f"the reason 'Only after a failure.' is given for a grant that a call proves: {PUT}"


def test_what_a_story_needs_only_at_times_may_be_proved_or_not() -> None:
    sometimes = reason("Depends on what overtakes what.", "s3:PutObject", sometimes=True)
    unproved, proved = proof(sometimes), proof(sometimes, needed=(GET, PUT))
    assert unproved.faults == proved.faults == []
    assert differences(proved, render(unproved)) == []
    assert proved.proved == [GET], "no replay is drawn for what another story does not need"


def test_a_reason_and_a_pattern_for_no_grant_are_faults() -> None:
    nobody = reason("Nobody.", "sns:Publish")
    wide = reason("Only after a failure.", "s3:PutObject", "s3:DeleteObject")
    faults = proof(wide, nobody).faults
    assert faults == [
        "of the reason 'Only after a failure.', 's3:DeleteObject' in actions matches no grant: take it out",
        "the reason 'Nobody.' is no grant's: take it out",
    ]


def test_the_first_reason_that_matches_counts() -> None:
    (fault,) = proof(FAILURES, reason("Another.", "s3:Put*")).faults
    assert "the reason 'Another.' is no grant's" in fault


def test_a_new_grant_does_not_hide_behind_an_old_reason() -> None:
    before = {PUT: "unproved: Only for uploads.", GET: "proved"}
    uploads = reason("Only for uploads.", "s3:Put*", "s3:Abort*", grants=1)
    abort = replace(PUT, action="s3:AbortMultipartUpload")
    widened = [GET.action, PUT.action, abort.action]
    (fault,) = proof(uploads, written=before, Action=widened).faults
    assert fault == (
        "the reason 'Only for uploads.' explains 2 where its entry says `grants: 1`."
        f" New: {abort}. Write 2 if it is the reason of each"
    )
    assert proof(replace(uploads, grants=2), written=before, Action=widened).faults == []


def test_a_grant_that_went_is_told_by_the_reason_that_explained_it() -> None:
    gone = replace(PUT, action="s3:PutObjectAcl")
    before = {PUT: "unproved: Only for uploads.", gone: "unproved: Only for uploads."}
    (fault,) = proof(reason("Only for uploads.", "s3:Put*", grants=2), written=before).faults
    assert f"explains 1 where its entry says `grants: 2`. No longer: {gone}." in fault


def test_a_call_that_is_decided_otherwise_the_second_time_is_a_fault() -> None:
    policy = Policy("Worker", "given", {"Statement": []})
    answer = {"needed": [], "covered": [], "differs": [[0, "ImplicitDeny"]]}
    faults = prove(Recording([CALL], {}, {}, deployed=[policy]), answer, []).faults
    assert "s3:GetObject on arn:aws:s3:::bucket/file was Allow and is ImplicitDeny when it is decided again" in faults


def test_pairs_that_nobody_can_ask_for_are_left_out() -> None:
    mixed = {"Action": ["s3:GetObject", "sns:Publish"], "Resource": [GET.resource, "arn:aws:sns:*:1:topic"]}
    publish = Grant("Worker", "given", "Files", "sns:Publish", "arn:aws:sns:*:1:topic")
    found = proof(needed=(GET, publish), **mixed)
    assert found.faults == []
    assert sorted((each.action, each.resource) for each in found.pairs_nobody_asks) == [
        ("s3:GetObject", publish.resource),
        ("sns:Publish", GET.resource),
    ]


def test_a_resource_that_none_of_the_actions_knows_is_no_pair_but_a_mistake() -> None:
    topic = "arn:aws:sns:*:1:topic"
    (fault,) = proof(Action="s3:GetObject", Resource=[GET.resource, topic]).faults
    assert fault.endswith(f"s3:GetObject on {topic}")


@pytest.mark.parametrize(
    ("action", "resource", "can_be_asked"),
    [
        ("s3:GetObject", "arn:aws:s3:::bucket/*", True),
        ("s3:GetObject", "*", True),
        ("codebuild:StartBuild", "arn:aws:codebuild:*:1:project/sagemaker-*", True),
        ("codebuild:StartBuild", "arn:aws:codebuild:*:1:report-group/sagemaker-*", False),
        ("sagemaker:InvokeEndpoint", "arn:aws:sagemaker:us-east-1:1:*", True),
        ("codebuild:*", "arn:aws:codebuild:*:1:report-group/sagemaker-*", True),
        ("nobody:Knows", "arn:aws:nobody:us-east-1:1:thing/*", True),
    ],
)
def test_what_can_be_asked_for(action: str, resource: str, can_be_asked: bool) -> None:
    assert applicable(action, resource) is can_be_asked


def test_the_page_that_was_written_says_what_the_proof_says() -> None:
    found = proof(FAILURES)
    page = render(found)
    assert differences(found, page) == []
    assert "`s3:GetObject` | `arn:aws:s3:::bucket/*` | proved: 1 call on `arn:aws:s3:::bucket/file`" in page


def test_a_page_that_says_something_else_is_told() -> None:
    page = render(proof(FAILURES))
    (fault,) = differences(proof(needed=(GET, PUT)), page)
    assert fault == f"iam-proof.md says 'unproved: Only after a failure.' where it is 'proved': {PUT}"
    lacking = "\n".join(line for line in page.splitlines() if "PutObject" not in line)
    assert differences(proof(FAILURES), lacking) == [f"iam-proof.md lacks a grant: {PUT}"]
    (gone,) = differences(proof(Action="s3:GetObject"), page)
    assert gone == f"iam-proof.md has a grant that is not there any more: {PUT}"
    assert differences(proof(FAILURES), "") == ["iam-proof.md is missing or has no table"]


ENTRY = "reason: x, owners: [a], statements: [a], actions: [a], resources: [a], grants: 1"


def without(part: str, instead: str = "") -> str:
    """A table whose entry lacks a part."""
    return f"- {{{ENTRY.replace(part, instead)}}}"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("reason: x", "a list of entries is expected"),
        ("- owners: [a]", "entry 1: a `reason` is expected"),
        ("- {reason: x, roles: [a]}", "entry 1: roles is unknown"),
        ("- {reason: x, owners: a}", "entry 1: owners is a list of patterns"),
        (without("owners: [a], "), "entry 1: owners is a list of patterns"),
        (without("statements: [a], "), "entry 1: statements is a list of patterns"),
        (without("actions: [a], "), "entry 1: actions is a list of patterns"),
        (without("resources: [a], "), "entry 1: resources is a list of patterns"),
        (without("resources: [a]", "resources: ['*']"), r"entry 1: '\*' in resources would explain anything"),
        (without("resources: [a]", "resources: [a, 'arn:*']"), r"'arn:\*' in resources would explain anything"),
        (without("actions: [a]", "actions: ['*:*']"), "in actions would explain anything"),
        (without("owners: [a]", "owners: ['?*']"), "in owners would explain anything"),
        (without("grants: 1", "grants: 0"), "entry 1: `grants`, the number"),
        (without(", grants: 1"), "entry 1: `grants`, the number"),
    ],
)
def test_a_table_in_another_form_is_refused(tmp_path: Path, written: str, problem: str) -> None:
    file = tmp_path / "unproved.yaml"
    file.write_text(written)
    with pytest.raises(TableError, match=problem):
        read(file)


def test_the_template_s_own_table_can_be_read() -> None:
    assert all(len(each.reason) > 20 for each in read())


def test_names_that_differ_from_run_to_run_are_found_again() -> None:
    entry = "arn:aws:s3:::sagemaker-project-p-abcdefghij12-123456789012/sagemaker-*"
    grant = Grant("Worker", "given", "Files", "s3:GetObject", constant(entry))
    assert grant.resource == "arn:aws:s3:::sagemaker-project-<id>-<account>/sagemaker-*"
    pattern = grant.withheld()["resource"]
    assert re.fullmatch(pattern, entry.replace("p-abcdefghij12", "p-zzzzzzzzzz99"))
    assert not re.fullmatch(pattern, entry.replace("/sagemaker-*", ""))


@pytest.mark.parametrize("name", ["PipelineExecutionRole", "SC-1-PipelineExecutionRole-8F5E65633CEE0",
                                  "SC-1-PipelineExecutionR8F5E65633CEE0"])  # fmt: skip
def test_a_role_is_known_by_the_name_that_its_stack_made_of_it(name: str) -> None:
    assert is_role("PipelineExecutionRole", name)
    assert not is_role("ExecutionRole", name)
    assert not is_role("PipelineRole", name)


def test_a_replay_is_as_predicted_when_the_same_role_is_denied_the_same_action() -> None:
    predicted = predict(Recording([CALL], {}, {}), [CALL])
    denied = {"caller": "SC-1-Worker-0123456789ABC", "action": "s3:GetObject", "resource": "x"}
    assert Replay(GET, predicted, denied).as_predicted
    assert not Replay(GET, predicted, {**denied, "action": "s3:PutObject"}).as_predicted
    assert not Replay(GET, predicted, {**denied, "caller": "SC-1-CoWorker-0123456789ABC"}).as_predicted
    assert not Replay(GET, predicted, None).as_predicted


def test_a_recording_is_found_from_wherever_a_replay_s_programs_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert arguments(["--recording", "run"]).recording == tmp_path / "run"
