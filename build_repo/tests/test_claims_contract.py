import pandas as pd
import pytest
from claims_contract import ContractError, read_csv, read_records


def violations(claims: pd.DataFrame, *, labelled: bool = True) -> list[str]:
    with pytest.raises(ContractError) as caught:
        read_csv(claims.to_csv(index=False), labelled=labelled)
    return [str(violation) for violation in caught.value.violations]


def test_generated_claims_keep_the_contract(claims: pd.DataFrame) -> None:
    typed = read_csv(claims.to_csv(index=False), labelled=True)

    pd.testing.assert_frame_equal(typed, claims, check_dtype=False)


def test_a_missing_label_column_is_named(claims: pd.DataFrame) -> None:
    found = violations(claims.drop(columns="fraud"))

    assert found == [
        "fraud is missing from the header (label column: 1 when the claim turned out to be fraudulent, else 0)"
    ]


def test_an_unknown_column_is_named(claims: pd.DataFrame) -> None:
    assert violations(claims.assign(shoe_size=42)) == ["shoe_size is not a column of the contract"]


def test_a_column_given_twice_is_named(claims: pd.DataFrame) -> None:
    text = claims.head(3).to_csv(index=False).replace("region", "channel", 1)

    with pytest.raises(ContractError, match="channel appears more than once"):
        read_csv(text, labelled=True)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("customer_age", "old", "is 'old', expected a number"),
        ("customer_age", "44.5", "is 44.5, expected a whole number"),
        ("customer_age", "7", "is 7, expected 16 to 120"),
        ("claim_amount", "inf", "is inf, expected 0 to 1e+07"),
        ("claim_type", "meteor", "is 'meteor', expected one of collision, theft, glass, weather"),
        ("fraud", "2", "is 2, expected 0 to 1"),
        ("prior_claims", "", "is missing"),
    ],
)
def test_a_wrong_value_is_named_with_its_record(claims: pd.DataFrame, field: str, value: str, problem: str) -> None:
    wrong = claims.head(3).astype(object)
    wrong.loc[1, field] = value

    assert violations(wrong) == [f"record 1: {field} {problem}"]


def test_a_report_delay_may_be_missing(claims: pd.DataFrame) -> None:
    some = claims.head(3).assign(report_delay_days=[1.5, None, 2.0])

    typed = read_csv(some.to_csv(index=False), labelled=True)

    assert typed["report_delay_days"].isna().tolist() == [False, True, False]


def test_the_protected_attribute_is_not_needed_for_scoring(records: list[dict[str, object]]) -> None:
    without = [{name: value for name, value in record.items() if name != "customer_sex"} for record in records]

    assert len(read_records(without)) == len(records)


def test_a_row_with_too_many_values_is_named(claims: pd.DataFrame) -> None:
    header, first, second = claims.head(2).to_csv(index=False).splitlines()

    with pytest.raises(ContractError, match="record 1: has 12 values, the header has 11"):
        read_csv("\n".join([header, first, f"{second},7"]), labelled=True)


def test_an_empty_file_is_refused(claims: pd.DataFrame) -> None:
    assert violations(claims.head(0)) == ["there are no records"]


def test_the_message_shows_the_first_problems_and_counts_all(claims: pd.DataFrame) -> None:
    with pytest.raises(ContractError) as caught:
        read_csv(claims.assign(region="moon").to_csv(index=False), labelled=True)

    assert str(caught.value).startswith("2000 problem(s), the first 10:\n  record 0: region is 'moon'")
    assert len(str(caught.value).splitlines()) == 11


@pytest.mark.parametrize("line_end", ["\r", "\r\n", "\n"])
def test_line_ends_of_every_system_and_a_byte_order_mark_are_welcome(claims: pd.DataFrame, line_end: str) -> None:
    text = "\ufeff" + claims.to_csv(index=False).replace("\n", line_end)
    assert len(read_csv(text, labelled=True)) == len(claims)


def test_what_is_no_csv_is_refused_as_such() -> None:
    with pytest.raises(ContractError, match="this is not a CSV table"):
        read_csv("customer_age\n" + "x" * 200_000, labelled=False)
