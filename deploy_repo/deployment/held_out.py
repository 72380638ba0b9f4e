"""Whether the endpoint is as good as the evaluation found the model to be.

The evaluation of the model-build repository leaves a sample of claims that the model was not trained on, with their
labels and its metrics, and registers where: in the metadata of the model package, as HeldOutSample.

    named by the package        the endpoint must reach the same metrics; a sample that cannot be read is a failure
    not named by it             the model was registered by hand, or by an older model-build repository: nothing is
                                compared, and the approver of the production deployment is told so
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment import measures, s3_files
from deployment.errors import RefusedError
from deployment.expectations import AnswerWords

NAMED_BY = "HeldOutSample"
RECORDS_PER_REQUEST = 200
# Of the metric, or of 1 where it is less: another processor may decide otherwise what lies on the threshold.
TOLERANCE = 0.005


@dataclass(frozen=True)
class Sample:
    """Held-out records, their labels, and the metrics the evaluation found for them; `of` so many test records."""

    records: list[dict[str, Any]]
    labels: list[int]
    metrics: dict[str, float]
    of: int

    def requests(self) -> list[list[dict[str, Any]]]:
        """The records, as many at a time as are sent in one request."""
        starts = range(0, len(self.records), RECORDS_PER_REQUEST)
        return [self.records[start : start + RECORDS_PER_REQUEST] for start in starts]


def find(s3: Any, package: Mapping[str, Any]) -> Sample | None:
    """The sample a model package names, None if it names none; raise RefusedError where that one is of no use."""
    url = package.get("CustomerMetadataProperties", {}).get(NAMED_BY)
    if not url:
        return None
    try:
        found = json.loads(s3_files.read(s3, url))
        sample = Sample(found["records"], found["labels"], found["metrics"], found["of"])
    except ClientError as error:
        raise RefusedError(
            f"The held-out sample {url} cannot be read: {error.response['Error']['Code']}.\n"
            f"The model package {package['ModelPackageArn']} names it as {NAMED_BY}:\n"
            "run the model-build pipeline again, and approve the version it registers."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(
            f"{url} is no held-out sample: {error!r}.\n"
            "Have steps/held_out.py of the model-build repository write it: run the model-build pipeline again."
        ) from error
    if not sample.records or len(sample.records) != len(sample.labels):
        raise RefusedError(
            f"{url} is no held-out sample: it has {len(sample.records)} records and {len(sample.labels)} labels.\n"
            "Have steps/held_out.py of the model-build repository write it: run the model-build pipeline again."
        )
    return sample


def differences(sample: Sample, predictions: Sequence[Mapping[str, Any]], words: AnswerWords) -> list[str]:
    """A line for every metric that is not the evaluation's; raise AssertionError where answers are missing."""
    assert len(predictions) == len(sample.records), f"{len(predictions)} answers to {len(sample.records)} records"
    found = measures.measure(
        sample.labels,
        [prediction[words.probability] for prediction in predictions],
        [prediction["decision"] == words.decisions[1] for prediction in predictions],
    )
    assert sample.metrics.keys() & found.keys(), f"no metric of these is known here: {', '.join(sample.metrics)}"
    return [
        f"{name} of the held-out records: the evaluation found {expected:.4f}, the endpoint's answers give "
        f"{found[name]:.4f}"
        for name, expected in sample.metrics.items()
        if name in found and abs(found[name] - expected) > TOLERANCE * max(1.0, abs(expected))
    ]
