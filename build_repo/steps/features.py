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
    customer_for, amount = claims["months_as_customer"], claims["claim_amount"]
    features = {
        "customer_age": claims["customer_age"],
        "months_as_customer": customer_for,
        "log_claim_amount": np.log1p(amount),
        "amount_per_month_as_customer": amount / (customer_for + 1),
        "prior_claims": claims["prior_claims"],
        "prior_claims_per_year": claims["prior_claims"] / (customer_for / 12 + 1),
        "police_report": claims["police_report"],
        "report_delay_days": claims["report_delay_days"],
    }
    for field in FIELDS:
        if isinstance(field, Category) and not field.audit_only:
            for value in field.values:
                features[f"{field.name}={value}"] = claims[field.name].eq(value)
    # One array, not a data frame that grows column by column: an endpoint computes them for one claim at a time.
    columns = [column.to_numpy(dtype="float32") for column in features.values()]
    return pd.DataFrame(np.column_stack(columns), index=claims.index, columns=list(features))
