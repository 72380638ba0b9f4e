"""The golden records as claims: all that knows of claims here, besides the JSON files in test/."""

import pytest

from deployment.expectations import Golden, golden_records

FIELDS: dict[str, tuple[type, ...] | set[str]] = {
    "customer_age": (int,),
    "months_as_customer": (int,),
    "claim_type": {"collision", "theft", "glass", "weather"},
    "channel": {"agent", "broker", "web"},
    "region": {"north", "south", "east", "west"},
    "customer_sex": {"F", "M"},
    "claim_amount": (float,),
    "prior_claims": (int,),
    "police_report": (int,),
    "report_delay_days": (float, type(None)),
}
MAY_BE_LEFT_OUT = {"customer_sex", "report_delay_days"}


@pytest.mark.parametrize("golden", golden_records(), ids=lambda golden: golden.name)
def test_a_golden_record_is_a_claim(golden: Golden) -> None:
    assert FIELDS.keys() - MAY_BE_LEFT_OUT <= golden.record.keys() <= FIELDS.keys()
    for name, value in golden.record.items():
        allowed = FIELDS[name]
        assert value in allowed if isinstance(allowed, set) else isinstance(value, allowed), name
