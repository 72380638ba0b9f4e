"""What a stage of mode batch needs besides: where its files lie, who runs it, and what its answers have to be.

batch-checks.json    "shares": of each decision, the least and the most share of it that is published
test/answer.json     the words of an answer
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployment.errors import RefusedError
from deployment.settings import BuildSettings

BATCH = "batch"
FILE = "batch-checks.json"
PARAMETERS = frozenset({"BatchS3Uri", "BatchRoleArn", "CheckBatchFunctionArn", "BatchChecks"})
"""What the build sets of the template for this mode alone."""


def checks(folder: Path) -> dict[str, Any]:
    """What the answers of a run have to be, as the function that checks them takes it; raises RefusedError."""
    words = json.loads((folder / "test" / "answer.json").read_text(encoding="utf-8"))
    decisions = words["decisions"]
    try:
        written = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RefusedError(f"{FILE} is missing. Bring it back with `git checkout {FILE}`.") from error
    except ValueError as error:
        raise RefusedError(f"{FILE} is not valid JSON: {error}") from error
    shares = written.get("shares") if isinstance(written, dict) else None
    if not isinstance(shares, dict) or written.keys() != {"shares"}:
        raise RefusedError(f'{FILE} must have the form {{"shares": {{"{decisions[0]}": [0.5, 1.0]}}}}.')
    faults = [fault for decision, limits in shares.items() if (fault := _fault(decision, limits, decisions))]
    if faults:
        raise RefusedError("\n".join(f"{FILE}: {fault}" for fault in faults))
    answer = {"probability": words["probability"], "decisions": decisions}
    return {"answer": answer, "shares": shares}


def _fault(decision: str, limits: object, decisions: list[str]) -> str | None:
    if decision not in decisions:
        return f"shares.{decision}: is no decision of test/answer.json, which has {', '.join(decisions)}"
    numbers = [each for each in limits if _is_share(each)] if isinstance(limits, list) else []
    if not isinstance(limits, list) or len(numbers) != 2 or len(limits) != 2 or numbers[0] > numbers[1]:
        return f"shares.{decision}: must be the least and the most share, such as [0.5, 1.0], not {json.dumps(limits)}"
    return None


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def check_settings(file: str, mode: str, settings: BuildSettings) -> None:
    """Refuse the mode in a project that is older than it: it has neither the role nor the function."""
    if mode == BATCH and not (settings.batch_role_arn and settings.check_batch_function_arn):
        raise RefusedError(
            f"{file}: Parameters.DeploymentMode: is batch, but this project was launched from a release without that "
            "mode; ask your platform team for `make update-project`, or write realtime"
        )


def parameters(
    written: Mapping[str, str], stage_name: str, settings: BuildSettings, found: Mapping[str, Any]
) -> dict[str, str]:
    """What the template is given besides, where the mode is batch; `found` is what `checks` read.

    Staging answers golden records, whose decisions have shares of their own.
    """
    if written.get("DeploymentMode") != BATCH:
        return {}
    held = {**found, "shares": {}} if stage_name == "staging" else found
    return {
        "BatchS3Uri": f"s3://{settings.artifact_bucket}/{settings.model_package_group_name}/batch/{stage_name}",
        "BatchRoleArn": settings.batch_role_arn,
        "CheckBatchFunctionArn": settings.check_batch_function_arn,
        "BatchChecks": json.dumps(held),
    }
