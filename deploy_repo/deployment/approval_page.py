"""What the approver of the production deployment looks at: one page that needs no other file.

The approval's message has room for 1,000 characters, so the whole table and the evaluation's pictures stand here. The
page lies in the project's bucket, and the message links to it in the S3 console: who may not read the bucket sees
nothing, and no link holds a secret.
"""

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from typing import Any

from botocore.exceptions import ClientError

from deployment import s3_files
from deployment.comparison import Comparison

REPORTS = "EvaluationReports"  # of the model package's metadata: the folder in S3
PICTURES = ("lift_chart.png", "confusion_matrix.png", "feature_importance.png")
STYLE = (
    "body{font:16px sans-serif;max-width:60rem;margin:2rem auto}"
    "td,th{padding:.2rem 1rem;text-align:left}"
    "img{max-width:100%}"
)
GO_BACK = 'make rollback REASON="what is wrong with it"'


def render(summary: str, package: Mapping[str, Any], comparison: Comparison, pictures: Mapping[str, bytes]) -> str:
    """The page; `pictures` are PNG files by name, and one that is missing is said to be."""
    live = "-" if comparison.live_version is None else f"version {comparison.live_version}"
    rows = "".join(f"<tr>{''.join(f'<td>{escape(each)}</td>' for each in row)}</tr>" for row in comparison.rows())
    shown = "".join(
        f'<h3>{name}</h3><img alt="{name}" src="data:image/png;base64,{b64encode(pictures[name]).decode()}">'
        if name in pictures
        else f"<h3>{name}</h3><p>There is none that could be read.</p>"
        for name in PICTURES
    )
    folder = package.get("CustomerMetadataProperties", {}).get(REPORTS, "registered by hand: it names none")
    version = f"Version {package['ModelPackageVersion']} of {package['ModelPackageGroupName']}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(version)}</title><style>{STYLE}</style>'
        f"<h1>{escape(version)}: may it go to production?</h1><p>{escape(package['ModelPackageArn'])}</p>"
        f"<h2>Tests of staging</h2><p>{escape(summary)}</p>"
        f"<h2>Candidate and live model</h2><p>Production: {escape(comparison.clause)}.</p>"
        f"<table><tr><th>metric</th><th>candidate</th><th>live: {live}</th></tr>{rows}</table>"
        f"<h2>The way back</h2><p>In the model-deploy repository: <code>{escape(GO_BACK)}</code></p>"
        f"<h2>Evaluation</h2><p>Reports: {escape(folder)}</p>{shown}</html>\n"
    )


def pictures(s3: Any, package: Mapping[str, Any]) -> dict[str, bytes]:
    """The evaluation's pictures by name, those of them that can be read."""
    folder = package.get("CustomerMetadataProperties", {}).get(REPORTS)
    found = {}
    for name in PICTURES if folder else ():
        try:
            found[name] = s3_files.read(s3, f"{folder}/{name}")
        except (ClientError, ValueError):
            continue
    return found


def publish(s3: Any, url: str, page: str) -> None:
    """Write the page where the message's link leads; ClientError where S3 does not take it."""
    bucket, key = s3_files.place(url)
    s3.put_object(Bucket=bucket, Key=key, Body=page.encode(), ContentType="text/html; charset=utf-8")
