"""What a batch run may be asked, and what has to hold of its answers before they are published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_aws import FakeAws

import check_batch

BUCKET = "sagemaker-project-p-abc123-123456789012"
STAGE = f"s3://{BUCKET}/fraud-p-abc123/batch/prod"
CHECKS = {
    "answer": {"probability": "fraud_probability", "decisions": ["pay", "investigate"]},
    "shares": {"investigate": [0.0, 0.5]},
}
PAY, INVESTIGATE = ({"fraud_probability": p, "decision": d} for p, d in ((0.1, "pay"), (0.9, "investigate")))


class Stage:
    """The files of a stage, in S3."""

    def __init__(self, account: FakeAws) -> None:
        self.s3 = account.client("s3")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def put(self, name: str, *lines: Any) -> None:
        """A file below the stage's folder; what is no text becomes a line of JSON."""
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        self.s3.put_object(Bucket=BUCKET, Key=f"fraud-p-abc123/batch/prod/{name}", Body=text.encode())

    def ask(self, name: str, *counts: int) -> None:
        """A file of the input with so many records a line."""
        self.put(f"input/{name}", *({"records": [{"claim": n} for n in range(count)]} for count in counts))

    def answer(self, name: str, *predictions: list[Any]) -> None:
        self.put(f"unchecked/r1/{name}.out", *({"predictions": each} for each in predictions))

    def look(self) -> dict[str, Any]:
        return check_batch.handler({"task": "look", "input": f"{STAGE}/input/"}, object())

    def publish(self, **checks: Any) -> dict[str, Any]:
        event = {
            "task": "publish",
            "run": "r1",
            "input": f"{STAGE}/input/",
            "answers": f"{STAGE}/unchecked/r1",
            "published": f"{STAGE}/published",
            "modelPackage": "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud-p-abc123/7",
            "checks": CHECKS | checks,
        }
        return check_batch.handler(event, object())

    def published(self) -> dict[str, str]:
        """What was published, by the name after the folder of the run."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix="fraud-p-abc123/batch/prod/published/")
        keys = [each["Key"] for each in found.get("Contents", [])]
        read = {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys}
        return {key.partition("/r1/")[2]: text for key, text in read.items()}


@pytest.fixture
def stage(account: FakeAws) -> Stage:
    return Stage(account)


def test_the_records_of_all_files_are_counted_before_a_job_starts(stage: Stage) -> None:
    assert stage.look() == {"Records": 0}
    stage.ask("monday.jsonl", 1, 2)
    stage.ask("more/tuesday.jsonl", 3)
    stage.put("input/empty/")
    assert stage.look() == {"Records": 6}


@pytest.mark.parametrize("line", ["claim_amount,region", "[]", '{"records": []}', '{"records": 7}', '{"claims": [1]}'])
def test_a_line_that_is_no_request_is_named_before_a_job_starts(stage: Stage, line: str) -> None:
    stage.put("input/claims.jsonl", {"records": [{}]}, line)
    with pytest.raises(check_batch.UnusableInputError, match=r"input/claims\.jsonl, line 2: each line has to be"):
        stage.look()


def test_answers_that_are_as_they_must_be_are_published_with_a_manifest(stage: Stage) -> None:
    stage.ask("claims.jsonl", 2, 1)
    stage.ask("more/claims.jsonl", 1)
    stage.answer("claims.jsonl", [PAY, INVESTIGATE], [PAY])
    stage.answer("more/claims.jsonl", [PAY])
    outputs = stage.publish()
    published = stage.published()
    manifest = json.loads(published.pop("manifest.json"))
    assert published.keys() == {"claims.jsonl.out", "more/claims.jsonl.out"}
    assert published["more/claims.jsonl.out"] == json.dumps({"predictions": [PAY]}) + "\n"
    assert (manifest["records"], manifest["decisions"]) == (4, {"pay": 3, "investigate": 1})
    assert manifest["model_package"].endswith("/7")
    assert outputs["Records"] == 4
    assert outputs["Manifest"].endswith("/r1/manifest.json")
    assert [each.partition("/r1/")[2] for each in manifest["answers"]] == ["claims.jsonl.out", "more/claims.jsonl.out"]


def test_a_file_that_came_after_the_job_had_begun_is_the_next_run_s(stage: Stage) -> None:
    stage.ask("claims.jsonl", 1)
    stage.ask("late.jsonl", 1)
    stage.answer("claims.jsonl", [PAY])
    assert stage.publish()["Records"] == 1


def test_answers_below_a_folder_named_after_the_input_s_are_found(stage: Stage) -> None:
    stage.ask("claims.jsonl", 1)
    stage.answer("input/claims.jsonl", [PAY])
    stage.publish()
    assert stage.published().keys() == {"claims.jsonl.out", "manifest.json"}


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([[PAY]], "claims.jsonl, line 2: 0 answers for 1 records"),
        ([[PAY, PAY], [PAY]], "claims.jsonl, line 1: 2 answers for 1 records"),
        ([[PAY], [PAY], [PAY]], "claims.jsonl, line 3: 1 answers for 0 records"),
        ([[PAY], ["pay"]], "has to have fraud_probability and decision"),
        ([[PAY], [{**PAY, "fraud_probability": 1.5}]], "has to be from 0 to 1, and is 1.5"),
        ([[PAY], [{**PAY, "fraud_probability": True}]], "has to be from 0 to 1, and is True"),
        ([[PAY], [{**PAY, "decision": "maybe"}]], "has to be one of pay, investigate, and is 'maybe'"),
        ([[INVESTIGATE], [INVESTIGATE]], "1.0000 of the 2 decisions are investigate, and batch-checks.json"),
    ],
)
def test_answers_that_are_not_are_told_and_nothing_is_published(stage: Stage, answers: list[Any], why: str) -> None:
    stage.ask("claims.jsonl", 1, 1)
    stage.answer("claims.jsonl", *answers)
    with pytest.raises(check_batch.BadAnswersError) as refusal:
        stage.publish()
    assert str(refusal.value).startswith("Nothing is published. s3://")
    assert why in str(refusal.value)
    assert stage.published() == {}


def test_answers_to_nothing_that_was_asked_are_not_published(stage: Stage) -> None:
    stage.ask("claims.jsonl", 1)
    stage.answer("claims.jsonl", [PAY])
    stage.answer("strange.jsonl", [PAY])
    with pytest.raises(check_batch.BadAnswersError, match="2 files of answers belong to 1 files of the input"):
        stage.publish()
    assert stage.published() == {}


def test_of_many_faults_the_first_are_told(stage: Stage) -> None:
    stage.ask("claims.jsonl", *([1] * 50))
    stage.answer("claims.jsonl", *([["pay"]] * 50))
    with pytest.raises(check_batch.BadAnswersError) as refusal:
        stage.publish()
    assert len(str(refusal.value).splitlines()) == check_batch.MOST_FAULTS + 2
