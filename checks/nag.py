"""cdk-nag on the catalog that is published and on every template that a person wrote.

The templates are included in a CDK app, where cdk-nag sees them as it sees what CDK itself makes. What CDK's own
"CloudFormation Validate" says is left to cfn-lint, which reads the same files and knows their lines.
https://github.com/cdklabs/cdk-nag
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from checks.template_file import ROOT, Template
from checks.templates import all_templates
from service_catalog.catalog import Catalog, Version, synthesise
from service_catalog.node import use_packaged_node

REASONS = ROOT / "checks" / "nag_reasons.yaml"
PACK = "AwsSolutions"
# A catalog with one of each of its resources.
CATALOG = Catalog(
    versions=(Version("1.0.0", "https://bucket.s3.eu-west-1.amazonaws.com/template/project.yaml", "The first"),),
    principals=("arn:aws:iam::123456789012:role/Studio",),
)
LAUNCH_ROLE = "arn:aws:iam::123456789012:role/MLOpsProjectLaunchRole"


@dataclass(frozen=True)
class Finding:
    """What a rule says about a resource: `where` is template/resource, `finding` what stands in the rule's brackets."""

    rule: str
    finding: str
    where: str
    words: str


@dataclass(frozen=True)
class Reason:
    """Why findings are left as they are."""

    rule: str
    findings: tuple[str, ...]
    where: tuple[str, ...]
    because: str

    def covers(self, found: Finding) -> bool:
        return (
            self.rule == found.rule
            and any(fnmatchcase(found.finding, pattern) for pattern in self.findings)
            and any(fnmatchcase(found.where, pattern) for pattern in self.where)
        )


def reasons(path: Path = REASONS) -> list[Reason]:
    written: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        Reason(each["rule"], tuple(each.get("findings", [""])), tuple(each["where"]), each["because"])
        for each in written
    ]


def complaints(found: Iterable[Finding], given: Iterable[Reason]) -> list[str]:
    """Findings that nobody gave a reason for, and reasons for what is not found any more."""
    found, given = list(found), list(given)
    unexplained = [each for each in found if not any(reason.covers(each) for reason in given)]
    idle = [reason for reason in given if not any(reason.covers(each) for each in found)]
    said = [
        f"{each.where}: {each.rule}{f'[{each.finding}]' if each.finding else ''} {each.words}" for each in unexplained
    ]
    return said + [
        f"checks/nag_reasons.yaml: nothing is found any more that this is about: {each.rule} {', '.join(each.where)} "
        f"({' '.join(each.because.split())})"
        for each in idle
    ]


def find(paths: Iterable[Path], catalog: Path | None = None) -> list[Finding]:
    """What cdk-nag says. The catalog is synthesised too; its template is written to `catalog`, if one is given."""
    use_packaged_node()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        written = catalog or work / "catalog.json"
        written.write_bytes(synthesise(CATALOG, LAUNCH_ROLE, work / "catalog"))
        included = {path.stem: _plain(path, work) for path in paths} | {"catalog": written}
        # As in service_catalog/catalog.py: late, and not by name.
        cdk: Any = importlib.import_module("aws_cdk")
        include: Any = importlib.import_module("aws_cdk.cloudformation_include")
        nag: Any = importlib.import_module("cdk_nag")
        app = cdk.App(outdir=str(work / "out"), analytics_reporting=False, tree_metadata=False)
        for stack, template in included.items():
            include.CfnInclude(cdk.Stack(app, stack), "In", template_file=str(template))
        cdk.Validations.of(app).add_plugins(nag.AwsSolutionsChecks(app))
        report = work / "out" / "validation-report.json"
        try:
            app.synth()
        except RuntimeError:  # how it says that something was found
            if not report.exists():
                raise
        return _read(report)


def _plain(path: Path, work: Path) -> Path:
    """A copy without what cdk-nag's rules cannot read: mappings are looked up, conditions are taken to hold."""
    template = Template.with_longest(path, Template(path, {}).document)
    copy = work / f"{path.stem}.json"
    copy.write_text(json.dumps(_without_conditions(template, template.document)), encoding="utf-8")
    return copy


def _without_conditions(template: Template, node: Any) -> Any:
    if isinstance(node, dict):
        if set(node) == {"Fn::If"}:
            _, then, otherwise = node["Fn::If"]
            return _without_conditions(template, otherwise if then == {"Ref": "AWS::NoValue"} else then)
        if set(node) == {"Fn::FindInMap"}:
            return template.resolve(node)
        return {str(key): _without_conditions(template, each) for key, each in node.items()}
    if isinstance(node, list):
        return [_without_conditions(template, each) for each in node]
    return node


def _read(report: Path) -> list[Finding]:
    plugins = json.loads(report.read_text(encoding="utf-8"))["pluginReports"]
    found = []
    for violation in next(each for each in plugins if each["pluginName"] == PACK)["violations"]:
        rule, _, finding = violation["ruleName"].partition("[")
        for construct in violation["violatingConstructs"]:
            where = construct["constructPath"].replace("/In/", "/")
            found.append(Finding(rule, finding.removesuffix("]"), where, violation["description"]))
    return found


def main(catalog: Path) -> int:
    """Say what nobody gave a reason for; leave the catalog's template behind for checkov."""
    said = complaints(find(all_templates(), catalog), reasons())
    print("\n".join(said))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
