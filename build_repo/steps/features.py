"""Features: raw claims in, numbers out. Training and serving both call `compute`, so they cannot differ.

Fields marked `audit_only` in the contract never get here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from claims_contract import FIELDS
from fields import Category


def compute(claims: pd.DataFrame) -> pd.DataFrame:
    """Return one row of float32 features per claim, always with the same columns in the same order.

    Missing report delays stay NaN: XGBoost learns which way they should go.
    """
    features = pd.DataFrame(index=claims.index)
    features["customer_age"] = claims["customer_age"]
    features["months_as_customer"] = claims["months_as_customer"]
    features["log_claim_amount"] = np.log1p(claims["claim_amount"])
    features["amount_per_month_as_customer"] = claims["claim_amount"] / (claims["months_as_customer"] + 1)
    features["prior_claims"] = claims["prior_claims"]
    features["prior_claims_per_year"] = claims["prior_claims"] / (claims["months_as_customer"] / 12 + 1)
    features["police_report"] = claims["police_report"]
    features["report_delay_days"] = claims["report_delay_days"]
    for field in FIELDS:
        if isinstance(field, Category) and not field.audit_only:
            for value in field.values:
                features[f"{field.name}={value}"] = claims[field.name].eq(value)
    return features.astype("float32")
