"""What a cloud is started with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CloudSettings:
    """`folder` holds everything one cloud writes; `environments` is where the prepared Python environments lie
    (`base`, `xgboost-3.2-0`, ...). `speed` is how many AWS seconds of waiting pass in one real second."""

    folder: Path
    environments: Path
    account: str = "123456789012"
    region: str = "us-east-1"
    speed: float = 60.0
    port: int = 0
    """0 lets the system choose a free port, so that several clouds can stand on one machine."""
    cache: Path | None = None
    """What clouds on this machine may share and find again: by default a folder of this cloud's own."""
    memory: float = 1.0
    """How much of its instance's memory a job may use: with less, small data show what too large data do."""
    faults: tuple[str, ...] = ()
    """Names of faults to switch on (`faults.py`)."""
    record: bool = False
    """Keep every authorisation with all that decided it, for `Identity.authorisations`."""
    builds: int = max(2, os.cpu_count() or 1)
    """How many builds of CodeBuild run at the same time; the others are queued."""
    acknowledge_roles: bool = True
    """Whether SageMaker acknowledges what a template in S3 does with IAM, which no page of AWS says."""
