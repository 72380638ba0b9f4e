"""Alarms say what silence means."""

from __future__ import annotations

from collections.abc import Iterator

from checks import rule
from checks.template_file import Template


class MissingData(rule.TemplateRule):
    """Without it an alarm keeps its state while nobody calls, and a deployment is judged by an old one.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data
    """

    id = "E9011"
    shortdesc = "Alarms state how missing data is treated"
    description = "Every alarm has TreatMissingData"

    def complaints(self, template: Template) -> Iterator[rule.Complaint]:
        for alarm in template.of_type("AWS::CloudWatch::Alarm"):
            if "TreatMissingData" not in alarm.properties:
                yield rule.Complaint(alarm.line, f"{alarm.logical_id} does not say how it treats missing data")
