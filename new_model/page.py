"""What was understood, set and left to do: printed, and kept as MODEL.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from new_model.baseline import SHOWN, WEAK_AUC, Baseline
from new_model.columns import MOSTLY_MISSING, Column
from new_model.contract import Words, limits
from new_model.label import Label
from new_model.table import Table

SHOWN_COLUMNS = 40


def understood(table: Table, label: Label, columns: Sequence[Column]) -> Iterator[str]:
    """The table, a line a column."""
    yield f"{table.name}: {len(table.rows)} rows, {len(table.header)} columns"
    yield f"label {label.column}: {label.names[1]} is 1 ({label.why}), {label.names[0]} is 0; {label.share:.1%} are 1"
    yield ""
    width = max(6, *(len(column.name) for column in columns[:SHOWN_COLUMNS])) if columns else 6
    yield f"{'column':<{width}}  {'type':<9} {'missing':>7}  used as"
    for column in columns[:SHOWN_COLUMNS]:
        missing = f"{column.missing / len(table.rows):.1%}" if column.missing else "-"
        yield f"{column.name:<{width}}  {column.kind:<9} {missing:>7}  {_use(column)}"
    if len(columns) > SHOWN_COLUMNS:
        yield f"... and {len(columns) - SHOWN_COLUMNS} more: MODEL.md lists all"


def settings(baseline: Baseline, words: Words, examples: int, golden: int, bad: int) -> Iterator[str]:
    """What was set, and by what."""
    for name in SHOWN:
        value, deviation = baseline.metrics[name]
        least = f"  gate: at least {baseline.gate[name]:.2f}" if name in baseline.gate else ""
        yield f"{name:<16} {value:>7.3f} ± {deviation:.3f}{least}"
    yield f'answer: {{"{words.probability}": 0.12, "decision": "{words.decisions[0]}" or "{words.decisions[1]}"}}'
    yield f"{examples} examples, {golden} golden records, {bad} bad requests for the tests of the staging endpoint"


def doubts(table: Table, label: Label, columns: Sequence[Column], baseline: Baseline) -> Iterator[str]:
    """What a person should look at."""
    yield (
        "steps/examples.csv and the golden records are rows of your table: whoever reads the repositories reads them."
    )
    for column in columns:
        if column.doubt:
            yield f"{column.name} is used because KEEP says so, although {column.doubt.split('?')[0]}."
        elif not column.dropped and column.missing > MOSTLY_MISSING * len(table.rows):
            yield f"{column.name} is missing in more than half of the rows."
    dropped = [column.name for column in columns if column.dropped]
    if dropped:
        yield f"Not used: {', '.join(dropped)}. Tables may have them; no request may."
    if not any(column.protected for column in columns):
        yield "No protected attribute was named, so bias.json is empty: PROTECTED=sex,age keeps such columns for it."
    if baseline.metrics["auc"][0] < WEAK_AUC:
        yield "The first model is hardly better than chance (AUC): do these columns have to do with the label?"
    if label.words:
        yield "Values of the label beside those of the table are refused; 0 and 1 are understood too."
    yield "Requests with a word or number outside steps/claims_contract.py are refused: widen what is too narrow."


def markdown(name: str, parts: Sequence[tuple[str, Sequence[str]]], columns: Sequence[Column], table: Table) -> str:
    """MODEL.md."""
    lines = [f"# {name}", ""]
    for title, content in parts:
        lines += [f"## {title}", "", *(f"- {each}" for each in content), ""]
    lines += ["## Columns", "", "| column | type | missing | used as |", "|---|---|---|---|"]
    for column in columns:
        cells = (column.name, column.kind, f"{column.missing / len(table.rows):.1%}", _use(column))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _use(column: Column) -> str:
    if column.dropped:
        return f"not used: {column.dropped}"
    if column.protected:
        return "protected: for the bias report only"
    if column.kind == "category":
        return f"{len(column.words)} words, each a feature"
    least, most = limits(column)
    return f"feature, {least:g} to {most:g} allowed"
