"""`make rehearse-faults`: the story once for every group of faults that can strike in one rehearsal.

Takes a rehearsal's time for each group, so it is for people and for a nightly run. Ends with 1 when one group failed.
"""

from __future__ import annotations

import subprocess
import sys
import time

from rehearsal.cloud.faults import (
    BUILD_TIMEOUT,
    DUPLICATED_EVENT,
    ENDPOINT_KILLED,
    ENDPOINT_MAINTENANCE,
    FAULTS,
    FLAKY_STEP,
    GIT_NETWORK,
    OBJECT_GONE,
    REORDERED_EVENTS,
    THROTTLING,
)
from rehearsal.person import REPOSITORY_ROOT

GROUPS: tuple[tuple[str, ...], ...] = (
    (THROTTLING,),
    (BUILD_TIMEOUT, FLAKY_STEP, GIT_NETWORK, REORDERED_EVENTS),
    (OBJECT_GONE, ENDPOINT_KILLED),
    (DUPLICATED_EVENT,),
    (ENDPOINT_MAINTENANCE,),
)
"""Faults of a group strike at different places, so that each failure that is met is one fault's."""


def main(given: list[str]) -> int:
    """Play every group, each with the options given; answers the exit status."""
    results = []
    for group in GROUPS:
        print(f"\n==== {', '.join(group)}", flush=True)
        for name in group:
            print(f"     {FAULTS[name].does}; {FAULTS[name].ending}", flush=True)
        began = time.monotonic()
        switched_on = [option for name in group for option in ("--fault", name)]
        command = [sys.executable, "-m", "rehearsal", *switched_on, *given]
        status = subprocess.run(command, cwd=REPOSITORY_ROOT, check=False).returncode
        results.append((group, status, time.monotonic() - began))
    print()
    for group, status, seconds in results:
        print(f"{'as promised' if status == 0 else 'FAILED':<12} {seconds:6.1f} s  {', '.join(group)}")
    return 0 if all(status == 0 for _, status, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
