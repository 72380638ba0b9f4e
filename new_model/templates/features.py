"""Features: raw records in, numbers out. Training and serving both call `compute`, so they cannot differ.

A start: every number as it is, every word of a category as a column of its own. Add here what you know about the
problem, such as ratios, logarithms and differences. Fields marked `audit_only` in the contract never get here.
"""

from __future__ import annotations

import pandas as pd
from claims_contract import FIELDS
from fields import Category

# XGBoost refuses these in the name of a feature.
READABLE = str.maketrans("[]<", "()(")


def compute(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row of float32 features per record, always with the same columns in the same order.

    Missing numbers stay NaN: XGBoost learns which way they should go. A missing word is none of the words.
    """
    features: dict[str, pd.Series] = {}
    for field in FIELDS:
        if field.audit_only:
            continue
        if isinstance(field, Category):
            for value in field.values:
                features[_name(f"{field.name}={value}", features)] = records[field.name].eq(value)
        else:
            features[_name(field.name, features)] = records[field.name]
    return pd.DataFrame(features, index=records.index).astype("float32")


def _name(wanted: str, taken: dict[str, pd.Series]) -> str:
    name = wanted.translate(READABLE)
    while name in taken:
        name += "'"
    return name
