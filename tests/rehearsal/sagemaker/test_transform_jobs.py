"""A batch transform job sends every record of its input to the model's own server and keeps what that answers."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.sagemaker.transform_data import TooLargeError, assembled, payloads, records
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.batch_lab import BatchLab, model, play, transform
from tests.rehearsal.sagemaker.jobs_lab import BUCKET, Bench

OUT = f"s3://{BUCKET}/answers"


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([BatchLab]))


@pytest.fixture(scope="module")
def served(bench: Bench) -> str:
    return model(bench)


# ---- records


def test_lines_keep_their_ends_and_only_a_newline_ends_one() -> None:
    assert records(b"a\rb\n\nc", "Line") == [b"a\rb\n", b"\n", b"c"]
    assert records(b"a\nb\n", "None") == [b"a\nb\n"]
    assert records(b"", "Line") == []


def test_a_mini_batch_holds_as_many_records_as_fit() -> None:
    third = b"x" * (400 * 1024)

    assert [len(body) for body in payloads([third] * 5, "MultiRecord", 1)] == [819_200, 819_200, 409_600]
    assert [len(body) for body in payloads([third] * 5, "MultiRecord", 0)] == [2_048_000]
    assert len(list(payloads([third] * 5, "SingleRecord", 1))) == 5


def test_a_record_larger_than_a_payload_is_named() -> None:
    with pytest.raises(TooLargeError, match=r"1048577 bytes is larger than MaxPayloadInMB \(1\)"):
        list(payloads([b"x" * (1024 * 1024 + 1)], "MultiRecord", 1))


def test_answers_are_joined_as_they_come_or_each_on_a_line() -> None:
    assert assembled([b"a", b"b"], "None") == b"ab"
    assert assembled([b"a", b"b"], "Line") == b"a\nb\n"


# ---- jobs


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        ({}, "2:ONE|TWO"),
        ({"SplitType": "Line"}, "2:ONE|TWO"),
        ({"SplitType": "Line", "BatchStrategy": "SingleRecord"}, "1:ONE1:TWO"),
        ({"SplitType": "Line", "BatchStrategy": "SingleRecord", "AssembleWith": "Line"}, "1:ONE\n1:TWO\n"),
        (
            {
                "SplitType": "Line",
                "BatchStrategy": "SingleRecord",
                "AssembleWith": "Line",
                "MaxConcurrentTransforms": 4,
            },
            "1:ONE\n1:TWO\n",
        ),
    ],
)
def test_records_are_sent_by_the_strategy_and_assembled_as_asked(
    bench: Bench, served: str, how: dict[str, Any], answer: str
) -> None:
    source = bench.put("claims/one.csv", "one\ntwo\n")

    job = play(bench, served, source, f"{OUT}/strategies", **how)

    assert job["TransformJobStatus"] == "Completed", job
    assert bench.text(f"{OUT}/strategies/one.csv.out") == answer


def test_every_file_below_the_prefix_has_an_output_of_its_own(bench: Bench, served: str) -> None:
    bench.put("many/a.csv", "a")
    bench.put("many/deep/b.csv", "b")

    job = play(bench, served, f"s3://{BUCKET}/many/", f"{OUT}/many/")

    assert job["TransformJobStatus"] == "Completed", job
    assert bench.keys("answers/many") == ["answers/many/a.csv.out", "answers/many/deep/b.csv.out"]
    assert bench.text(f"{OUT}/many/deep/b.csv.out") == "1:B"


def test_a_file_with_a_bad_record_has_no_output_and_the_others_have(bench: Bench, served: str) -> None:
    bench.put("mixed/bad.csv", "one\nbad")
    bench.put("mixed/good.csv", "one")

    job = play(bench, served, f"s3://{BUCKET}/mixed/", f"{OUT}/mixed")

    assert (job["TransformJobStatus"], job["FailureReason"]) == (
        "Failed",
        "ClientError: See job logs for more information",
    )
    assert bench.keys("answers/mixed") == ["answers/mixed/good.csv.out"]
    group, stream = "/aws/sagemaker/TransformJobs", f"{job['TransformJobName']}/data-log"
    told = bench.logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    lines = [event["message"] for event in told]
    assert f"[sagemaker logs]: {BUCKET}/mixed/bad.csv: Bad HTTP status received from algorithm: 400" in lines
    assert f"[sagemaker logs]: {BUCKET}/mixed/bad.csv: no such claim" in lines


def test_a_server_that_fails_is_asked_again_before_the_job_fails(bench: Bench, served: str) -> None:
    source = bench.put("crash/a.csv", "crash")

    job = play(bench, served, source, f"{OUT}/crash", ModelClientConfig={"InvocationsMaxRetries": 1})

    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"


def test_a_server_learns_how_it_is_used(bench: Bench, served: str) -> None:
    source = bench.put("how/a.csv", "how")

    play(bench, served, source, f"{OUT}/how", BatchStrategy="SingleRecord", MaxPayloadInMB=2)

    assert bench.text(f"{OUT}/how/a.csv.out") == "SINGLE_RECORD 2"


def test_a_compressed_file_is_sent_decompressed(bench: Bench, served: str) -> None:
    bench.s3.put_object(Bucket=BUCKET, Key="zipped/a.csv.gz", Body=gzip.compress(b"one"))

    play(bench, served, f"s3://{BUCKET}/zipped/", f"{OUT}/zipped", CompressionType="Gzip")

    assert bench.text(f"{OUT}/zipped/a.csv.gz.out") == "1:ONE"


def test_an_input_without_objects_fails_the_job(bench: Bench, served: str) -> None:
    job = play(bench, served, f"s3://{BUCKET}/nothing/", f"{OUT}/nothing")

    assert job["TransformJobStatus"] == "Failed"
    assert "No S3 objects found" in job["FailureReason"]


@pytest.mark.parametrize(
    ("grant", "action"),
    [("write", "s3:PutObject"), ("list", "s3:ListBucket"), ("image", "ecr:BatchCheckLayerAvailability")],
)
def test_a_job_acts_as_its_models_role(bench: Bench, grant: str, action: str) -> None:
    source = bench.put("rights/a.csv", "a")
    poor = model(bench, bench.pipeline_role(without=[grant]))

    job = play(bench, poor, source, f"{OUT}/rights")

    assert job["TransformJobStatus"] == "Failed"
    assert action in job["FailureReason"] or "AccessDenied" in job["FailureReason"]


def test_creating_a_job_is_authorised_with_its_model(bench: Bench, served: str) -> None:
    allowed = bench.person({"Effect": "Allow", "Action": "sagemaker:CreateTransformJob", "Resource": "*"})
    other = {"ArnLike": {"sagemaker:ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/other"}}
    denied = bench.person(
        {"Effect": "Allow", "Action": "sagemaker:CreateTransformJob", "Resource": "*", "Condition": other}
    )
    request = transform(bench.put("who/a.csv", "a"), f"{OUT}/who")

    allowed.create_transform_job(TransformJobName="mine", ModelName=served, **request)
    with pytest.raises(ClientError, match=r"sagemaker:CreateTransformJob"):
        denied.create_transform_job(TransformJobName="theirs", ModelName=served, **request)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"SplitType": "RecordIO"}, "SplitType RecordIO of a transform job is not implemented"),
        ({"DataProcessing": {"JoinSource": "Input"}}, "JoinSource 'Input' of a transform job is not implemented"),
        ({"DataProcessing": {"InputFilter": "$[1:]"}}, r"InputFilter '\$\[1:\]' of a transform job is not implemented"),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "ValidationException.*greater than 100 MB"),
        ({"ModelName": "nobody"}, "ValidationException.*Could not find model"),
    ],
)
def test_what_cannot_be_played_is_refused_at_once(
    bench: Bench, served: str, changes: dict[str, Any], complaint: str
) -> None:
    request = {"ModelName": served, **transform("s3://b/in", "s3://b/out", **changes)}

    with pytest.raises(ClientError, match=complaint):
        bench.sagemaker.create_transform_job(TransformJobName="refused", **request)


def test_names_are_unique_and_jobs_are_listed_and_found(bench: Bench, served: str) -> None:
    request = transform(bench.put("list/a.csv", "a"), f"{OUT}/list")
    bench.sagemaker.create_transform_job(TransformJobName="listed", ModelName=served, **request)

    with pytest.raises(ClientError, match=r"ResourceInUse.*names must be unique"):
        bench.sagemaker.create_transform_job(TransformJobName="listed", ModelName=served, **request)
    found = bench.sagemaker.list_transform_jobs(NameContains="liste")["TransformJobSummaries"]
    assert [job["TransformJobName"] for job in found] == ["listed"]
    with pytest.raises(ClientError, match="Could not find requested job with name: unlisted"):
        bench.sagemaker.describe_transform_job(TransformJobName="unlisted")
