"""What our rules for cfn-lint have in common.

A rule's module imports this module and not the class: cfn-lint takes every rule class it finds in a module for one of
that module's own. https://github.com/aws-cloudformation/cfn-lint/blob/main/docs/getting_started/rules.md
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfnlint.rules import CloudFormationLintRule, RuleMatch

from checks.template_file import Template


@dataclass(frozen=True)
class Complaint:
    """What is wrong, and the line (from 1) it is wrong on."""

    line: int
    words: str


class TemplateRule(CloudFormationLintRule):
    """A rule that looks at a whole template, every parameter as long as it may be."""

    tags = ["project-template"]  # noqa: RUF012  cfn-lint declares it so

    @abstractmethod
    def complaints(self, template: Template) -> Iterator[Complaint]:
        """Everything in the template that breaks the rule."""

    def match(self, cfn: Any) -> list[RuleMatch]:
        """Called by cfn-lint, once for each template file."""
        template = Template.with_longest(Path(cfn.filename).resolve(), cfn.template)
        found = []
        for number, each in enumerate(self.complaints(template)):
            line = each.line - 1
            # cfn-lint takes two matches of the same path and words for one.
            place = (line, 0, line, len(template.lines[line]))
            found.append(RuleMatch([self.id, number], each.words, location=place))
        return found


def explained(template: Template, line: int) -> bool:
    """Whether a comment on the line (from 1), or alone on the line above, gives a reason."""
    here, above = template.lines[line - 1], template.lines[line - 2].strip() if line > 1 else ""
    return " #" in here or above.startswith("#")
