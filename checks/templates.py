"""Which templates are checked, and cfn-lint's findings in them, our own rules included."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from cfnlint.api import ManualArgs, lint_by_config

from checks.template_file import ROOT

# Where projects are launched, of which some lack a service or an instance type that others have.
REGIONS = ["us-east-1", "eu-west-1", "eu-central-1", "ap-northeast-1"]
RULES = ROOT / "checks" / "rules"


def all_templates() -> list[Path]:
    """Every CloudFormation template a person wrote: the product, the account's set-up and the seeds' own."""
    candidates = [*ROOT.glob("cloudformation/*.yaml"), *ROOT.glob("deploy_repo/*.yml")]
    return sorted(path for path in candidates if "AWSTemplateFormatVersion" in path.read_text(encoding="utf-8"))


def findings(paths: Iterable[Path]) -> list[str]:
    """What cfn-lint says about templates, informational checks and our rules included: file, line, rule, words."""
    config = ManualArgs(
        templates=[str(path) for path in paths],
        regions=REGIONS,
        include_checks=["I"],
        append_rules=[str(RULES)],
    )
    return [
        f"{_shown(Path(match.filename))}:{match.linenumber}: {match.rule.id} {match.message}"
        for match in lint_by_config(config)
    ]


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main() -> int:
    """Say what cfn-lint finds in every template."""
    said = findings(all_templates())
    print("\n".join(said))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
