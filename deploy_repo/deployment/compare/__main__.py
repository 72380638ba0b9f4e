"""Is the challenger better than the champion?

    make compare LABELS=outcomes.csv

Reads the captured traffic of both and, where a file of outcomes is given, says whether the challenger is better, with a
confidence interval. Only looks; writes exports/compare.html.
"""

import argparse
import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from deployment.compare import captures, figures, outcomes, report, sides, traffic, verdict
from deployment.compare.captures import Captured
from deployment.compare.report import Report
from deployment.compare.sides import Side
from deployment.errors import RefusedError, aws_errors_explained
from deployment.expectations import answer_words
from project_tools.project import Project, ProjectNotFoundError, find

HERE = Path(__file__).resolve().parents[2]
PAGE = HERE / "exports" / "compare.html"

Client = Callable[[str], Any]


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", default="", help="file of outcomes, CSV or JSON lines, here or s3://")
    parser.add_argument("--metric", default="auc", help=f"what better means: {', '.join(figures.QUALITY)}")
    parser.add_argument("--champion", default="", help="<endpoint>/<variant>, s3://... or a folder")
    parser.add_argument("--challenger", default="", help="likewise")
    parser.add_argument("--since", default="", help="from when on, such as 2026-11-20 or 2026-11-20T09:30, UTC")
    parser.add_argument("--until", default="", help="until when, likewise")
    parser.add_argument("--paired", action="store_true", help="both folders hold answers to the same requests")
    parser.add_argument("--json", action="store_true", help="print JSON, for tools")
    return parser.parse_args(given)


def main(given: Sequence[str], project: Callable[[], Project], client: Client, page: Path = PAGE) -> str:
    """Compare, write the page, and answer what is to be printed; raise RefusedError where nothing can be compared."""
    chosen = arguments(given)
    if chosen.metric not in figures.QUALITY:
        raise RefusedError(f"METRIC is {chosen.metric!r}; it must be one of {', '.join(figures.QUALITY)}.")
    since, until = _moment("SINCE", chosen.since), _moment("UNTIL", chosen.until)
    endpoint = "" if chosen.champion and chosen.challenger else project().production_endpoint
    pair = sides.find(client("sagemaker"), endpoint, chosen.champion, chosen.challenger)
    came = outcomes.read(client("s3"), chosen.labels) if chosen.labels else None
    # Both from the same moment on: another time has other requests.
    latest = max((side for side in pair if side.began), key=_began, default=None)
    found = [
        captures.read(
            client("s3"),
            side.where,
            answer_words(),
            since or (latest.began if latest and side.began else None),
            until,
            by_hour=bool(side.variant),
        )
        for side in pair
    ]
    paired = chosen.paired or any(side.is_shadow for side in pair)
    compared = verdict.compare(found[0], found[1], came, chosen.metric, paired=paired)
    began = since or (latest.began if latest else None)
    counted, why_not = (
        traffic.figures(client("cloudwatch"), pair, began, until or datetime.now(UTC)) if began else ([], "")
    )
    remarks = [*compared.remarks, *([why_not] if why_not else []), *_since(latest, since)]
    told = Report((pair[0].title, pair[1].title), (_told(found[0]), _told(found[1])), compared, counted, remarks)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(report.page(told), encoding="utf-8")
    if chosen.json:
        return json.dumps(told.document(), indent=2)
    return f"{report.text(told)}\n\nWith a picture: {page}"


def _began(side: Side) -> datetime:
    return side.began or datetime.min.replace(tzinfo=UTC)


def _since(latest: Side | None, since: datetime | None) -> list[str]:
    """What a person should know about the time that was looked at."""
    if latest is None or (since and since >= _began(latest)):
        return []
    when = f"{latest.because}, {_began(latest):%Y-%m-%d %H:%M} UTC"
    if since:
        return [f"versions before may have given some of the answers: {when}"]
    return [f"of all that was captured since {when}"]


def _told(found: Captured) -> str:
    return f"{len(found.predictions):,} answers in {found.requests:,} requests, {found.period()}"


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise RefusedError(f"{name} is {text!r}; write a day or a moment: 2026-11-20, 2026-11-20T09:30") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def run(given: Sequence[str], environment: Mapping[str, str]) -> int:
    try:
        with aws_errors_explained():
            here = functools.cache(lambda: find(HERE, environment))
            region = environment.get("AWS_DEFAULT_REGION") or None
            session = functools.cache(lambda: boto3.Session(region_name=region or here().region or None))
            print(main(given, here, functools.cache(lambda service: session().client(service))))
    except (RefusedError, ProjectNotFoundError) as error:
        print(f"make compare: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], os.environ))
