"""The model that asks to be deployed beside the one in production, by what their evaluations found.

Both are told by the evaluation report that the model package carries (`ModelMetrics`). What cannot be compared is said,
and is no reason to stop: the numbers are for the person who approves.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelMetrics.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deployment import production, s3_files

NAMES = ("accuracy", "recall", "precision", "f1", "auc", "top_decile_lift")
IN_SHORT = ("accuracy", "recall", "precision", "auc")  # as much as the approval message has room for
NOT_COMPARED = "not compared with production"


@dataclass(frozen=True)
class Comparison:
    """The metrics of the candidate, and of the live version where there is one; a clause says which, or why none."""

    candidate: dict[str, float]
    live: dict[str, float]
    live_version: int | None
    clause: str

    def in_short(self) -> str:
        """The table as a clause of the approval message."""
        if not self.candidate or self.live_version is None or not self.live:
            return NOT_COMPARED
        pairs = [
            f"{name} {self.candidate[name]:.3f} ({self.live[name]:.3f})"
            for name in IN_SHORT
            if name in self.candidate and name in self.live
        ]
        return f"metrics (and of live version {self.live_version}): {', '.join(pairs)}" if pairs else NOT_COMPARED

    def rows(self) -> list[tuple[str, str, str]]:
        """Metric, candidate, live: a row for every metric that either has."""

        def shown(metrics: Mapping[str, float], name: str) -> str:
            return f"{metrics[name]:.4f}" if name in metrics else "-"

        names = [name for name in NAMES if name in self.candidate or name in self.live]
        return [(name, shown(self.candidate, name), shown(self.live, name)) for name in names]


def compare(sagemaker: Any, s3: Any, package: Mapping[str, Any], production_endpoint: str) -> Comparison:
    """Look both reports up; whatever is missing is left out, and said in the clause."""
    candidate, fault = _metrics(s3, package)
    if fault:
        return Comparison(candidate, {}, None, fault)
    group = production.group_in_arn(package["ModelPackageArn"]) or ""
    try:
        found = production.look(sagemaker, production_endpoint, group)
    except ClientError as error:
        refused = error.response["Error"]["Code"]
        return Comparison(candidate, {}, None, f"AWS does not say what {production_endpoint} serves: {refused}")
    if found.package is None:
        return Comparison(candidate, {}, None, found.clause)
    if found.package["ModelPackageArn"] == package["ModelPackageArn"]:
        return Comparison(candidate, {}, None, f"{found.clause}, which is this one")
    live, fault = _metrics(s3, found.package)
    return Comparison(candidate, live, found.package["ModelPackageVersion"], fault or found.clause)


def _metrics(s3: Any, package: Mapping[str, Any]) -> tuple[dict[str, float], str]:
    """The metrics a package's report tells, or none and the reason."""
    version = package.get("ModelPackageVersion")
    url = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri")
    if not url:
        return {}, f"version {version} was registered without a report of its quality"
    try:
        found = json.loads(s3_files.read(s3, url))["binary_classification_metrics"]
        return {name: float(found[name]["value"]) for name in NAMES if name in found}, ""
    except ClientError as error:
        return {}, f"the report of version {version} cannot be read: {url}: {error.response['Error']['Code']}"
    except (ValueError, KeyError, TypeError):
        return {}, f"the report of version {version} is not one of a classifier's quality: {url}"
