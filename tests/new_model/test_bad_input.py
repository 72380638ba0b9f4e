"""What no model can be made of is refused in one clear message, and leaves nothing behind."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from new_model import ModelError, golden, table
from new_model.__main__ import ROOT
from new_model.contract import Words
from new_model.golden import Scored
from new_model.repositories import image_python

from .tables import numeric, write

Refused = Callable[..., str]


def labelled(path: Path, labels: list[object]) -> Path:
    return write(path, ["x", "label"], [[row, value] for row, value in enumerate(labels)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty. Check how it was exported"),
        (b" \n", "is empty. Check how it was exported"),
        (b"x,label\n", "has a header and no rows"),
        (b"PK\x03\x04\xff", "neither Parquet nor UTF-8 text: it looks like an Excel workbook"),
        (b"x,label\n\xff,1\n", "neither Parquet nor UTF-8 text: byte 8 is 0xff"),
        (b"x,label\n\0,1\n", "is no text: it holds zero bytes"),
        (b"PAR1 and then nothing", "looks like Parquet, but cannot be read: "),
        (b"x;label\n1;0\n", "looks as if its columns were separated by semicolons"),
        (b"label\n1\n", "has one column only"),
        (b"x,label\n1,0,7\n", "row 1 after the header has 3 values, the header has 2"),
        (b"x,y,x,label\n1,2,3,0\n", "has more than one column named 'x'"),
        (b"x,label\n" + b"y" * 200_000, "is not a CSV table: field larger than field limit"),
        (",".join(f"c{n}" for n in range(501)).encode() + b"\n", "has 501 columns, more than the 500"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, refused: Refused, content: bytes, message: str) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(content)

    assert message in refused(data=file, label="label", folder=tmp_path)
    assert not (tmp_path / "mine").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, refused: Refused) -> None:
    assert refused(data=tmp_path / "none.csv", label="x").startswith(f"{tmp_path / 'none.csv'} is not a file.")


def test_a_huge_file_is_refused_before_it_is_read(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "LARGEST", 100)

    assert "that are read here. A sample of some" in refused(data=numeric(tmp_path / "n.csv"), label="target")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["yes"] * 200, "the label 'label' is yes in every row"),
        (["a", "b", "c"] * 70, "has 3 classes (a, b, c): this template tells two classes apart, multi-class models"),
        ([row / 7 for row in range(200)], "has 200 different numbers: predicting a number is regression"),
        (["yes", "", "no", "NA"] * 60, "is missing in 120 of 240 rows, first in row 2 after the header"),
        (["yes"] * 49 + ["no"] * 200, "only 49 of 249 rows have label=yes; at least 50 of each class are needed"),
        ([1, 2] * 100, "would have 2 as 1 and 1 as 0, but 0 and 1 must mean themselves"),
    ],
)
def test_a_label_that_is_not_two_classes_is_refused(
    tmp_path: Path, refused: Refused, labels: list[object], message: str
) -> None:
    assert message in refused(data=labelled(tmp_path / "t.csv", labels), label="label", folder=tmp_path)


def test_a_label_that_is_not_there_is_answered_with_the_nearest_names(tmp_path: Path, refused: Refused) -> None:
    file = numeric(tmp_path / "n.csv")

    assert "has no column 'Targte'. Did you mean 'target'?" in refused(data=file, label="Targte")
    assert "The columns are 'row', 'a', 'b', 'c', 'target'." in refused(data=file, label="something else")


def test_a_positive_value_that_the_label_does_not_have_is_refused(tmp_path: Path, refused: Refused) -> None:
    file = labelled(tmp_path / "t.csv", ["yes", "no"] * 100)

    assert refused(data=file, label="label", positive="ja") == (
        "POSITIVE=ja is no value of the label 'label', which has yes and no."
    )


@pytest.mark.parametrize("name", ["Mine", "1st", "a_b", "ends-", "x" * 33, "../up", "a b"])
def test_a_name_that_no_project_can_have_is_refused(tmp_path: Path, refused: Refused, name: str) -> None:
    assert "cannot be a project's name" in refused(data=tmp_path / "t.csv", label="x", name=name)


def test_what_is_not_set_is_named(refused: Refused) -> None:
    assert refused(data="", label="x").startswith("DATA is not set.")
    assert refused(data="t.csv", label="").startswith("LABEL is not set.")
    assert refused(data="t.csv", label="x", name="").startswith("NAME is not set.")


def test_a_folder_that_exists_is_left_as_it_is(tmp_path: Path, refused: Refused) -> None:
    kept = tmp_path / "mine" / "work.txt"
    kept.parent.mkdir()
    kept.write_text("of weeks")

    assert "exists already and is left as it is" in refused(data=tmp_path / "t.csv", label="x", folder=tmp_path)
    assert kept.read_text() == "of weeks"


def test_columns_named_in_options_must_be_there_and_usable(tmp_path: Path, refused: Refused) -> None:
    rows = [[f"id-{row}", row % 3, row % 2] for row in range(200)]
    file = write(tmp_path / "t.csv", ["name", "x", "label"], rows)

    assert "has no column 'nmae'. Did you mean 'name'?" in refused(data=file, label="label", keep="nmae")
    assert "'name' cannot be used, KEEP or not: 200 different words" in refused(data=file, label="label", keep="name")
    assert "'name' cannot be kept for the bias report" in refused(data=file, label="label", protected="name")
    assert "'label' is the label" in refused(data=file, label="label", drop="label")
    assert "no column is left to learn from" in refused(data=file, label="label", drop="x", folder=tmp_path)


def test_a_first_model_that_gives_one_answer_only_makes_no_golden_records() -> None:
    scored = [Scored({"x": row}, row % 2, 0.9) for row in range(100)]

    with pytest.raises(ModelError, match="decides no for 0 of 100 different records only: these columns do not tell"):
        golden.golden(scored, 0.5, Words("y_probability", ("no", "yes")))


def test_a_first_training_that_fails_leaves_nothing(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho out of memory\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("new_model.repositories.image_python", lambda _root: broken)

    said = refused(data=numeric(tmp_path / "n.csv"), label="target", folder=tmp_path)

    assert said == "the first training failed:\n  out of memory"
    assert not (tmp_path / "mine").exists()


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    file, parquet = numeric(tmp_path / "n.csv"), tmp_path / "n.parquet"
    code = "import sys, pandas; pandas.read_csv(sys.argv[1]).to_parquet(sys.argv[2])"
    python = image_python(ROOT)
    subprocess.run([python, "-c", code, file, parquet], check=True)

    assert table.read(parquet, python).rows == table.read(file, python).rows
