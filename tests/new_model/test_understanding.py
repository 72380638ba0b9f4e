"""What each column is taken for."""

import ast
from pathlib import Path

import pytest

from new_model import columns, label, table

from .tables import churn, numeric, write

NO_RUNTIME = Path("nowhere")


def understood(file: Path, name: str, keep: tuple[str, ...] = ()) -> dict[str, columns.Column]:
    data = table.read(file, NO_RUNTIME)
    found = label.understand(data, name)
    return {each.name: each for each in columns.understand(data, name, found.classes, keep)}


def test_what_names_rows_is_not_used(tmp_path: Path) -> None:
    assert "names the row" in understood(numeric(tmp_path / "n.csv"), "target")["row"].dropped
    assert "names the row" in understood(churn(tmp_path / "c.csv"), "gekündigt?")["Kunden Nr"].dropped


def test_what_gives_the_label_away_is_not_used_unless_kept(tmp_path: Path) -> None:
    file = churn(tmp_path / "c.csv")

    assert "all but is the label" in understood(file, "gekündigt?")["why left"].dropped
    kept = understood(file, "gekündigt?", keep=("why left",))["why left"]
    assert not kept.dropped
    assert "all but is the label" in kept.doubt


def test_kinds_gaps_and_ranges_are_those_of_the_table(tmp_path: Path) -> None:
    found = understood(churn(tmp_path / "c.csv"), "gekündigt?")

    assert found["Tarif [neu]"].words == ("basic", "plus", "pro<")
    assert found["Tarif [neu]"].missing > 0
    assert (found["Anrufe, häufig"].kind, found["Anrufe, häufig"].least, found["Anrufe, häufig"].most) == (
        "integer", 0, 8,
    )  # fmt: skip
    assert "date" in found["since"].dropped
    assert "one value" in found["k"].dropped


def test_digits_after_a_zero_are_words(tmp_path: Path) -> None:
    rows = [[f"0{row % 3}1", row % 2] for row in range(200)]

    assert understood(write(tmp_path / "t.csv", ["postal", "y"], rows), "y")["postal"].kind == "category"


@pytest.mark.parametrize(
    ("values", "positive", "names", "words"),
    [
        (["0", "1"], "", ("0", "1"), {}),
        (["0.0", "1.0"], "", ("0", "1"), {}),
        (["-1", "1"], "", ("-1", "1"), {"-1": 0}),
        (["yes", "no"], "", ("no", "yes"), {"no": 0, "yes": 1}),
        (["True", "False"], "False", ("True", "False"), {"True": 0, "False": 1}),
        (["blue", "blue", "red"], "", ("blue", "red"), {"blue": 0, "red": 1}),
    ],
)
def test_the_class_that_counts_as_1(
    tmp_path: Path, values: list[str], positive: str, names: tuple[str, str], words: dict[str, int]
) -> None:
    file = write(tmp_path / "t.csv", ["x", "y"], [[row, value] for row, value in enumerate(values * 60)])

    found = label.understand(table.read(file, NO_RUNTIME), "y", positive)

    assert (found.names, dict(found.words)) == (names, words)
    assert found.classes[: len(values)] == [int(value.removesuffix(".0") == names[1]) for value in values]


def test_a_long_table_is_sampled_with_both_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_EXAMPLES", 1000)
    file = write(tmp_path / "t.csv", ["x", "y"], [[row, int(row % 20 == 0)] for row in range(10_000)])
    data = table.read(file, NO_RUNTIME)
    classes = label.understand(data, "y").classes

    chosen = table.sample(data, classes)

    assert chosen == table.sample(data, classes)
    assert sum(classes[row] for row in chosen) == table.FEWEST_OF_A_CLASS
    assert 1000 <= len(chosen) < 1200


def test_what_counts_as_missing_and_as_enough_is_what_the_seed_says() -> None:
    steps = Path(__file__).parents[2] / "build_repo" / "steps"
    said: dict[str, str] = {}
    for module in ("records", "preprocess"):
        for node in ast.parse((steps / f"{module}.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign):
                said[ast.unparse(node.targets[0])] = ast.unparse(node.value)

    assert said["FEWEST_PER_CLASS"] == str(label.FEWEST_PER_CLASS)
    assert ast.literal_eval(said["MISSING_SPELLINGS"].removeprefix("frozenset(")[:-1]) == table.MISSING_SPELLINGS
