"""`make new-model DATA=claims.csv LABEL=fraud NAME=...`: the seeds, rewritten for a table of the user's."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from new_model import ModelError, baseline, columns, contract, golden, label, page, repositories, table
from seed_code import SeedError

ROOT = Path(__file__).resolve().parent.parent
RUFF = Path(sys.executable).with_name("ruff")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, 1 for what cannot be done, or 130."""
    given = _parser().parse_args(arguments)
    try:
        make(given)
    except (ModelError, SeedError) as error:
        print(f"make new-model: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make new-model: interrupted, nothing was kept", file=sys.stderr)
        return 130
    return 0


def make(given: argparse.Namespace) -> None:
    """Make the folder. Raises ModelError, and leaves nothing then."""
    for value, name in ((given.data, "DATA"), (given.label, "LABEL"), (given.name, "NAME")):
        if not value:
            raise ModelError(f"{name} is not set. make new-model DATA=claims.csv LABEL=fraud NAME=claims-fraud")
    repositories.check_name(given.name)
    target: Path = given.folder / given.name
    if target.exists():
        raise ModelError(f"{target} exists already and is left as it is. Choose another NAME, or move it away.")
    _say(f"1/4  Read {given.data}")
    data = table.read(Path(given.data), repositories.image_python(ROOT))
    found = label.understand(data, given.label, given.positive)
    described = _chosen(data, found, given)
    _say("", *_indented(page.understood(data, found, described)), "")
    if not any(not each.dropped and not each.protected for each in described):
        raise ModelError("no column is left to learn from: see above why each is not used. KEEP=... takes some anyway.")
    with _removed_on_failure(target):
        _write(target, data, found, described)


def _write(target: Path, data: table.Table, found: label.Label, described: list[columns.Column]) -> None:
    rows = table.sample(data, found.classes)
    _say(f"2/4  Copy the seeds to {target}")
    repositories.copy_seeds(ROOT, target)
    repositories.write_contract(target, data.name, found, described)
    repositories.write_examples(target, data, rows, found, described)
    repositories.write_knobs(target, len(rows), baseline.NO_GATE)
    _say(f"3/4  Train a first model on {len(rows)} rows")
    first = baseline.train(target, repositories.image_python(ROOT), _say)
    _say("4/4  Set the gate, write the records for the endpoint's tests")
    words = contract.words(found)
    records = golden.golden(first.scored, first.threshold, words)
    bad = golden.bad(records[0]["record"], described)
    repositories.write_knobs(target, len(rows), first.gate)
    repositories.write_deploy_tests(target, words, records, bad)
    settings = list(page.settings(first, words, len(rows), len(records), len(bad)))
    look = list(page.doubts(data, found, described, first))
    summary = list(page.understood(data, found, described))[:2]
    parts = (("Understood", summary), ("Set", settings), ("To look at", look))
    repositories.finish(target, page.markdown(target.name, parts, described, data), RUFF)
    _say("", "Set:", *_indented(settings), "", "Look at:", *_indented(look), "", "Next:")
    _say(
        f"  cd {target / repositories.BUILD} && make local     every step on this machine, no AWS",
        f"  cd {target / repositories.DEPLOY} && make test     the tests that came with the golden records",
        f"  {target / 'MODEL.md'}     all of this again. docs/new-model.md says how it becomes a project.",
    )


def _chosen(data: table.Table, found: label.Label, given: argparse.Namespace) -> list[columns.Column]:
    """The columns, with what the user decided about them."""
    keep, drop, protected = (_names(each, data, found) for each in (given.keep, given.drop, given.protected))
    chosen = []
    for each in columns.understand(data, found.column, found.classes, keep):
        column = replace(each, dropped="DROP says so") if each.name in drop else each
        if each.name in protected:
            if not each.usable:
                raise ModelError(f"{each.name!r} cannot be kept for the bias report: {each.dropped}.")
            column = replace(each, protected=True, dropped="")
        if each.name in keep and not each.usable:
            raise ModelError(f"{each.name!r} cannot be used, KEEP or not: {each.dropped}.")
        chosen.append(column)
    return chosen


def _names(text: str, data: table.Table, found: label.Label) -> list[str]:
    """Names of columns, separated by commas. Raises ModelError for one that is not there."""
    names = [text] if text in data.header else [each.strip() for each in text.split(",") if each.strip()]
    for name in names:
        if name not in data.header:
            raise ModelError(f"{data.name} has no column {name!r}. {table.near(name, data.header)}")
        if name == found.column:
            raise ModelError(f"{name!r} is the label: KEEP, DROP and PROTECTED are for the other columns.")
    return names


@contextmanager
def _removed_on_failure(target: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _indented(lines: Iterator[str] | Sequence[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]


def _say(*lines: str) -> None:
    print("\n".join(lines), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make new-model", description=__doc__)
    parser.add_argument("--data", default="", help="the table, CSV or Parquet")
    parser.add_argument("--label", default="", help="the column to learn")
    parser.add_argument("--name", default="", help="the new folder, and what the project may be called")
    parser.add_argument("--positive", default="", help="the value of the label that counts as 1")
    parser.add_argument("--keep", default="", help="columns to use although they look as if they should not be")
    parser.add_argument("--drop", default="", help="columns not to use")
    parser.add_argument("--protected", default="", help="columns for the bias report only, such as sex and age")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the new folder is made")
    return parser


if __name__ == "__main__":
    sys.exit(main())
