"""Describe a table of claims in the two JSON formats of SageMaker Model Monitor.

Formats: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html
         https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-constraints.html
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

BUCKETS = 10
SKETCH_SIZE = 2048  # values kept per column to compare distributions with later


def statistics(claims: pd.DataFrame) -> dict[str, Any]:
    """Counts, moments and distributions of every column."""
    return {
        "version": 0.0,
        "dataset": {"item_count": len(claims)},
        "features": [
            _numerical_statistics(column) if _is_numerical(column) else _string_statistics(column)
            for _, column in claims.items()
        ],
    }


def constraints(claims: pd.DataFrame) -> dict[str, Any]:
    """What a later batch of claims may be held to: types, completeness, sign and known words."""
    return {
        "version": 0.0,
        "features": [_constraint(column) for _, column in claims.items()],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": 0.1,
                "comparison_method": "Robust",
                "categorical_comparison_threshold": 0.1,
                "categorical_drift_method": "LInfinity",
            },
        },
    }


def _is_numerical(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def _inferred_type(column: pd.Series) -> str:
    if not _is_numerical(column):
        return "String"
    present = column.dropna()
    return "Integral" if bool((present == present.round()).all()) else "Fractional"


def _common(column: pd.Series) -> dict[str, int]:
    present = int(column.notna().sum())
    return {"num_present": present, "num_missing": len(column) - present}


def _numerical_statistics(column: pd.Series) -> dict[str, Any]:
    values = column.dropna().astype(float)
    counts, edges = np.histogram(values, bins=BUCKETS)
    sketch = values.sample(min(len(values), SKETCH_SIZE), random_state=0).sort_values()
    buckets = [
        {"lower_bound": float(low), "upper_bound": float(high), "count": float(count)}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return {
        "name": column.name,
        "inferred_type": _inferred_type(column),
        "numerical_statistics": {
            "common": _common(column),
            "mean": float(values.mean()),
            "sum": float(values.sum()),
            "std_dev": float(values.std(ddof=0)),
            "min": float(values.min()),
            "max": float(values.max()),
            "distribution": {
                "kll": {
                    "buckets": buckets,
                    "sketch": {"parameters": {"c": 0.64, "k": float(SKETCH_SIZE)}, "data": [sketch.tolist()]},
                }
            },
        },
    }


def _string_statistics(column: pd.Series) -> dict[str, Any]:
    counts = column.dropna().astype(str).value_counts().sort_index()
    return {
        "name": column.name,
        "inferred_type": "String",
        "string_statistics": {
            "common": _common(column),
            "distinct_count": float(len(counts)),
            "distribution": {
                "categorical": {"buckets": [{"value": value, "count": int(count)} for value, count in counts.items()]}
            },
        },
    }


def _constraint(column: pd.Series) -> dict[str, Any]:
    constraint: dict[str, Any] = {
        "name": column.name,
        "inferred_type": _inferred_type(column),
        "completeness": float(column.notna().mean()),
    }
    if _is_numerical(column):
        constraint["num_constraints"] = {"is_non_negative": bool((column.dropna() >= 0).all())}
    else:
        constraint["string_constraints"] = {"domains": sorted(column.dropna().astype(str).unique())}
    return constraint
