"""Whether the challenger is better: put together from both sides' captures and, where there are any, the outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from deployment.compare import captures, figures
from deployment.compare.captures import Captured
from deployment.compare.figures import Answered, Figure
from deployment.compare.intervals import Interval
from deployment.compare.outcomes import Outcomes
from deployment.errors import RefusedError

LEAST = 30
"""Below so many answers on a side nothing is said of it but that; the formulas are made for no less."""
BETTER, WORSE, UNDECIDED = "better", "worse", "undecided"


@dataclass(frozen=True)
class Comparison:
    """All that is told. `verdict` is one of the three words above; `because` the sentence that gives the reason."""

    verdict: str
    because: str
    metric: str
    paired: bool
    compared: tuple[int, int]
    behaviour: list[Figure]
    quality: list[Figure]
    agreement: Interval | None = None
    labelled: tuple[int, int] = (0, 0)
    remarks: list[str] = field(default_factory=list)


def compare(
    champion: Captured, challenger: Captured, outcomes: Outcomes | None, metric: str, *, paired: bool
) -> Comparison:
    """Compare; raise RefusedError where one side has nothing to compare."""
    for name, side in (("champion", champion), ("challenger", challenger)):
        if not side.predictions:
            raise RefusedError(_nothing(name, side))
    first, second = champion.predictions, challenger.predictions
    if paired:
        both = captures.pairs(first, second)
        if not both:
            raise RefusedError(
                f"No request was captured on both sides: {len(first)} answers of the champion and {len(second)} of "
                "the challenger have no request in common.\nA shadow answers copies of the champion's requests: look "
                "whether SamplingPercentage is high enough for both copies to be kept."
            )
        first, second = [one for one, _ in both], [two for _, two in both]
    one, two = _labelled(first, second, outcomes, paired)
    few = min(len(one), len(two)) < LEAST
    remarks = [*_remarks(champion, challenger, outcomes, paired, len(one)), *_not_alone(first, second)]
    told = [] if few else figures.behaviour(one, two, paired=paired)
    agreed = figures.agreement(one, two) if paired and not few else None
    known = (one.known(), two.known())
    counts, sizes = (len(known[0]), len(known[1])), (len(one), len(two))
    found: list[Figure] = []
    if few:
        verdict, because = UNDECIDED, f"{_counts(sizes)} answers were captured: it takes {LEAST} on either side or more"
    elif outcomes is None:
        verdict, because = (
            UNDECIDED,
            ("whose answers are right cannot be told without outcomes; give a file of them: make compare LABELS=..."),
        )
    elif min(counts) < LEAST:
        verdict, because = (
            UNDECIDED,
            (f"the outcomes of {_counts(counts)} captured answers are known: it takes {LEAST} on either side or more"),
        )
    else:
        found = figures.quality(*known, paired=paired)
        verdict, because = _judge(next(each for each in found if each.name == metric), counts)
    return Comparison(verdict, because, metric, paired, sizes, told, found, agreed, counts, remarks)


def _nothing(name: str, side: Captured) -> str:
    if side.unread:
        lines = "".join(
            f"\n  {count} lines: {reason} (the first: {side.first[reason]})"
            for reason, count in side.unread.most_common(3)
        )
        return (
            f"None of the captured lines of the {name} can be read, in {side.where}:{lines}\n"
            "test/answer.json must hold the words of the answers, and data capture must keep Input and Output."
        )
    return (
        f"Nothing was captured of the {name} in {side.where} in that time.\n"
        "Look whether EnableDataCapture is true, whether anybody has called the endpoint (captures come some minutes "
        "later), and whether SINCE is early enough."
    )


def _labelled(
    first: Sequence[captures.Prediction], second: Sequence[captures.Prediction], outcomes: Outcomes | None, paired: bool
) -> tuple[Answered, Answered]:
    """Both sides with their labels; of a pair, either answer's ids may be the ones that the outcomes name."""
    if outcomes is None:
        return Answered([*first], [None] * len(first)), Answered([*second], [None] * len(second))
    ones, twos = ([outcomes.label_of(each) for each in side] for side in (first, second))
    if paired:
        ones = twos = [one if one is not None else two for one, two in zip(ones, twos, strict=True)]
    return Answered([*first], ones), Answered([*second], twos)


def _counts(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]} of the champion's and {sizes[1]} of the challenger's"


def _judge(figure: Figure, counts: tuple[int, int]) -> tuple[str, str]:
    difference = figure.difference
    if difference is None:
        return UNDECIDED, f"{figure.name} cannot be compared: {figure.why_not}"
    shown = f"{figure.name} differs by {difference.estimate:+.4f}, 95 % interval {difference.low:+.4f} to "
    shown += f"{difference.high:+.4f} ({difference.method})"
    if difference.is_above_zero:
        return BETTER, f"{shown}, and the whole interval is above 0"
    if difference.is_below_zero:
        return WORSE, f"{shown}, and the whole interval is below 0"
    return UNDECIDED, f"{shown}: both signs are possible{_enough(difference, min(counts))}"


def _enough(difference: Interval, count: int) -> str:
    """How many outcomes would settle a difference as large as the one seen: the width goes with the square root."""
    if not difference.estimate:
        return ""
    half = (difference.high - difference.low) / 2
    wanted = ceil(count * (half / abs(difference.estimate)) ** 2 / 10) * 10
    return f"; about {wanted:,} outcomes on either side would settle a difference of that size"


def _not_alone(*sides: Sequence[captures.Prediction]) -> list[str]:
    """Where answers have to do with each other: about records of one request, or about a request that came again."""
    found = []
    for name, answers in zip(("champion", "challenger"), sides, strict=True):
        requests, different = (
            len({each.event_id for each in answers}),
            len({each.request for each in answers}),
        )
        if min(requests, different) < len(answers):
            found.append(
                f"{len(answers)} answers of the {name} came in {requests} requests, {different} of them different: the "
                "intervals take each answer as one of its own, so they are too narrow"
            )
    return found


def _remarks(
    champion: Captured, challenger: Captured, outcomes: Outcomes | None, paired: bool, pairs: int
) -> list[str]:
    found = []
    if paired:
        found.append(f"{pairs} answers of either side are about the same record and were compared pair by pair")
    for name, side in (("champion", champion), ("challenger", challenger)):
        found += [
            f"{count} captured lines of the {name} were left out: {why} (the first: {side.first[why]})"
            for why, count in side.unread.items()
        ]
    if outcomes is not None:
        found.append(f"outcomes: {outcomes.summary()}")
        found += [f"{count} answers got no outcome: {why}" for why, count in outcomes.ambiguous.items()]
    return found
