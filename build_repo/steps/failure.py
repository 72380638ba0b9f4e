"""How a step says why it failed: in one line, where people look first.

The line ends the job's log, and it is written to the file whose content SageMaker shows beside the failed job:
`ExitMessage` of a processing job, `FailureReason` of a training job. `make pipeline` prints it at the end of the build.

https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-signal-success-failure.html
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROCESSING = Path("output", "message")
TRAINING = Path("output", "failure")
LONGEST = 1024  # bytes that SageMaker shows
START = "error: "  # of the last line of the log


class StepError(Exception):
    """The step cannot go on, for a reason outside its code. The message says what, where, and what to do next."""


@contextmanager
def told(base_dir: Path, file: Path) -> Iterator[None]:
    """End the process with status 1 when its body raises; `file`, below `base_dir`, is the one that SageMaker shows.

    A StepError is told in its own words; anything else is a mistake in the code, told with its place, and its
    traceback goes to the log before it.
    """
    try:
        yield
    except StepError as error:
        _end(str(error), base_dir / file)
    except Exception as error:
        traceback.print_exc()
        _end(f"{_place(error)}: {type(error).__name__}: {str(error).strip()}", base_dir / file)


def _place(error: Exception) -> str:
    """The last line of these scripts that the error went through."""
    here = Path(__file__).parent
    frames = [each for each in traceback.extract_tb(error.__traceback__) if Path(each.filename).parent == here]
    found = next((each for each in reversed(frames) if each.filename != __file__), None)
    return f"{Path(found.filename).name}, line {found.lineno}, in {found.name}" if found else "a library"


def _end(message: str, file: Path) -> None:
    line = message.splitlines()[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(line.encode()[:LONGEST].decode(errors="ignore").encode())
    sys.exit(f"{START}{line}")
