"""Whether groups of customers are treated alike.

The report has the format of SageMaker Clarify's bias analysis, which the Model Registry shows:
https://docs.aws.amazon.com/sagemaker/latest/dg/clarify-measure-post-training-bias.html
Being investigated is the *unfavourable* outcome here: a disparate impact above 1 burdens the group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from numpy.typing import NDArray

AGE_BANDS = {"under 30": (0, 30), "30 to 59": (30, 60), "60 and over": (60, 200)}

DESCRIPTIONS = {
    "GroupSize": "Claims of this group in the test set",
    "SelectionRate": "Share of the group's claims sent to investigation",
    "TPR": "Share of the group's fraudulent claims that are investigated (recall)",
    "DI": "Disparate impact: the group's selection rate divided by everybody else's; 1 means equal",
    "DPPL": "Difference in selection rates: everybody else's minus the group's; 0 means equal",
    "RD": "Recall difference: everybody else's TPR minus the group's; 0 means equal",
    "AD": "Accuracy difference: everybody else's minus the group's; 0 means equal",
}


def groups(claims: pd.DataFrame) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield facet, group and the mask of its claims. Add the groups you must answer for here."""
    for sex in sorted(claims["customer_sex"].dropna().unique()):
        yield "customer_sex", str(sex), claims["customer_sex"].eq(sex).to_numpy()
    for band, (lowest, below) in AGE_BANDS.items():
        yield (
            "age_band",
            band,
            claims["customer_age"].ge(lowest).to_numpy() & claims["customer_age"].lt(below).to_numpy(),
        )


def group_measures(labels: NDArray[Any], decisions: NDArray[Any], inside: NDArray[Any]) -> dict[str, float | None]:
    """Compare the claims inside a group with all others; None where a rate has no denominator."""
    selected, selected_elsewhere = _mean(decisions[inside]), _mean(decisions[~inside])
    recall, recall_elsewhere = _mean(decisions[inside & (labels == 1)]), _mean(decisions[~inside & (labels == 1)])
    correct = labels == decisions
    return {
        "GroupSize": float(inside.sum()),
        "SelectionRate": selected,
        "TPR": recall,
        "DI": selected / selected_elsewhere if selected is not None and selected_elsewhere else None,
        "DPPL": _difference(selected_elsewhere, selected),
        "RD": _difference(recall_elsewhere, recall),
        "AD": _difference(_mean(correct[~inside]), _mean(correct[inside])),
    }


def bias(claims: pd.DataFrame, labels: NDArray[Any], decisions: NDArray[Any]) -> dict[str, Any]:
    """The bias report over all groups that occur in the claims."""
    facets: dict[str, list[dict[str, Any]]] = {}
    for facet, group, inside in groups(claims):
        if not inside.any():
            continue
        measures = group_measures(labels, decisions, inside)
        facets.setdefault(facet, []).append(
            {
                "value_or_threshold": group,
                "metrics": [
                    {"name": name, "description": DESCRIPTIONS[name], "value": value}
                    for name, value in measures.items()
                ],
            }
        )
    report = {"label": "fraud", "label_value_or_threshold": "1", "facets": facets}
    return {"version": "1.0", "post_training_bias_metrics": report}


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _difference(elsewhere: float | None, here: float | None) -> float | None:
    return None if elsewhere is None or here is None else elsewhere - here
