"""What the contract promises, whatever its columns are. Add what you know must be true of yours."""

from typing import Any

import features
import inference
import pandas as pd
import pytest
from claims_contract import FIELDS, IGNORED, LABEL
from conftest import ask, refusal
from fields import Category, Field, Number
from generate_claims import generate
from records import ContractError, read_csv, read_records

OPTIONAL = [field for field in FIELDS if not field.required]
NUMBERS = [field for field in FIELDS if isinstance(field, Number)]
CATEGORIES = [field for field in FIELDS if isinstance(field, Category)]
PROTECTED = [field for field in FIELDS if field.audit_only]


def name(field: Field) -> str:
    return field.name


def violations(records: pd.DataFrame, *, labelled: bool = True) -> list[str]:
    with pytest.raises(ContractError) as caught:
        read_csv(records.to_csv(index=False), labelled=labelled)
    return [str(violation) for violation in caught.value.violations]


def test_the_examples_keep_the_contract(claims: pd.DataFrame) -> None:
    typed = read_csv(claims.to_csv(index=False), labelled=True)

    pd.testing.assert_frame_equal(typed, claims, check_dtype=False)


def test_the_examples_are_the_same_every_time() -> None:
    pd.testing.assert_frame_equal(generate(500, seed=1), generate(500, seed=1))


def test_drifted_examples_keep_the_contract() -> None:
    drifted = generate(500, seed=1, drift=1.0)

    assert len(read_csv(drifted.to_csv(index=False), labelled=True)) == len(drifted)


def test_a_missing_label_column_is_named(claims: pd.DataFrame) -> None:
    [found] = violations(claims.drop(columns=LABEL.name))

    assert found.startswith(f"{LABEL.name} is missing from the header (label column: ")


def test_an_unknown_column_is_named(claims: pd.DataFrame) -> None:
    assert violations(claims.assign(**{"a new column": 42})) == ["a new column is not a column of the contract"]


def test_ignored_columns_are_welcome_and_not_read(claims: pd.DataFrame) -> None:
    with_more = claims.assign(**dict.fromkeys(IGNORED, "x"))

    assert list(read_csv(with_more.to_csv(index=False), labelled=True)) == list(claims)


@pytest.mark.parametrize("word", LABEL.words)
def test_the_label_may_be_written_as_the_table_has_it(word: str) -> None:
    assert LABEL.parse(word) == LABEL.words[word]


@pytest.mark.parametrize("field", NUMBERS, ids=name)
def test_a_number_beyond_the_range_is_named(claims: pd.DataFrame, field: Number) -> None:
    wrong = claims.head(3).astype(object)
    wrong.loc[1, field.name] = repr(field.maximum * 2 + 1)

    [found] = violations(wrong)
    assert found.startswith(f"record 1: {field.name} is ")


@pytest.mark.parametrize("field", CATEGORIES, ids=name)
def test_an_unknown_word_is_named(claims: pd.DataFrame, field: Category) -> None:
    wrong = claims.head(3).astype(object)
    wrong.loc[1, field.name] = "a word nobody knows"

    [found] = violations(wrong)
    assert found.startswith(f"record 1: {field.name} is 'a word nobody knows', expected one of ")


@pytest.mark.parametrize("field", FIELDS, ids=name)
def test_a_value_may_be_missing_only_where_the_contract_says_so(claims: pd.DataFrame, field: Field) -> None:
    with_gap = claims.head(3).astype(object)
    with_gap.loc[1, field.name] = None

    if field.required:
        assert violations(with_gap) == [f"record 1: {field.name} is missing"]
    else:
        typed = read_csv(with_gap.to_csv(index=False), labelled=True)
        assert bool(typed[field.name].isna()[1])


def test_protected_attributes_are_no_features_and_need_not_be_sent(
    claims: pd.DataFrame, records: list[dict[str, Any]]
) -> None:
    names = {field.name for field in PROTECTED}
    without = [{key: value for key, value in record.items() if key not in names} for record in records]

    assert len(read_records(without)) == len(records)
    nothing = claims.assign(**dict.fromkeys(names))
    pd.testing.assert_frame_equal(features.compute(claims), features.compute(nothing))


def test_every_other_column_is_a_feature(claims: pd.DataFrame) -> None:
    wanted = sum(len(each.values) if isinstance(each, Category) else 1 for each in FIELDS if not each.audit_only)

    assert features.compute(claims).shape == (len(claims), wanted)


def test_an_unknown_field_of_a_request_is_named(model: inference.ClaimModel, records: list[dict[str, Any]]) -> None:
    body = refusal(ask(model, {"records": [records[0], {**records[1], LABEL.name: 1}]}), 400)

    assert (body["record"], body["field"]) == (1, LABEL.name)
