"""Lambda steps of a batch run: look at the input before the transform job, check and publish the answers after it.

    <stage>/input/...                              what is asked: files, each line a request as the endpoint takes it
    <stage>/unchecked/<run>/....out                what the transform job answered, a line for each
    <stage>/published/<date>/<run>/....out         the same, once it was checked
    <stage>/published/<date>/<run>/manifest.json   written last: without it a folder is not complete

A check that fails raises: the run fails with its reason, BatchFailedRule tells people, and nothing is published.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html#step-type-lambda
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from aws import Client, client

MOST_FAULTS = 10
"""How many of the faults are told."""
ANSWERS_END = ".out"
MANIFEST = "manifest.json"

log = logging.getLogger(__name__)
logging.getLogger().setLevel(logging.INFO)


class UnusableInputError(Exception):
    """The input is not what a model can be asked. The message says where and what."""


class BadAnswersError(Exception):
    """The answers must not be published. The message says why."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """What a step of the pipeline asks for; the values are the step's outputs."""
    s3 = client("s3")
    if event["task"] == "look":
        return _look(s3, Folder.at(event["input"]))
    return Run(s3, event).publish()


@dataclass(frozen=True)
class Folder:
    """A folder in S3; its prefix ends with a slash."""

    bucket: str
    prefix: str

    @classmethod
    def at(cls, url: str) -> "Folder":
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        return cls(bucket, f"{prefix.rstrip('/')}/")

    def files(self, s3: Client) -> list[str]:
        """The names below the folder, without the folders that the console makes, and without empty files."""
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        found = (each for page in pages for each in page.get("Contents", []))
        return sorted(each["Key"].removeprefix(self.prefix) for each in found if each["Size"])

    def lines(self, s3: Client, name: str) -> Iterator[str]:
        """The lines of a file that are not empty."""
        body = s3.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"]
        yield from (line.decode(errors="replace") for line in body.iter_lines() if line.strip())

    def url(self, name: str = "") -> str:
        return f"s3://{self.bucket}/{self.prefix}{name}"


# ---- before the transform job


def _look(s3: Client, folder: Folder) -> dict[str, Any]:
    """How many records wait. Raises UnusableInputError: the job's own message would not say which line it was."""
    count = sum(_records(folder, name, number, line) for name, number, line in _requests(s3, folder))
    log.info("%d records in %s", count, folder.url())
    return {"Records": count}


def _requests(s3: Client, folder: Folder) -> Iterator[tuple[str, int, str]]:
    for name in folder.files(s3):
        for number, line in enumerate(folder.lines(s3, name), start=1):
            yield name, number, line


def _records(folder: Folder, name: str, number: int, line: str) -> int:
    """How many records a line asks about."""
    records = _member(line, "records")
    if not records:
        raise UnusableInputError(
            f"{folder.url(name)}, line {number}: each line has to be a request as the endpoint takes it, "
            f'{{"records": [{{...}}]}}, and this one begins with {line[:40]!r}. '
            "Put the file right; the next run takes it."
        )
    return len(records)


def _member(line: str, name: str) -> list[Any]:
    """The list of that name in a line of JSON; empty where there is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return []
    listed = found.get(name) if isinstance(found, dict) else None
    return listed if isinstance(listed, list) else []


# ---- after it


def _answers_to(name: str, answered: Sequence[str]) -> str | None:
    """The file of answers to a file of the input: below the folder of the run, or below one named after the input's.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TransformOutput.html says both.
    """
    wanted = f"{name}{ANSWERS_END}"
    return next((each for each in answered if each == wanted or each.endswith(f"/{wanted}")), None)


@dataclass
class Checked:
    """What was counted while the answers were checked, and what is wrong with them."""

    records: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def share(self, decision: str) -> float:
        return self.decisions[decision] / self.records if self.records else 0.0


class Run:
    """One run of the stage's pipeline, after its transform job."""

    def __init__(self, s3: Client, event: Mapping[str, Any]) -> None:
        self._s3 = s3
        self._event = event
        self._input, self._answers = Folder.at(event["input"]), Folder.at(event["answers"])
        self._checks: Mapping[str, Any] = event["checks"]

    def publish(self) -> dict[str, Any]:
        """Check the answers and publish them; the number of records and where the manifest is.

        Raises BadAnswersError.
        """
        # Whatever came into the folder since the job listed it has no answers, and is the next run's.
        answered = self._answers.files(self._s3)
        files = {name: found for name in self._input.files(self._s3) if (found := _answers_to(name, answered))}
        checked = Checked()
        if not answered or set(files.values()) != set(answered):
            checked.faults.append(f"{len(answered)} files of answers belong to {len(files)} files of the input")
        for name, answers in files.items():
            self._check(name, answers, checked)
        self._check_shares(checked)
        if checked.faults:
            told = "\n".join(checked.faults[:MOST_FAULTS])
            raise BadAnswersError(
                f"Nothing is published. {self._answers.url()} stays for you to look at.\n{told}"
                + ("\n..." if len(checked.faults) > MOST_FAULTS else "")
            )
        return {"Records": checked.records, "Manifest": self._copy(files, checked)}

    def _check(self, name: str, answers: str, checked: Checked) -> None:
        """One file: a line of answers for each request, an answer for each record, each as it must be."""
        asked = self._input.lines(self._s3, name)
        answered = self._answers.lines(self._s3, answers)
        for number, (request, answer) in enumerate(zip_longest(asked, answered, fillvalue=""), start=1):
            wanted, found = len(_member(request, "records")), _member(answer, "predictions")
            if len(found) != wanted:
                checked.faults.append(f"{name}, line {number}: {len(found)} answers for {wanted} records")
            for position, prediction in enumerate(found):
                fault = self._fault(prediction)
                if fault:
                    checked.faults.append(f"{name}, line {number}, record {position}: {fault}")
                else:
                    checked.records += 1
                    checked.decisions[prediction["decision"]] += 1
            if len(checked.faults) > MOST_FAULTS:
                return

    def _fault(self, prediction: Any) -> str | None:  # noqa: ANN401 - whatever a model answers
        words = self._checks["answer"]
        if not isinstance(prediction, dict) or prediction.keys() != {words["probability"], "decision"}:
            return f"has to have {words['probability']} and decision, and is {prediction!r}"
        probability = prediction[words["probability"]]
        if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
            return f"{words['probability']} has to be from 0 to 1, and is {probability!r}"
        if prediction["decision"] not in words["decisions"]:
            return f"decision has to be one of {', '.join(words['decisions'])}, and is {prediction['decision']!r}"
        return None

    def _check_shares(self, checked: Checked) -> None:
        for decision, (least, most) in self._checks["shares"].items():
            share = checked.share(decision)
            if checked.records and not least <= share <= most:
                checked.faults.append(
                    f"{share:.4f} of the {checked.records} decisions are {decision}, and batch-checks.json of the "
                    f"model-deploy repository allows {least} to {most}"
                )

    def _copy(self, files: Mapping[str, str], checked: Checked) -> str:
        """Copy the answers and write the manifest after them; where that is."""
        now, published = datetime.now(UTC), Folder.at(self._event["published"])
        folder = Folder(published.bucket, f"{published.prefix}{now:%Y-%m-%d}/{self._event['run']}/")
        for name, answers in files.items():
            source = {"Bucket": self._answers.bucket, "Key": f"{self._answers.prefix}{answers}"}
            self._s3.copy(source, folder.bucket, f"{folder.prefix}{name}{ANSWERS_END}")
        manifest = {
            "run": self._event["run"],
            "model_package": self._event["modelPackage"],
            "published_at": now.isoformat(timespec="seconds"),
            "input": self._input.url(),
            "records": checked.records,
            "decisions": dict(checked.decisions),
            "answers": [folder.url(f"{name}{ANSWERS_END}") for name in files],
        }
        self._s3.put_object(
            Bucket=folder.bucket,
            Key=f"{folder.prefix}{MANIFEST}",
            Body=json.dumps(manifest, indent=2).encode(),
            ContentType="application/json",
        )
        log.info("Published %d answers in %s", checked.records, folder.url())
        return folder.url(MANIFEST)
