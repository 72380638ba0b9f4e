"""Report groups, and the test reports of builds.

https://docs.aws.amazon.com/codebuild/latest/userguide/test-reporting.html
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from copy import deepcopy
from datetime import timedelta

from rehearsal.cloud.codebuild.junit import STATUSES, TestCase
from rehearsal.cloud.codebuild.room import Room, page, tag_context, without_empty
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation
from rehearsal.cloud.service_calls import CODEBUILD_REPORT

EXPIRY = timedelta(days=30).total_seconds()


def on_group(action: str, member: str) -> Needs:
    """The authorisation of an operation on the report group that `member` (an ARN of it or of its report) names."""

    def needs(room: Reports, request: Document) -> Iterable[Call]:
        arn = room.group_of(request[member])
        return [Call(f"codebuild:{action}", arn, room.group_tags(arn))]

    return needs


def on_groups(action: str, member: str) -> Needs:
    """The same for a list of ARNs."""

    def needs(room: Reports, request: Document) -> Iterable[Call]:
        arns = sorted({room.group_of(arn) for arn in request[member]})
        return [Call(f"codebuild:{action}", arn, room.group_tags(arn)) for arn in arns]

    return needs


class Reports(Room):
    """Operations on report groups and reports."""

    def group_of(self, arn: str) -> str:
        """The report group of a report `...:report/<group>:<id>`; a group's own ARN is itself."""
        if ":report/" not in arn:
            return arn
        return arn.replace(":report/", ":report-group/", 1).rpartition(":")[0]

    # ---- groups

    @operation(
        "CreateReportGroup",
        needs=lambda room, request: [
            Call("codebuild:CreateReportGroup", room.group_arn(request["name"]), tag_context("aws:RequestTag", request))
        ],
    )
    def create_report_group(self, request: Document, caller: Credentials) -> Document:
        arn, now = self.group_arn(request["name"]), self.cloud.clock.timestamp()
        self._check_group(request)
        group = {
            "tags": [],
            **deepcopy(request),
            "arn": arn,
            "created": now,
            "lastModified": now,
            "status": "ACTIVE",
        }
        with self.lock:
            if arn in self.groups:
                raise AwsError("ResourceAlreadyExistsException", f"Report group already exists: {arn}")
            self.groups[arn] = group
        return {"reportGroup": deepcopy(group)}

    @operation("UpdateReportGroup", needs=on_group("UpdateReportGroup", "arn"))
    def update_report_group(self, request: Document, caller: Credentials) -> Document:
        self._check_group(request)
        with self.lock:
            group = self._group(request["arn"])
            group |= {**deepcopy(request), "lastModified": self.cloud.clock.timestamp()}
            return {"reportGroup": deepcopy(group)}

    @operation("DeleteReportGroup", needs=on_group("DeleteReportGroup", "arn"))
    def delete_report_group(self, request: Document, caller: Credentials) -> Document:
        arn = request["arn"]
        with self.lock:
            held = [report for report in self.reports.values() if report["reportGroupArn"] == arn]
            if held and not request.get("deleteReports"):
                raise AwsError(
                    "InvalidInputException", f"Report group {arn} still has {len(held)} reports; set deleteReports"
                )
            for report in held:
                del self.reports[report["arn"]]
                self.test_cases.pop(report["arn"], None)
            self.groups.pop(arn, None)
        return {}

    @operation("BatchGetReportGroups", needs=on_groups("BatchGetReportGroups", "reportGroupArns"))
    def batch_get_report_groups(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            asked = request["reportGroupArns"]
            return without_empty(
                {
                    "reportGroups": [deepcopy(self.groups[arn]) for arn in asked if arn in self.groups],
                    "reportGroupsNotFound": [arn for arn in asked if arn not in self.groups],
                },
                "reportGroups",
                "reportGroupsNotFound",
            )

    @operation("ListReportGroups", needs=lambda *_: [Call("codebuild:ListReportGroups")])
    def list_report_groups(self, request: Document, caller: Credentials) -> Document:
        by = {"CREATED_TIME": "created", "LAST_MODIFIED_TIME": "lastModified"}.get(request.get("sortBy", ""), "name")
        with self.lock:
            ordered = sorted(self.groups.values(), key=lambda group: (str(group[by]), group["name"]))
        arns = [group["arn"] for group in ordered]
        return page(arns[::-1] if request.get("sortOrder") == "DESCENDING" else arns, request, "reportGroups")

    # ---- reports

    @operation("BatchGetReports", needs=on_groups("BatchGetReports", "reportArns"))
    def batch_get_reports(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            asked = request["reportArns"]
            return without_empty(
                {
                    "reports": [deepcopy(self.reports[arn]) for arn in asked if arn in self.reports],
                    "reportsNotFound": [arn for arn in asked if arn not in self.reports],
                },
                "reports",
                "reportsNotFound",
            )

    @operation("ListReports", needs=lambda *_: [Call("codebuild:ListReports")])
    def list_reports(self, request: Document, caller: Credentials) -> Document:
        return self._listed(request, "")

    @operation("ListReportsForReportGroup", needs=on_group("ListReportsForReportGroup", "reportGroupArn"))
    def list_reports_for_report_group(self, request: Document, caller: Credentials) -> Document:
        with self.lock:
            self._group(request["reportGroupArn"])
        return self._listed(request, request["reportGroupArn"])

    @operation("DescribeTestCases", needs=on_group("DescribeTestCases", "reportArn"))
    def describe_test_cases(self, request: Document, caller: Credentials) -> Document:
        wanted = request.get("filter") or {}
        with self.lock:
            if request["reportArn"] not in self.reports:
                raise AwsError("ResourceNotFoundException", f"Report cannot be found: {request['reportArn']}")
            cases = deepcopy(self.test_cases[request["reportArn"]])
        found = [
            case
            for case in cases
            if wanted.get("status") in (None, case["status"]) and wanted.get("keyword", "") in case["name"]
        ]
        return page(found, request, "testCases")

    # ---- for builds

    def publish_report(
        self, credentials: Credentials, group: str, build_arn: str, cases: list[tuple[str, TestCase]]
    ) -> str:
        """Publish a build's test cases (each with the path of its file) as the build's role; the report's ARN.

        A group that does not exist is made, which needs CreateReportGroup. Raises AwsError.
        """
        arn = self.group_arn(group)
        with self.lock:
            missing = arn not in self.groups
        if missing:
            if group.startswith("arn:"):
                raise AwsError("ResourceNotFoundException", f"Report group cannot be found: {arn}")
            settings = {"name": group, "type": "TEST", "exportConfig": {"exportConfigType": "NO_EXPORT"}}
            self.cloud.call(credentials, "codebuild", "CreateReportGroup", settings)
        self.cloud.identity.require_service_calls(credentials, CODEBUILD_REPORT, arn, self.group_tags(arn))
        return self._add(arn, build_arn, cases)

    def _add(self, group_arn: str, build_arn: str, cases: list[tuple[str, TestCase]]) -> str:
        now = self.cloud.clock.timestamp()
        arn = f"{group_arn.replace(':report-group/', ':report/', 1)}:{uuid.uuid4()}"
        counts = dict.fromkeys(STATUSES, 0)
        for _, case in cases:
            counts[case.status] += 1
        with self.lock:
            group = self._group(group_arn)
            self.reports[arn] = {
                "arn": arn,
                "type": "TEST",
                "name": arn.rpartition(":")[2],
                "reportGroupArn": group_arn,
                "executionId": build_arn,
                "status": "FAILED" if counts["FAILED"] or counts["ERROR"] else "SUCCEEDED",
                "created": now,
                "expired": now + EXPIRY,
                "exportConfig": deepcopy(group["exportConfig"]),
                "truncated": False,
                "testSummary": {
                    "total": len(cases),
                    "statusCounts": counts,
                    "durationInNanoSeconds": sum(case.nanoseconds for _, case in cases),
                },
            }
            self.test_cases[arn] = [
                {
                    "reportArn": arn,
                    "testRawDataPath": path,
                    "prefix": case.prefix,
                    "name": case.name,
                    "status": case.status,
                    "durationInNanoSeconds": case.nanoseconds,
                    "message": case.message,
                    "expired": now + EXPIRY,
                    "testSuiteName": case.suite,
                }
                for path, case in cases
            ]
        return arn

    def _group(self, arn: str) -> Document:
        if arn not in self.groups:
            raise AwsError("ResourceNotFoundException", f"Report group cannot be found: {arn}")
        return self.groups[arn]

    def _listed(self, request: Document, group: str) -> Document:
        wanted = (request.get("filter") or {}).get("status")
        with self.lock:
            arns = [
                arn
                for arn, report in self.reports.items()
                if group in ("", report["reportGroupArn"]) and wanted in (None, report["status"])
            ]
        return page(arns if request.get("sortOrder") == "ASCENDING" else arns[::-1], request, "reports")

    @staticmethod
    def _check_group(request: Document) -> None:
        if request.get("type") == "CODE_COVERAGE":
            raise NotImplementedHere(f"code coverage reports (report group {request['name']})")
        if request.get("exportConfig", {}).get("exportConfigType") == "S3":
            name = request.get("name", request.get("arn"))
            raise NotImplementedHere(f"exporting reports to S3 (report group {name})")
