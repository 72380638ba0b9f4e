"""How a function answers CodePipeline, which runs it as an action.

https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from aws import client, explained

LONGEST_MESSAGE = 5000
"""https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureDetails.html"""
LONGEST_SUMMARY = 2048
"""https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ExecutionDetails.html"""

Job = Mapping[str, Any]
log = logging.getLogger(__name__)


class ActionFailedError(Exception):
    """The action cannot be done. The message says why, for the person who looks at the pipeline.

    `what_now` is what holds after it and what to do, where that is not what every failure of the action leaves.
    """

    def __init__(self, message: str, what_now: str = "") -> None:
        super().__init__(message)
        self.what_now = what_now


@dataclass(frozen=True)
class Done:
    """What an action came to: a sentence for the pipeline's page, and variables for what follows."""

    summary: str
    variables: Mapping[str, str] = field(default_factory=dict)


def answer(event: Mapping[str, Any], work: Callable[[Job], Done], what_now: str) -> None:
    """Do the work of a job and answer CodePipeline, whatever happens: without an answer the action waits for hours.

    `what_now` is added to every failure that has none of its own.
    """
    job = event["CodePipeline.job"]
    try:
        codepipeline = client("codepipeline")
        done = work(job)
    except ActionFailedError as problem:
        _fail(job["id"], str(problem), problem.what_now or what_now)
    except ClientError as error:
        log.exception("A call of AWS failed")
        _fail(job["id"], f"{explained(error).rstrip('.')}.", what_now)
    except Exception as error:  # whatever it is
        log.exception("The action broke")
        _fail(job["id"], f"The action broke: {error!r}. The function's log says where.", what_now)
    else:
        log.info("%s", done.summary)
        codepipeline.put_job_success_result(
            jobId=job["id"],
            executionDetails={"summary": done.summary[:LONGEST_SUMMARY]},
            **({"outputVariables": dict(done.variables)} if done.variables else {}),
        )


def parameters(job: Job, names: Sequence[str]) -> list[str]:
    """What the action's UserParameters say, in the order of `names`. Raises ActionFailedError."""
    given = job["data"]["actionConfiguration"]["configuration"].get("UserParameters", "")
    try:
        written = json.loads(given)
        return [str(written[name]) for name in names]
    except (ValueError, KeyError, TypeError) as problem:
        raise ActionFailedError(
            f"UserParameters of the action have to be a JSON object with {' and '.join(names)}, and are: "
            f"{given or 'missing'}."
        ) from problem


def _fail(job_id: str, message: str, what_now: str) -> None:
    log.error("%s", message)
    codepipeline = client("codepipeline")  # anew: making the first one may be what failed
    # The advice stays whole, whatever AWS's message is like.
    why = message[: LONGEST_MESSAGE - len(what_now) - 1]
    codepipeline.put_job_failure_result(
        jobId=job_id, failureDetails={"type": "JobFailed", "message": f"{why} {what_now}"}
    )
