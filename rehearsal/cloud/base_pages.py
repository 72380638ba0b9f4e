"""Lists of IAM, KMS, EventBridge, CloudWatch and tags in pages, where ministack answers everything at once.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack takes no
notice of `MaxItems`, `Limit`, a token, or of how many AWS answers at most: a program that does not ask for the next
page would see everything here, and a part on AWS. Pages are cut as those of our rooms (`pages.py`), of the documented
size. `base_listings.py` has those of S3. A size that is no number, at which ministack breaks off, is refused: by IAM
with the code that AWS's query services have for what they cannot read (IAM's words for it are not documented), by the
others in the words of `validation.py`.

- IAM's lists, 100 to a page: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html (MaxItems)
- KMS: https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html (Limit)
- EventBridge: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html (Limit); ministack's own
  pages of rules go by their number, so that what comes between two hides one or shows it twice
- Resource Groups Tagging: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
- CloudWatch, 500 metrics: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
- its other lists give no token out here, so that none can be right; `MaxDatapoints` is not played:
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html

Private names of ministack 1.5.33 used here: of `iam` `_IAM_HANDLERS` and `_error`; of `kms` `_list_keys`,
`_list_aliases` and `_list_resource_tags`; `tagging._HANDLERS`; of `eventbridge` `_list_event_buses`, `_list_rules`,
`_list_rule_names_by_target` and `_list_targets_by_rule`; of `cloudwatch` `_list_metrics`, `_list_dashboards`,
`_get_metric_data`, `_cbor_ok`, `_json_ok`, `_xml`, `_p` and `_error`.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as Xml
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.responses import error_response_json
from ministack.services import cloudwatch, eventbridge, iam, kms, tagging

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.json_kinds import json_kind
from rehearsal.cloud.pages import Tokens, asking, cut

Document = dict[str, Any]
EVERYTHING = 10**9
IAM = "{https://iam.amazonaws.com/doc/2010-05-08/}"
IDENTITIES = (
    *("RoleName", "UserName", "GroupName", "PolicyName", "InstanceProfileName"),
    *("VersionId", "AccessKeyId", "SerialNumber", "Key", "Arn"),
)
METRICS_TO_A_PAGE = 500
INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
TOKENS = Tokens()


@dataclass(frozen=True)
class Lists:
    """A list of a service that speaks JSON: by which member of the answer, and how many to a page."""

    module: Any
    handler: str
    member: str
    size: int
    most: int
    asked: str = "NextToken"
    given: str = "NextToken"
    error: str = "ValidationException"
    limit: str = "Limit"


IN_JSON = (
    Lists(kms, "_list_keys", "Keys", 100, 1000, "Marker", "NextMarker", "InvalidMarkerException"),
    Lists(kms, "_list_aliases", "Aliases", 50, 100, "Marker", "NextMarker", "InvalidMarkerException"),
    Lists(kms, "_list_resource_tags", "Tags", 50, 50, "Marker", "NextMarker", "InvalidMarkerException"),
    Lists(eventbridge, "_list_event_buses", "EventBuses", 100, 100),
    Lists(eventbridge, "_list_rules", "Rules", 100, 100),
    Lists(eventbridge, "_list_rule_names_by_target", "RuleNames", 100, 100),
    Lists(eventbridge, "_list_targets_by_rule", "Targets", 100, 100),
)


TAGGED = Lists(
    tagging, "_get_resources", "ResourceTagMappingList", 50, 100,
    "PaginationToken", "PaginationToken", "InvalidParameterException", "ResourcesPerPage",
)  # fmt: skip


def install() -> None:
    """Answer in pages. Call it once, before the base serves."""
    for name, handler in iam._IAM_HANDLERS.items():
        if name.startswith("List") or name == "GetGroup":
            iam._IAM_HANDLERS[name] = _iam_pages(name, handler)
    for lists in IN_JSON:
        setattr(lists.module, lists.handler, _json_pages(lists, getattr(lists.module, lists.handler)))
    tagging._HANDLERS["GetResources"] = _json_pages(TAGGED, tagging._HANDLERS["GetResources"])
    cloudwatch._list_metrics = _metric_pages(cloudwatch._list_metrics)
    cloudwatch._list_dashboards = _without_tokens(cloudwatch._list_dashboards, "InvalidParameterValue")
    cloudwatch._get_metric_data = _without_tokens(cloudwatch._get_metric_data, "InvalidNextToken", "MaxDatapoints")


def _page(
    operation: str, about: Mapping[str, Any], items: Sequence[Any], token: str, size: int, error: str
) -> tuple[list[Any], str | None]:
    with asking(TOKENS, operation, about):
        return cut(items, token or None, size, error)


def _out_of_range(member: str, value: int, most: int) -> str:
    """What AWS says of a size; empty for one that it takes."""
    if 1 <= value <= most:
        return ""
    bound = "greater than or equal to 1" if value < 1 else f"less than or equal to {most}"
    return (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must have value {bound}"
    )


# ---- IAM


def _iam_pages(operation: str, handler: Callable[[Document], Any]) -> Callable[[Document], Any]:
    def answer(request: Document) -> Any:  # noqa: ANN401 - ministack's answer
        asked = {name: value[0] if isinstance(value, list) else value for name, value in request.items()}
        token, given = str(asked.pop("Marker", "")), str(asked.pop("MaxItems", 100))
        if not INTEGER.fullmatch(given):
            return iam._error(400, "MalformedInput", "MaxItems can not be converted to an Integer", ns="iam")
        size = int(given)
        problem = _out_of_range("maxItems", size, 1000)
        if problem:
            return iam._error(400, "ValidationError", problem, ns="iam")
        status, headers, body = handler(request)
        if status != 200 or b"<IsTruncated>" not in body or (not token and body.count(b"<member>") <= size):
            return status, headers, body
        root = Xml.fromstring(body)  # noqa: S314 - ministack's own answer
        [result] = [each for each in root if each.tag.endswith("Result")]
        # ListEntitiesForPolicy has three lists: its pages go through one after the other.
        held = [(holder, item) for holder in result for item in holder if item.tag == f"{IAM}member"]
        items = [
            {"Name": f"{holder.tag} {_identity(item)}", "place": place} for place, (holder, item) in enumerate(held)
        ]
        try:
            page, following = _page(operation, asked, items, token, size, "ValidationError")
        except AwsError as refusal:
            return iam._error(400, refusal.code, "Invalid Marker.", ns="iam")
        shown = {each["place"] for each in page}
        for place, (holder, item) in enumerate(held):
            if place not in shown:
                holder.remove(item)
        truncated = result.find(f"{IAM}IsTruncated")
        if following and truncated is not None:
            truncated.text = "true"
            Xml.SubElement(result, f"{IAM}Marker").text = following
        return status, headers, Xml.tostring(root, default_namespace=IAM.strip("{}"))

    return answer


def _identity(item: Xml.Element) -> str:
    """What tells a member of a list from the next: a name, or what it has in place of one."""
    found = (item.findtext(f"{IAM}{each}") for each in IDENTITIES)
    return next((each for each in found if each), item.text or "")


# ---- KMS, EventBridge


def _json_pages(lists: Lists, handler: Callable[[Document], Any]) -> Callable[[Document], Any]:
    def answer(request: Document) -> Any:  # noqa: ANN401 - ministack's answer
        asked = {name: value for name, value in request.items() if name not in (lists.limit, lists.asked)}
        given = request.get(lists.limit)
        size = lists.size if given is None else given
        if type(size) is not int:
            message = f"{json_kind(size)} can not be converted to an Integer"
            return error_response_json("SerializationException", message, 400)
        problem = _out_of_range(f"{lists.limit[0].lower()}{lists.limit[1:]}", size, lists.most)
        if problem:
            code = lists.error if lists is TAGGED else "ValidationException"
            return error_response_json(code, problem, 400)
        status, headers, body = handler({**asked, **({"Limit": EVERYTHING} if lists.limit == "Limit" else {})})
        if status != 200:
            return status, headers, body
        whole = json.loads(body)
        items = whole[lists.member]
        while whole.get(lists.given):  # some answer no more than a page, whatever they are asked for
            whole = json.loads(handler({**asked, lists.asked: whole[lists.given]})[2])
            items += whole[lists.member]
        try:
            page, following = _page(lists.handler, asked, items, request.get(lists.asked, ""), size, lists.error)
        except AwsError as refusal:
            return error_response_json(refusal.code, "The marker is not valid.", 400)
        whole[lists.member] = page
        if "Truncated" in whole:
            whole["Truncated"] = following is not None
        if following:
            whole[lists.given] = following
        return status, headers, json.dumps(whole).encode()

    return answer


# ---- CloudWatch, which speaks three protocols


def _metric_pages(handler: Callable[..., Any]) -> Callable[..., Any]:
    def answer(form: Document, request: Document, is_cbor: bool, is_json: bool = False) -> Any:  # noqa: ANN401
        asked = dict(request) if is_cbor or is_json else _metrics_of_form(form)
        token = str(asked.pop("NextToken", "") or "")
        whole = json.loads(handler({}, asked, False, is_json=True)[2])["Metrics"]
        items = [{"Name": json.dumps(each, sort_keys=True), "metric": each} for each in whole]
        try:
            page, following = _page("ListMetrics", asked, items, token, METRICS_TO_A_PAGE, "InvalidParameterValue")
        except AwsError as problem:
            return cloudwatch._error(problem.code, "The value of NextToken is not valid.", 400, is_json, is_cbor)
        metrics = [each["metric"] for each in page]
        found = {"Metrics": metrics, **({"NextToken": following} if following else {})}
        if is_cbor:
            return cloudwatch._cbor_ok(found)
        return cloudwatch._json_ok(found) if is_json else _metrics_in_xml(metrics, following or "")

    return answer


def _metrics_of_form(form: Document) -> Document:
    """A request of the query protocol as the others have it."""
    of_form = {name: cloudwatch._p(form, name) for name in ("Namespace", "MetricName", "NextToken")}
    found: Document = {name: value for name, value in of_form.items() if value}
    numbers = (str(number) for number in range(1, 31))
    place = "Dimensions.member."
    named = [
        {part: cloudwatch._p(form, f"{place}{number}.{part}") for part in ("Name", "Value")}
        for number in numbers
        if cloudwatch._p(form, f"{place}{number}.Name")
    ]
    return {**found, "Dimensions": named} if named else found


def _metrics_in_xml(metrics: Sequence[Document], token: str) -> Any:  # noqa: ANN401 - ministack's answer
    def members(items: Sequence[Document]) -> str:
        return "".join(
            f"<member>{''.join(f'<{name}>{_written(value)}</{name}>' for name, value in each.items())}</member>"
            for each in items
        )

    def _written(value: Any) -> str:  # noqa: ANN401 - a text or a list of dimensions
        return members(value) if isinstance(value, list) else escape(str(value))

    following = f"<NextToken>{token}</NextToken>" if token else ""
    inner = f"<ListMetricsResult><Metrics>{members(metrics)}</Metrics>{following}</ListMetricsResult>"
    return cloudwatch._xml(200, "ListMetricsResponse", inner)


def _without_tokens(handler: Callable[..., Any], error: str, unplayed: str = "") -> Callable[..., Any]:
    """A list that is answered whole: it gave no token out, and `unplayed`, a member of its request, is refused."""

    def answer(form: Document, request: Document, is_cbor: bool, is_json: bool = False) -> Any:  # noqa: ANN401
        def refuse(code: str, message: str, status: int) -> Any:  # noqa: ANN401 - ministack's answer
            return cloudwatch._error(code, message, status, is_json, is_cbor)

        if request.get("NextToken") or cloudwatch._p(form, "NextToken"):
            return refuse(error, "The value of NextToken is not valid.", 400)
        if unplayed and (request.get(unplayed) or cloudwatch._p(form, unplayed)):
            return refuse("NotImplemented", f"{unplayed} is not implemented by the rehearsal's cloud", 501)
        return handler(form, request, is_cbor, is_json)

    return answer
