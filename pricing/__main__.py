"""Command line: `python -m pricing` tells what a project of this clone costs, by resource."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pricing import PriceError
from pricing.estimate import BY_REQUEST, Estimate, Part, estimate

ROOT = Path(__file__).resolve().parent.parent
OLD_AFTER_DAYS = 180


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 told, 1 a price or a template is missing."""
    options = _parser().parse_args(arguments)
    try:
        found = estimate(ROOT, options.region)
    except PriceError as error:
        print(f"cost: {error}", file=sys.stderr)
        return 1
    show(found, Console(), options.max_age)
    return 0


def show(found: Estimate, console: Console, max_age: int = OLD_AFTER_DAYS) -> None:
    """Print a table of every part, and the line for the launch form."""
    prices = found.prices
    console.print(
        f"Prices of {prices.region} on {prices.date}, in US dollars, without tax, free tier and discounts.",
        soft_wrap=True,
    )
    age = prices.age(datetime.now(UTC).date())
    if age > max_age:
        console.print(
            f"WARNING the prices are {age} days old. Look them up anew and set the date in pricing/prices.yaml.",
            style="yellow",
            soft_wrap=True,
        )
    for part in found.parts:
        console.print(_table(part))
    if BY_REQUEST not in prices.items:
        console.print(f"Serverless endpoints are not compared: their price in {prices.region} is not in the table.")
    console.print(found.summary, soft_wrap=True)
    console.print(
        "Minutes, requests and gigabytes are assumed: pricing/prices.yaml. docs/cost.md explains the rest.",
        soft_wrap=True,
    )


def _table(part: Part) -> Table:
    title = f"{part.title} ({part.note})" if part.note else part.title
    table = Table(title=title, title_justify="left", title_style="bold", show_footer=True, min_width=78)
    table.add_column("resource", footer=f"each {part.every}")
    table.add_column("amount")
    table.add_column("US dollars", justify="right", footer=f"{part.dollars:.2f}")
    for line in part.lines:
        table.add_row(line.what, line.amount, f"{line.dollars:.3f}")
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pricing",
        description=(
            "Tell what a project of this clone costs, by resource: idle, for each training run and deployment, and for "
            "a month of each endpoint. Read from the templates and the seeds' configurations as they are now."
        ),
    )
    parser.add_argument("--region", help="AWS region (default: the one that pricing/prices.yaml is written for)")
    parser.add_argument(
        "--max-age",
        type=int,
        default=OLD_AFTER_DAYS,
        metavar="DAYS",
        help=f"tell when the prices are older (default: {OLD_AFTER_DAYS})",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
