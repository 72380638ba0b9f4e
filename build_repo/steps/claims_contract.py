"""The data contract: what a claim looks like. This is the one place to change when the problem changes.

Everything that reads claims (preprocessing, training, serving, the synthetic generator) goes through `FIELDS` and
`LABEL`, so a new column, a new category or a wider range is one edited line here. What the endpoint answers, and the
words of reports and pictures, stand here too.
"""

from __future__ import annotations

from fields import Category, Field, Integer, Label, Number

LABEL = Label("fraud", "1 when the claim turned out to be fraudulent, else 0")

FIELDS: tuple[Field, ...] = (
    Integer("customer_age", "age of the policy holder in years", minimum=16, maximum=120),
    Integer("months_as_customer", "months since the first policy", minimum=0, maximum=1200),
    Category("claim_type", "what happened", values=("collision", "theft", "glass", "weather")),
    Category("channel", "how the policy was sold", values=("agent", "broker", "web")),
    Category("region", "where the policy holder lives", values=("north", "south", "east", "west")),
    Category("customer_sex", "protected attribute, for the bias report", audit_only=True, values=("F", "M")),
    Number("claim_amount", "amount claimed", minimum=0, maximum=10_000_000),
    Integer("prior_claims", "claims in the five years before", minimum=0, maximum=100),
    Integer("police_report", "1 when the police took a report", minimum=0, maximum=1),
    Number("report_delay_days", "days between event and claim", required=False, minimum=0, maximum=3650),
)

# Columns that a CSV table may have and nothing reads, such as a number that only names the claim.
IGNORED: tuple[str, ...] = ()

# Groups by a number, for the bias report: facet, the column, and each band from its first number on to below its last.
# Groups by a word need no entry: every `audit_only` category is a facet.
BANDS: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "age_band": ("customer_age", {"under 30": (0, 30), "30 to 59": (30, 60), "60 and over": (60, 200)}),
}

# --- words ----------------------------------------------------------------------------------------------------------
# Of the endpoint's answer: {"fraud_probability": 0.12, "decision": "pay"}. test/answer.json of the deploy repository
# holds the same.
PROBABILITY = "fraud_probability"
DECISIONS = ("pay", "investigate")  # below the model's threshold, and from it on
# Of reports and pictures.
RECORDS = "claims"
TRUTHS = ("honest", "fraudulent")  # label 0, label 1
OUTCOMES = (("paid, rightly", "investigated in vain"), ("fraud missed", "fraud caught"))  # by truth, then by decision
