"""The comparison as a person reads it: a table for the terminal, a page with a picture, JSON for tools."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from deployment.compare.figures import Figure
from deployment.compare.verdict import BETTER, UNDECIDED, Comparison

WIDTH, ROW, LEFT, RIGHT = 760, 34, 190, 40  # of the picture, in pixels
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }}
table {{ border-collapse: collapse }} td, th {{ padding: .25em .9em .25em 0; text-align: left; vertical-align: top }}
td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums }} tr {{ border-bottom: 1px solid #ddd }}</style>
<h1>{title}</h1>
<p><strong>{verdict}</strong></p>
{sides}
{picture}
<table><tr><th></th><th class="n">champion</th><th class="n">challenger</th><th class="n">difference</th>
<th>95 % interval</th><th>method</th></tr>
{rows}
</table>
{remarks}
</html>
"""


@dataclass(frozen=True)
class Report:
    """A comparison, with what either side is called and how much was captured of it."""

    sides: tuple[str, str]
    captured: tuple[str, str]
    comparison: Comparison
    traffic: list[Figure]
    remarks: list[str]

    @property
    def figures(self) -> list[Figure]:
        return [*self.comparison.quality, *self.comparison.behaviour, *self.traffic]

    @property
    def verdict(self) -> str:
        """One sentence."""
        found = self.comparison
        if found.verdict == UNDECIDED:
            return f"Undecided: {found.because}."
        word = "better than" if found.verdict == BETTER else "worse than"
        return f"The challenger is {word} the champion: {found.because}."

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": self.verdict}


def text(report: Report) -> str:
    """For the terminal."""
    lines = []
    for role, name, captured in zip(("Champion  ", "Challenger"), report.sides, report.captured, strict=True):
        lines.append(f"{role}  {name}: {captured}")
    lines.append("")
    if report.figures:
        rows = [["", "champion", "challenger", "difference", "95 % interval", "method"]]
        rows += [_cells(figure) for figure in report.figures]
        if agreed := report.comparison.agreement:
            share = (
                f"both decide alike about {agreed.estimate:.1%} of the records ({agreed.low:.1%} to {agreed.high:.1%})"
            )
            lines += [f"Agreement: {share}, {agreed.method}.", ""]
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:5], widths[1:5], strict=True)]
            lines.append("  ".join([*cells, row[5]]).rstrip())
        lines.append("")
    lines += [f"- {remark}" for remark in report.remarks]
    lines += ["", report.verdict]
    return "\n".join(lines)


def _cells(figure: Figure) -> list[str]:
    difference = figure.difference
    values = [_number(figure.champion), _number(figure.challenger)]
    if difference is None:
        return [figure.name, *values, "", "", figure.why_not]
    interval = f"{difference.low:+.4f} to {difference.high:+.4f}"
    return [figure.name, *values, f"{difference.estimate:+.4f}", interval, difference.method]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def page(report: Report) -> str:
    """A page that needs nothing but itself."""
    title = f"{report.sides[1]} against {report.sides[0]}"
    names = zip(("Champion", "Challenger"), report.sides, report.captured, strict=True)
    cells = (_cells(figure) for figure in report.figures)
    return PAGE.format(
        title=escape(title),
        verdict=escape(report.verdict),
        sides="\n".join(f"<p>{role}: {escape(name)}<br>{escape(captured)}</p>" for role, name, captured in names),
        picture=_picture(report.figures),
        rows="\n".join(
            "<tr>"
            + "".join(
                f"<td{' class=n' if 0 < column < 4 else ''}>{escape(cell)}</td>" for column, cell in enumerate(row)
            )
            + "</tr>"
            for row in cells
        ),
        remarks="\n".join(f"<p>{escape(remark)}</p>" for remark in report.remarks),
    )


def _picture(figures: list[Figure]) -> str:
    """Each difference as a point with its interval, and the line of no difference."""
    shown = [(each.name, each.difference) for each in figures if each.difference]
    if not shown:
        return ""
    reach = max(max(abs(each.low), abs(each.high)) for _, each in shown) or 1.0
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    scale = (WIDTH - LEFT - RIGHT) / 2 / reach
    height = ROW * len(shown) + 40

    def parts() -> Iterator[str]:
        yield f'<line x1="{middle:.1f}" y1="5" x2="{middle:.1f}" y2="{height - 30}" stroke="#999"/>'
        for place, (name, each) in enumerate(shown):
            y = ROW * place + ROW / 2
            color = "#1a7f37" if each.is_above_zero else "#b42318" if each.is_below_zero else "#555"
            low, point, high = (middle + value * scale for value in (each.low, each.estimate, each.high))
            yield f'<text x="{LEFT - 14}" y="{y + 5:.1f}" text-anchor="end">{escape(name)}</text>'
            yield f'<line x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}" stroke="{color}" stroke-width="3"/>'
            yield f'<circle cx="{point:.1f}" cy="{y:.1f}" r="5" fill="{color}"/>'
        for value, anchor in ((-reach, LEFT), (0.0, middle), (reach, WIDTH - RIGHT)):
            yield f'<text x="{anchor:.1f}" y="{height - 10}" text-anchor="middle" fill="#555">{value:+.3f}</text>'

    said = "Differences, challenger minus champion, with their 95 % intervals"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" aria-label="{said}" '
        f'font-family="sans-serif" font-size="14"><title>{said}</title>{"".join(parts())}</svg>'
    )
