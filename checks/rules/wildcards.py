"""Nothing is granted on everything without a reason that a reviewer can read there."""

from __future__ import annotations

from collections.abc import Iterator

from checks import rule
from checks.statements import Statement, statements
from checks.template_file import Template, line_of


class WildcardActions(rule.TemplateRule):
    """A denial may be as wide as it likes; what is allowed is named."""

    id = "E9004"
    shortdesc = "Actions are named"
    description = "No statement allows an action with a wildcard without a comment beside it that says why"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        for each in statements(template):
            line = line_of_key(each, "Action")
            for action in each.actions if each.allows else ():
                if ("*" in action or "?" in action) and not rule.explained(template, line):
                    yield rule.Complaint(line, f"{each.name} allows {action} and does not say why")


class WildcardResources(rule.TemplateRule):
    """Some actions know no resource. Every other statement that reaches all of them needs a better reason."""

    id = "E9005"
    shortdesc = "Resources are named"
    description = "No statement is for every resource without a comment beside it that says why"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        for each in statements(template):
            line = line_of_key(each, "Resource")
            if "*" in each.resources and not rule.explained(template, line):
                yield rule.Complaint(line, f"{each.name} reaches every resource and does not say why")


def line_of_key(statement: Statement, key: str) -> int:
    """The line (from 1) on which a statement names its actions or resources."""
    return next(line_of(each) for each in statement.written if key in each)
