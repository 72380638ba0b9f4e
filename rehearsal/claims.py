"""Two claims that no test of the seeds holds: one to be looked at, one to be paid."""

SUSPICIOUS = {
    "customer_age": 31, "months_as_customer": 3, "claim_type": "theft", "channel": "web", "region": "south",
    "customer_sex": "M", "claim_amount": 12500.0, "prior_claims": 4, "police_report": 0, "report_delay_days": 21.0,
}  # fmt: skip
HARMLESS = {
    "customer_age": 58, "months_as_customer": 210, "claim_type": "glass", "channel": "agent", "region": "north",
    "customer_sex": "F", "claim_amount": 420.0, "prior_claims": 0, "police_report": 1, "report_delay_days": 1.0,
}  # fmt: skip
