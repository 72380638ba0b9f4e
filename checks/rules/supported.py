"""Images and runtimes are on the list of those whose end of support is known."""

from __future__ import annotations

from collections.abc import Iterator

from checks import rule, support
from checks.template_file import Template


class KnownEndOfSupport(rule.TemplateRule):
    """What is on the list in checks/support.yaml is watched by `make freshness`; anything else would rot unseen."""

    id = "E9010"
    shortdesc = "Images and runtimes are on the maintained list"
    description = "Every CodeBuild image and Lambda runtime is in checks/support.yaml, with its end of support"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        known = support.known()
        for each in support.in_template(template):
            if (each.kind, each.name) not in known:
                yield rule.Complaint(each.line, f"{each.name} is not among the {each.kind} of checks/support.yaml")
