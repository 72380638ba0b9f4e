"""Tests of the package both seeds carry. It is imported from the model-build seed; a test says they are the same."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (ROOT / "build_repo", ROOT / "deploy_repo")

# Last, so that nothing of the seed's comes before what the template's own tests import.
sys.path.append(str(SEEDS[0]))
