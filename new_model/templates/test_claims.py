"""The golden records belong to one problem: they all have the same fields."""

import pytest

from deployment.expectations import Golden, golden_records

GOLDEN = golden_records()


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_a_golden_record_has_the_fields_of_the_others(golden: Golden) -> None:
    assert golden.record.keys() == GOLDEN[0].record.keys()
