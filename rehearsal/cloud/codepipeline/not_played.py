"""Everything of a pipeline's declaration that this cloud does not play, told without making the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rehearsal.cloud.codepipeline.actions import action_for
from rehearsal.cloud.codepipeline.declaration import check, normalised
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Document


def not_played(given: Document, region: str) -> Iterator[NotImplementedHere]:
    """What creating the pipeline would be refused for here and not on AWS, action by action; what AWS refuses itself is
    left to it."""
    full = normalised(given)
    for stage in full["stages"]:
        for action in stage["actions"]:
            provider, kind = action_for(action["actionTypeId"]), action["actionTypeId"]
            where = f"action {action['name']} in stage {stage['name']}"
            if provider is None:
                yield NotImplementedHere(
                    f"the action provider {kind['provider']} ({kind['owner']}, {kind['category']}) of {where}"
                )
                continue
            for key, harmless in provider.shape.refused.items():
                if action["configuration"].get(key, "").lower() not in {*harmless, ""}:
                    yield NotImplementedHere(f"{key} of {kind['provider']} {where}")
            yield from _refusal(lambda: provider.check(action, stage["name"]))  # noqa: B023 - called at once
    if all(action_for(action["actionTypeId"]) for stage in full["stages"] for action in stage["actions"]):
        yield from _refusal(lambda: check(full, region))


def _refusal(look: Callable[[], None]) -> Iterator[NotImplementedHere]:
    try:
        look()
    except NotImplementedHere as refusal:
        yield refusal
    except AwsError:
        pass
