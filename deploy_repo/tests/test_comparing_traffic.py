"""`make compare` tells whether a challenger is better, as far as captures and outcomes can tell it, and no further."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deployment.compare import __main__ as verb
from deployment.compare import captures
from deployment.errors import RefusedError
from project_tools.project import Project

from .captured import WORDS, captured, line, model, outcomes, truths, written

LABELS = truths(160)


def nobody(service: str) -> Any:
    """A client of no service: what these tests compare is on this machine."""
    return service


def project() -> Project:
    raise AssertionError("folders were named: no project is asked")


def compare(tmp_path: Path, *more: str) -> dict[str, Any]:
    """What `make compare ARGS=--json` tells of the folders `champion` and `challenger`."""
    sides = ["--champion", str(tmp_path / "champion"), "--challenger", str(tmp_path / "challenger")]
    document: dict[str, Any] = json.loads(
        verb.main([*sides, "--json", *more], project, nobody, tmp_path / "exports" / "compare.html")
    )
    return document


def difference(document: dict[str, Any], name: str, part: str = "quality") -> dict[str, Any]:
    [found] = [each for each in document["comparison"][part] if each["name"] == name]
    return found["difference"] or {}


def apart(tmp_path: Path, champion: float, challenger: float, labels: Sequence[int] = LABELS) -> str:
    """Two models of such skills, each asked about claims of its own; answers the file of outcomes."""
    written(tmp_path / "champion", model(labels, champion, "a", seed=1))
    written(tmp_path / "challenger", model(labels, challenger, "b", seed=2))
    outcomes(tmp_path / "outcomes.csv", labels, "a")
    return outcomes(tmp_path / "outcomes.csv", labels, "b")


# ---- with outcomes


@pytest.mark.parametrize(("champion", "challenger", "verdict"), [(0.2, 0.4, "better"), (0.4, 0.2, "worse")])
@pytest.mark.parametrize("metric", ["auc", "accuracy"])
def test_a_challenger_that_is_better_or_worse_is_called_so(
    tmp_path: Path, champion: float, challenger: float, verdict: str, metric: str
) -> None:
    told = compare(tmp_path, "--labels", apart(tmp_path, champion, challenger), "--metric", metric)
    assert told["comparison"]["verdict"] == verdict
    found = difference(told, metric)
    assert found["low"] <= found["estimate"] <= found["high"]
    assert (found["low"] > 0) == (verdict == "better")
    assert f"{verdict} than the champion" in told["sentence"]


def test_between_equals_nothing_is_decided_and_the_number_that_would_is_named(tmp_path: Path) -> None:
    told = compare(tmp_path, "--labels", apart(tmp_path, 0.3, 0.3), "--metric", "accuracy")
    assert told["comparison"]["verdict"] == "undecided"
    assert "both signs are possible; about" in told["sentence"]


def paired(tmp_path: Path) -> str:
    """A challenger that differs from the champion in some claims only, always for the better."""
    champion = model(LABELS, 0.2, "a", seed=1)
    for place, each in enumerate(champion):
        each["eventMetadata"]["inferenceId"] = f"claim-{place}"
    challenger = json.loads(json.dumps(champion))
    for place, (each, label) in enumerate(zip(challenger, LABELS, strict=True)):
        each["eventMetadata"]["eventId"] = f"b{place}"
        if place % 8 == 0:
            right = {WORDS.probability: float(label), "decision": WORDS.decisions[label]}
            each["captureData"]["endpointOutput"]["data"] = json.dumps({"predictions": [right]})
    written(tmp_path / "champion", champion)
    written(tmp_path / "challenger", reversed(challenger))
    return outcomes(tmp_path / "outcomes.csv", LABELS, "claim-", "inferenceId")


@pytest.mark.parametrize("metric", ["accuracy", "auc", "recall", "precision"])
def test_pair_by_pair_a_difference_shows_that_is_lost_between_groups(tmp_path: Path, metric: str) -> None:
    labels = paired(tmp_path)
    apart = difference(compare(tmp_path, "--labels", labels, "--metric", metric), metric)
    pairwise = compare(tmp_path, "--labels", labels, "--metric", metric, "--paired")
    assert pairwise["comparison"]["compared"] == [160, 160]
    found = difference(pairwise, metric)
    assert found["estimate"] == pytest.approx(apart["estimate"])
    assert found["high"] - found["low"] < apart["high"] - apart["low"]
    assert pairwise["comparison"]["agreement"]["estimate"] > 0.85


def test_the_challengers_own_event_ids_name_the_outcome_of_a_pair_as_well(tmp_path: Path) -> None:
    paired(tmp_path)
    by_event = outcomes(tmp_path / "events.csv", LABELS, "b")
    told = compare(tmp_path, "--labels", by_event, "--paired", "--metric", "accuracy")
    assert told["comparison"]["labelled"] == [160, 160]
    assert told["comparison"]["verdict"] == "better"


def test_copies_without_an_inference_id_are_paired_by_their_request(tmp_path: Path) -> None:
    for side in ("champion", "challenger"):
        lines = [line(0.4, event=f"{side}-{place}", claim=str(place)) for place in range(40)]
        written(tmp_path / side, lines[: 40 if side == "champion" else 35])
    told = compare(tmp_path, "--paired")
    assert told["comparison"]["compared"] == [35, 35]


def test_ids_that_only_one_side_has_or_that_repeat_leave_no_copy_without_its_pair(tmp_path: Path) -> None:
    """A shadow's copies may come without the id; and one id may have been given to every request of a caller."""
    ids = {"champion": "a caller", "challenger": ""}
    for side, inference in ids.items():
        lines = [
            line(place / 100, event=f"{side}-{place}", claim=str(place), inference=inference if place % 2 else "same")
            for place in range(40)
        ]
        written(tmp_path / side, lines if side == "champion" else reversed(lines))
    told = compare(tmp_path, "--paired")
    assert told["comparison"]["compared"] == [40, 40]
    assert difference(told, "mean score", "behaviour")["high"] == 0.0  # each with its own copy


@pytest.mark.parametrize(
    ("header", "row"), [("claim_number", "{0}"), ("eventId,record", "a{0},0"), ("claim_number,kind", "{0},theft")]
)
def test_outcomes_meet_answers_by_whatever_names_the_record(tmp_path: Path, header: str, row: str) -> None:
    for side, prefix in (("champion", "a"), ("challenger", "b")):
        written(
            tmp_path / side,
            [
                captured(
                    {"records": [{"claim_number": place, "kind": "theft"}]},
                    {"predictions": [{WORDS.probability: 0.9, "decision": WORDS.decisions[1]}]},
                    event=f"{prefix}{place}",
                )
                for place in range(30)
            ],
        )
    rows = [f"{row.format(place)},1" for place in range(30)]
    (tmp_path / "o.csv").write_text("\n".join([f"{header},label", *rows]), encoding="utf-8")
    told = compare(tmp_path, "--labels", str(tmp_path / "o.csv"), "--metric", "recall")
    assert told["comparison"]["labelled"][0] == 30
    if "claim_number" in header:
        assert difference(told, "recall")["estimate"] == 0.0


def test_an_answer_without_an_id_gets_no_label(tmp_path: Path) -> None:
    for side in ("champion", "challenger"):
        ids = [f"{side}-{place}" if place < 30 else "" for place in range(50)]
        written(tmp_path / side, [line(0.5, event=f"e{place}", inference=each) for place, each in enumerate(ids)])
        outcomes(tmp_path / "o.csv", [1] * 30, f"{side}-", "inferenceId")
    told = compare(tmp_path, "--labels", str(tmp_path / "o.csv"))
    assert told["comparison"]["labelled"] == [30, 30]
    assert "40 answers got no outcome: they have no inferenceId" in told["remarks"]


def test_ids_that_look_like_numbers_meet_their_outcome(tmp_path: Path) -> None:
    for side in ("champion", "challenger"):
        written(tmp_path / side, [line(0.5, event="e", inference=f"{place}.0") for place in range(30)])
    told = compare(tmp_path, "--labels", outcomes(tmp_path / "o.csv", [1] * 30, "", "inferenceId"))
    assert told["comparison"]["labelled"] == [30, 30]


def test_outcomes_may_be_json_lines(tmp_path: Path) -> None:
    apart(tmp_path, 0.3, 0.3)
    rows = [{"eventId": f"{side}{place}", "label": bool(label)} for side in "ab" for place, label in enumerate(LABELS)]
    path = tmp_path / "outcomes.jsonl"
    path.write_text("\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert compare(tmp_path, "--labels", str(path))["comparison"]["labelled"] == [160, 160]


# ---- without them, or with too little


def test_without_outcomes_it_says_that_quality_cannot_be_told_and_tells_how_the_answers_differ(tmp_path: Path) -> None:
    apart(tmp_path, 0.3, 0.9)
    told = compare(tmp_path)
    assert told["comparison"]["verdict"] == "undecided"
    assert "whose answers are right cannot be told without outcomes" in told["sentence"]
    assert told["comparison"]["quality"] == []
    assert difference(told, "share flagged", "behaviour")["method"] == "Newcombe 1998, hybrid score"
    assert difference(told, "mean score", "behaviour")["low"] < 0


@pytest.mark.parametrize("labelled", [0, 29])
def test_a_handful_of_outcomes_decides_nothing(tmp_path: Path, labelled: int) -> None:
    apart(tmp_path, 0.1, 1.0)
    few = outcomes(tmp_path / "few.csv", LABELS[:labelled] or [1], "b" if labelled else "nobody-")
    told = compare(tmp_path, "--labels", few)
    assert told["comparison"]["verdict"] == "undecided"
    assert f"{labelled} of the challenger's captured answers are known: it takes 30" in told["sentence"]


def test_a_handful_of_answers_decides_nothing(tmp_path: Path) -> None:
    told = compare(tmp_path, "--labels", apart(tmp_path, 0.1, 1.0, LABELS[:20]))
    assert told["comparison"]["verdict"] == "undecided"
    assert "20 of the champion's and 20 of the challenger's answers were captured: it takes 30" in told["sentence"]


def test_outcomes_of_one_kind_only_rank_nothing(tmp_path: Path) -> None:
    told = compare(tmp_path, "--labels", apart(tmp_path, 0.5, 0.5, [0] * 50))
    assert told["comparison"]["verdict"] == "undecided"
    assert "auc cannot be compared: it takes 10 outcomes of either kind" in told["sentence"]


@pytest.mark.parametrize(("of_label_1", "verdict"), [(9, "undecided"), (10, "better")])
def test_a_ranking_of_a_few_outcomes_of_one_kind_decides_nothing(tmp_path: Path, of_label_1: int, verdict: str) -> None:
    labels = [int(place < of_label_1) for place in range(100)]
    told = compare(tmp_path, "--labels", apart(tmp_path, 0.0, 0.9, labels))
    assert told["comparison"]["verdict"] == verdict


def flagging(tmp_path: Path, champion: Sequence[int], challenger: Sequence[int], labels: Sequence[int]) -> str:
    """Two models that were asked the same and flag these records."""
    for side, flagged in (("champion", champion), ("challenger", challenger)):
        scores = [0.9 if place in flagged else 0.1 for place in range(len(labels))]
        written(
            tmp_path / side,
            [
                line(score, event=f"{side}{place}", inference=f"claim-{place}", claim=str(place))
                for place, score in enumerate(scores)
            ],
        )
    return outcomes(tmp_path / "outcomes.csv", labels, "claim-", "inferenceId")


@pytest.mark.parametrize(
    ("champion", "challenger", "why"),
    [
        (range(40, 41), range(1), "it takes 10 flagged records on either side or more"),
        (range(31, 60), range(9), "it takes 10 flagged records on either side or more"),
        (range(40, 60), range(5, 35), "it takes right and wrong flags on either side"),
        (range(15, 35), range(20), "it takes right and wrong flags on either side"),
    ],
    ids=["one flag each", "nine flags", "none right", "all right"],
)
def test_precision_pair_by_pair_says_nothing_of_flags_that_vary_too_little(
    tmp_path: Path, champion: range, challenger: range, why: str
) -> None:
    labels = [int(place < 30) for place in range(60)]
    told = compare(
        tmp_path, "--labels", flagging(tmp_path, champion, challenger, labels), "--paired", "--metric=precision"
    )
    assert told["comparison"]["verdict"] == "undecided"
    assert f"precision cannot be compared: {why}" in told["sentence"]


# ---- reading captures


def one_of(tmp_path: Path, lines: Sequence[dict[str, Any]]) -> captures.Captured:
    return captures.read(None, written(tmp_path / "x", lines), WORDS, None, None)


def test_a_request_about_several_records_gives_as_many_answers(tmp_path: Path) -> None:
    answers = [{WORDS.probability: score, "decision": WORDS.decisions[0]} for score in (0.1, 0.2)]
    lines = [captured({"records": [{"n": 1}, {"n": 2}]}, {"predictions": answers}, event="e")]
    found = one_of(tmp_path, lines)
    assert (found.requests, [each.place for each in found.predictions]) == (1, [0, 1])
    assert [each.score for each in found.predictions] == [0.1, 0.2]


@pytest.mark.parametrize("encoding", ["CSV", "BASE64"])
def test_tables_and_what_was_kept_as_base64_are_read_too(tmp_path: Path, encoding: str) -> None:
    request, answer = "claim_number,kind\n7,theft\n", f"{WORDS.probability},decision\n0.25,{WORDS.decisions[0]}\n"
    if encoding == "BASE64":
        request, answer = (base64.b64encode(each.encode()).decode() for each in (request, answer))
    lines = [captured(request, answer, event="e", encoding=encoding, observedContentType="text/csv; charset=utf-8")]
    [found] = one_of(tmp_path, lines).predictions
    assert (found.record, found.score, found.is_flagged) == ({"claim_number": "7", "kind": "theft"}, 0.25, False)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("oops", "a line, a request or an answer that is not JSON"),
        ({"predictions": []}, "a request and an answer of different lengths, or about nothing"),
        ({"answers": []}, "no predictions"),
        ({"predictions": [{WORDS.probability: 0.3, "decision": "perhaps"}]}, "a decision that is neither"),
    ],
)
def test_what_cannot_be_read_is_counted_and_said(tmp_path: Path, answer: object, why: str) -> None:
    written(tmp_path / "champion", [*model(LABELS, 0.3, "a", 1), captured({"records": [{}]}, answer, event="bad")])
    written(tmp_path / "challenger", model(LABELS, 0.3, "b", 2))
    [remark] = [each for each in compare(tmp_path)["remarks"] if "left out" in each]
    assert remark.startswith(f"1 captured lines of the champion were left out: {why}")
    assert remark.endswith(f"(the first: {tmp_path}/champion/2026/11/20/09/00-00-000-x.jsonl, line 161)")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b'{"captureData": "\xff"}', "that is not UTF-8"),
        (b"[]", "a line that has not the form of data capture"),
        (json.dumps(line(0.5, event="x") | {"eventMetadata": {"inferenceTime": 7}}).encode(), "has not the form of"),
        (json.dumps(line(0.5, event="x", observedContentType=None)).encode(), "has not the form of data capture"),
        (json.dumps(line(float("nan"), event="x")).encode(), "a score that is no number"),
    ],
    ids=["not UTF-8", "a list", "a moment that is no text", "a content type that is no text", "no score"],
)
def test_a_line_of_another_form_is_counted_and_said(tmp_path: Path, bad: bytes, why: str) -> None:
    folder = Path(written(tmp_path / "x", [line(0.5, event="a", claim="one\u2028claim")]))
    path = folder / "2026" / "11" / "20" / "09" / "00-00-000-x.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\\\\u2028", "\u2028".encode()) + b"\n" + bad + b"\n")
    found = captures.read(None, str(folder), WORDS, None, None)
    assert len(found.predictions) == 1
    [(reason, count)] = found.unread.items()
    assert (count, found.first[reason]) == (1, f"{path}, line 3")
    assert why in reason


def test_only_what_was_answered_in_the_time_asked_for_counts(tmp_path: Path) -> None:
    for side in ("champion", "challenger"):
        written(tmp_path / side, [line(0.5, event=f"{side}{minute}", minute=minute) for minute in range(60)])
    told = compare(tmp_path, "--since", "2026-11-20T09:10", "--until", "2026-11-20T09:50Z")
    assert told["comparison"]["compared"] == [40, 40]


@pytest.mark.parametrize(
    ("records", "different", "words"),
    [
        (5, 50, "250 answers of the champion came in 50 requests, 50 of them different"),
        (1, 20, "50 answers of the champion came in 50 requests, 20 of them different"),
        (1, 50, ""),
    ],
    ids=["several records each", "asked again", "each about one of its own"],
)
def test_answers_that_do_not_stand_alone_are_told(tmp_path: Path, records: int, different: int, words: str) -> None:
    answer = {"predictions": [{WORDS.probability: 0.3, "decision": WORDS.decisions[0]}] * records}
    for side in ("champion", "challenger"):
        lines = [
            captured({"records": [{"n": place % different}] * records}, answer, event=f"{side}{place}")
            for place in range(50)
        ]
        written(tmp_path / side, lines)
    found = [each for each in compare(tmp_path)["remarks"] if "intervals" in each]
    if words:
        assert found[0] == f"{words}: the intervals take each answer as one of its own, so they are too narrow"
    assert bool(found) == bool(words)


# ---- what a person sees


def test_the_table_and_the_page_say_verdict_interval_and_method(tmp_path: Path) -> None:
    labels = apart(tmp_path, 0.2, 0.5)
    page = tmp_path / "exports" / "compare.html"
    sides = ["--champion", str(tmp_path / "champion"), "--challenger", str(tmp_path / "challenger")]
    printed = verb.main([*sides, "--labels", labels], project, nobody, page)
    shown = page.read_text(encoding="utf-8")
    for words in (
        "The challenger is better than the champion",
        "DeLong 1988",
        "95 % interval",
        "320 labels by eventId",
    ):
        assert words in printed
        assert words in shown
    assert printed.splitlines()[0] == (
        f"Champion    {tmp_path / 'champion'}: 160 answers in 160 requests, 2026-11-20 09:00 to 2026-11-20 09:00 UTC"
    )
    assert shown.count("<circle") == 6


# ---- bad input


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no outcomes"),
        ("eventId,truth\na1,1\n", "has no column `label`; it has eventId, truth"),
        ("label\n1\n", "has labels only"),
        ("eventId,label\na1,1\na2,maybe\n", "line 3: label must be 1 or 0, not 'maybe'"),
        ("eventId,label\na1,1\na1,0\n", "line 3: eventId a1 has had the other label before"),
        ("inferenceId,label\na1,1\n,1\n", "line 3: inferenceId is empty"),
        ("eventId,record,label\na1,,1\n", "line 2: record is empty"),
        ("claim_number,kind,label\n7,,1\n", "line 2: kind is empty"),
        ("eventId,label\na1,1,\n", "line 2 has more cells than the header line"),
        ("claim_number,label\n7,1\n8,0,x,y\n", "line 3 has more cells than the header line"),
        (f"eventId,label\na1,{'1' * 200_000}\n", "cannot be read as CSV: line 2: field larger than field limit"),
    ],
)
def test_outcomes_that_are_none_are_refused_with_their_line(tmp_path: Path, content: str, said: str) -> None:
    apart(tmp_path, 0.3, 0.3)
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RefusedError) as refused:
        compare(tmp_path, "--labels", str(path))
    assert said in str(refused.value)


def test_a_column_without_a_name_is_nothing_to_tell_records_by(tmp_path: Path) -> None:
    """What a table's index is written as."""
    for side in ("champion", "challenger"):
        written(tmp_path / side, [line(0.5, event=f"{side}{place}", claim=str(place)) for place in range(30)])
    rows = "".join(f"{place + 1},{place},1\n" for place in range(30))
    (tmp_path / "o.csv").write_text(f",claim_number,label\n{rows}", encoding="utf-8")
    assert compare(tmp_path, "--labels", str(tmp_path / "o.csv"))["comparison"]["labelled"] == [30, 30]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "line 1: an outcome must be an object with `label`"),
        ('{"claim_number": 7, "label": 1}\n{"label": 1}', "line 2: claim_number is empty"),
    ],
)
def test_json_lines_that_are_none_are_refused_with_their_line(tmp_path: Path, content: str, said: str) -> None:
    apart(tmp_path, 0.3, 0.3)
    path = tmp_path / "bad.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RefusedError) as refused:
        compare(tmp_path, "--labels", str(path))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--metric", "beauty"], "METRIC is 'beauty'; it must be one of auc, accuracy, recall, precision."),
        (["--since", "yesterday"], "SINCE is 'yesterday'; write a day or a moment"),
        (["--labels", "nowhere.csv"], "The outcomes cannot be read from nowhere.csv"),
        (["--labels", "s3://bucket"], "The outcomes cannot be read from s3://bucket: not the address of an object"),
        (["--champion", "s3://bucket"], "'s3://bucket' names no captures"),
        (["--champion", "s3://bucket/"], "'s3://bucket/' names no captures"),
        (["--champion", "s3:///folder"], "'s3:///folder' names no captures"),
        (["--champion", "fraud-prod"], "'fraud-prod' names no captures"),
        (["--champion", "./nowhere"], "There is no folder nowhere"),
        (["--until", "2026-11-19"], "Nothing was captured of the champion in"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused_in_one_message(tmp_path: Path, given: list[str], said: str) -> None:
    apart(tmp_path, 0.3, 0.3)
    with pytest.raises(RefusedError) as refused:
        compare(tmp_path, *given)
    assert said in str(refused.value)


def test_lines_none_of_which_can_be_read_are_refused_with_the_reason(tmp_path: Path) -> None:
    apart(tmp_path, 0.3, 0.3)
    written(tmp_path / "strange", [captured("<xml/>", "<xml/>", event="e")])
    with pytest.raises(RefusedError) as refused:
        compare(tmp_path, "--champion", str(tmp_path / "strange"))
    assert "None of the captured lines of the champion can be read" in str(refused.value)
    assert "1 lines: a line, a request or an answer that is not JSON" in str(refused.value)


def test_sides_that_were_never_asked_the_same_make_no_pairs(tmp_path: Path) -> None:
    apart(tmp_path, 0.3, 0.3)
    with pytest.raises(RefusedError) as refused:
        compare(tmp_path, "--paired")
    assert "No request was captured on both sides" in str(refused.value)


def test_the_verb_ends_with_one_message_and_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert verb.run(["--champion", "x", "--challenger", "y"], {"AWS_DEFAULT_REGION": "eu-west-1"}) == 1
    assert capsys.readouterr().err.startswith("make compare: 'x' names no captures.")
