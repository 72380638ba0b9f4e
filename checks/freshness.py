"""Says which images and runtimes come to their end of support within 90 days of today."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime

from checks import support


def main(today: date) -> int:
    """Exit status 1 if anything that is named is stale on the day."""
    said = support.stale(support.everything(), support.known(), today)
    print("\n".join(said) or f"Everything is kept up for at least {support.NOTICE.days} days after {today}.")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(datetime.now(UTC).date()))
