"""The pictures an approver looks at. PNG, readable at half size, no colour that carries meaning alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display in a container

import matplotlib.pyplot as plt
import numpy as np
from claims_contract import DECISIONS, OUTCOMES, RECORDS, TRUTHS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

INK, MUTED, ACCENT, PALE = "#1f2933", "#7b8794", "#2563a8", "#dbe7f3"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def lift_chart(labels: NDArray[Any], probabilities: NDArray[Any], path: Path) -> None:
    """Lift of every decile, most suspicious first; the dashed line is choosing at random."""
    ranked = labels[np.argsort(-probabilities, kind="stable")]
    share = max(float(labels.mean()), 1e-12)
    lifts = [float(decile.mean()) / share for decile in np.array_split(ranked, 10)]
    title = f"Where the {TRUTHS[1]} {RECORDS} are"
    figure, axes = _figure(title, f"Lift per tenth of the {RECORDS}, most suspicious first")
    bars = axes.bar(range(1, 11), lifts, color=[ACCENT] + [PALE] * 9, edgecolor=ACCENT, linewidth=0.8, width=0.78)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    axes.axhline(1, color=MUTED, linestyle="--", linewidth=1, zorder=0)
    axes.bar_label(bars, labels=[f"{lift:.1f}×" for lift in lifts], padding=4, fontsize=10, bbox=paper)
    axes.annotate("at random", (10.5, 1), (0, 5), textcoords="offset points", color=MUTED, ha="right", fontsize=9.5)
    axes.set_xticks(range(1, 11))
    axes.set_xlabel(f"Tenth of the {RECORDS}, by probability")
    axes.set_ylabel("Lift (times the average share)")
    axes.set_ylim(0, max(*lifts, 1.5) * 1.15)
    _save(figure, path)


def confusion_chart(confusion: tuple[int, int, int, int], path: Path) -> None:
    """The four outcomes with counts and the share of their row. `confusion` is (tn, fp, fn, tp)."""
    table = np.array(confusion, dtype=float).reshape(2, 2)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(f"What happened to the test {RECORDS}", "Counts, and share of the row")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for row in range(2):
        for column in range(2):
            ink = "white" if shares[row, column] > 0.6 else INK
            centre: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
            axes.text(column, row - 0.16, f"{int(table[row, column]):,}", fontsize=24, weight="bold", **centre)
            axes.text(column, row + 0.10, f"{shares[row, column]:.1%}", fontsize=12, **centre)
            axes.text(column, row + 0.27, OUTCOMES[row][column], fontsize=10.5, **centre)
    axes.set_xticks([0, 1], DECISIONS)
    axes.set_yticks([0, 1], TRUTHS, rotation=90, va="center")
    axes.set_xlabel("Decision of the model")
    axes.set_ylabel("Truth")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _save(figure, path)


def importance_chart(importance: dict[str, float], path: Path, shown: int = 12) -> None:
    """The features that move the probability most, by mean absolute contribution."""
    strongest = sorted(importance.items(), key=lambda item: item[1])[-shown:]
    names, values = [name for name, _ in strongest], [value for _, value in strongest]
    figure, axes = _figure("What the model looks at", "Mean absolute contribution to the log-odds")
    bars = axes.barh(names, values, color=ACCENT, height=0.7)
    axes.bar_label(bars, labels=[f"{value:.2f}" for value in values], padding=4, fontsize=10)
    axes.set_xlim(0, max(*values, 1e-9) * 1.12)
    axes.tick_params(axis="y", length=0)
    _save(figure, path)


def _figure(title: str, subtitle: str) -> tuple[Figure, Axes]:
    plt.rcParams.update(STYLE)
    figure, axes = plt.subplots(figsize=(8, 5), dpi=120, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15))
    axes.set_title(title, loc="left", pad=28, fontsize=15, weight="bold")
    axes.text(0, 1.035, subtitle, transform=axes.transAxes, fontsize=10.5, color=MUTED)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    # Without a date in the file the same evaluation is the same bytes.
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
