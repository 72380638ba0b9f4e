"""Synthetic insurance claims, so that the first run needs no data of yours.

The same `rows`, `seed` and `drift` always give the same file. About one claim in ten is fraudulent. Fraud depends on
things an investigator would look at (theft, a young policy, a large amount, late reporting, no police report, earlier
claims) and on chance, so no model can be perfect. Region and sex have no influence.

`drift` moves the population the way a market does over time: 0 is the population the model was trained on, 1 has older
customers, larger amounts, more thefts and fraudsters who report on time. Use it to see drift detection and retraining:

    python steps/generate_claims.py --rows 5000 --seed 99 --drift 1 claims-next-year.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from claims_contract import FIELDS, LABEL
from numpy.typing import NDArray

MISSING_DELAYS = 0.03  # share of claims whose report delay nobody wrote down


def generate(rows: int, seed: int = 7, drift: float = 0.0) -> pd.DataFrame:
    """Return `rows` labelled claims with the columns of the contract, label first."""
    random = np.random.default_rng(seed)
    claims = _population(random, rows, drift)
    probability = 1 / (1 + np.exp(-_suspicion(claims, drift)))
    claims[LABEL.name] = (random.random(rows) < probability).astype(int)
    claims.loc[random.random(rows) < MISSING_DELAYS, "report_delay_days"] = np.nan
    return claims[[LABEL.name, *(field.name for field in FIELDS)]]


def _population(random: np.random.Generator, rows: int, drift: float) -> pd.DataFrame:
    thefts = np.clip(0.15 + 0.10 * drift, 0, 0.5)
    return pd.DataFrame(
        {
            "customer_age": np.clip(random.normal(44 + 6 * drift, 14, rows), 18, 95).round().astype(int),
            "months_as_customer": np.clip(random.gamma(2.0, 30, rows), 0, 480).round().astype(int),
            "claim_type": random.choice(
                ["collision", "theft", "glass", "weather"], rows, p=[0.60 - thefts, thefts, 0.22, 0.18]
            ),
            "channel": random.choice(["agent", "broker", "web"], rows, p=[0.5, 0.3, 0.2]),
            "region": random.choice(["north", "south", "east", "west"], rows),
            "customer_sex": random.choice(["F", "M"], rows),
            "claim_amount": np.exp(random.normal(7.6 + 0.25 * drift, 0.8, rows)).round(2),
            "prior_claims": random.poisson(0.6, rows),
            "police_report": (random.random(rows) < 0.6).astype(int),
            "report_delay_days": random.gamma(1.5, 4.0, rows).round(1),
        }
    )


def _suspicion(claims: pd.DataFrame, drift: float) -> NDArray[Any]:
    """Log-odds of fraud. Two interactions are what a tree finds and a scorecard misses."""
    theft = claims["claim_type"].eq("theft").to_numpy()
    glass = claims["claim_type"].eq("glass").to_numpy()
    young_policy = claims["months_as_customer"].lt(18).to_numpy()
    unreported = claims["police_report"].eq(0).to_numpy()
    amount = np.log(claims["claim_amount"].to_numpy() / 2000)
    delay = claims["report_delay_days"].to_numpy()
    score = (
        -7.2
        + 2.0 * theft
        - 2.0 * glass
        + 2.4 * (theft & unreported)
        + 2.2 * young_policy
        + 1.3 * amount
        + 1.4 * (young_policy & (amount > 0.5))
        + 0.28 * (1 - 0.5 * drift) * delay
        + 1.0 * claims["prior_claims"].to_numpy()
        + 0.9 * claims["channel"].eq("web").to_numpy()
        + 0.7 * unreported
    )
    return np.asarray(1.2 * score, dtype=float)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write synthetic insurance claims to a CSV file.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--drift", type=float, default=0.0, help="0: the training population, 1: a changed market")
    arguments = parser.parse_args()
    claims = generate(arguments.rows, arguments.seed, arguments.drift)
    claims.to_csv(arguments.output, index=False)
    print(f"{arguments.output}: {len(claims)} claims, {claims[LABEL.name].mean():.1%} fraudulent")


if __name__ == "__main__":
    main()
