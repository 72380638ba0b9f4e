"""What ministack's stacks forget to set, set after all.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`.

Where a template sets a property that the base would drop in silence, the property is stored through the service's own
API, so that reading it back gives what AWS would give; a bucket's property that nobody stores is an error that names
it. `tests/rehearsal/base/test_properties.py` reads back everything that the project's templates use.

Private names of ministack 1.5.33 used here: of `services.s3` the `_put_bucket_*` and `_delete_bucket_*` functions,
`_bucket_tags` and `_bucket_versioning`; `cloudwatch._alarms`; `eventbridge._tag_resource`; `iam._roles`; `sns._topics`;
`helpers._resolve_document`; `provisioners._RESOURCE_HANDLERS` and `_STACK_TAG_PROPERTY`;
`stacks._with_stack_tags`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from ministack.services import cloudwatch, eventbridge, iam, s3, sns
from ministack.services.cloudformation import helpers, provisioners, stacks

from rehearsal.cloud import base_exports, base_holdings, base_names, base_parameters, base_templates

Properties = dict[str, Any]
Apply = Callable[[str, Properties, Properties, Properties], None]
"""What a repair does: `apply(physical_id, attributes, previous_properties, properties)`."""

TAGGED_LATE = ("AWS::S3::Bucket", "AWS::Events::Rule")
"""Types that AWS gives a stack's tags and ministack does not."""

_system_tags: dict[tuple[str, str], dict[str, str]] = {}
"""CloudFormation's own tags of a resource by stack name and logical id: no permission of the stack's role is needed
for them, so they stay out of the properties that the role is authorised for."""


def install() -> None:
    """Wrap ministack's handlers. Call it once, before the base serves."""
    base_templates.install()
    base_parameters.install()
    base_exports.install()
    base_names.install()
    base_holdings.install()
    _repair("AWS::S3::Bucket", _complete_bucket, check=_check_bucket)
    _repair("AWS::Events::Rule", _complete_rule)
    _repair("AWS::CloudWatch::Alarm", _complete_alarm)
    _repair("AWS::SNS::Topic", _complete_topic)
    _hand_stack_tags_down()
    _keep_role_boundaries()
    _find_templates_by_any_address()


def _repair(type_name: str, apply: Apply, check: Callable[[Properties], None] | None = None) -> None:
    handlers = provisioners._RESOURCE_HANDLERS[type_name]
    create, update = handlers["create"], handlers["update"]
    with_logical_id = handlers.get("update_with_logical_id", False)

    def repaired_create(logical_id: str, props: Properties, stack_name: str) -> tuple[str, Properties]:
        if check is not None:
            check(props)
        physical_id, attributes = create(logical_id, props, stack_name)
        apply(physical_id, {**attributes, **_found(stack_name, logical_id)}, {}, props)
        return physical_id, attributes

    def repaired_update(
        physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str = ""
    ) -> tuple[str, Properties]:
        if check is not None:
            check(new)
        rest = (logical_id,) if with_logical_id else ()
        new_id, attributes = update(physical_id, old, new, stack_name, *rest)
        apply(new_id, {**attributes, **_found(stack_name, logical_id)}, old if new_id == physical_id else {}, new)
        return new_id, attributes

    provisioners._RESOURCE_HANDLERS[type_name] = {
        **handlers, "create": repaired_create, "update": repaired_update, "update_with_logical_id": True
    }  # fmt: skip


def _found(stack_name: str, logical_id: str) -> Properties:
    return {"SystemTags": _system_tags.get((stack_name, logical_id), {})}


def _hand_stack_tags_down() -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-add-tags.html"""
    for type_name in TAGGED_LATE:
        provisioners._STACK_TAG_PROPERTY.setdefault(type_name, ("Tags", "list"))
    merge = stacks._with_stack_tags

    def merged(
        resource_type: str, props: Properties, stack_tags: list[dict[str, str]],
        stack_name: str, stack_id: str, logical_id: str,
    ) -> Properties:  # fmt: skip
        found: Properties = merge(resource_type, props, stack_tags, stack_name, stack_id, logical_id)
        if resource_type not in TAGGED_LATE:
            return found
        system = {tag["Key"]: tag["Value"] for tag in found["Tags"] if tag["Key"].startswith("aws:")}
        _system_tags[stack_name, logical_id] = system
        own = [tag for tag in found["Tags"] if tag["Key"] not in system]
        without = {name: value for name, value in found.items() if name != "Tags"}
        return {**without, "Tags": own} if own else without

    stacks._with_stack_tags = merged


def _keep_role_boundaries() -> None:
    """ministack's stacks forget a role's PermissionsBoundary: without it every boundary would be decoration."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]
    create, update = handlers["create"], handlers["update"]

    def bounded_create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        name, attributes = create(logical_id, props, stack_name)
        iam._roles[name]["PermissionsBoundary"] = props.get("PermissionsBoundary")
        return name, attributes

    def bounded_update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:  # noqa: ANN401
        result = update(physical_id, old, new, *rest)
        iam._roles[result[0]]["PermissionsBoundary"] = new.get("PermissionsBoundary")
        return result

    provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"] = {**handlers, "create": bounded_create, "update": bounded_update}


def _find_templates_by_any_address() -> None:
    """Let TemplateURL be a virtual-hosted address too (`https://<bucket>.s3.<region>.amazonaws.com/<key>`)."""
    resolve = helpers._resolve_document

    def resolve_any(params: dict[str, Any], body_key: str, url_key: str, label: str) -> Any:  # noqa: ANN401
        given = params.get(url_key)
        url = given[0] if isinstance(given, list) else given
        parts = urlsplit(url or "")
        if ".s3" in parts.netloc:
            bucket = parts.netloc.split(".s3", 1)[0]
            params = {**params, url_key: [f"https://s3.amazonaws.com/{bucket}{parts.path}"]}
        return resolve(params, body_key, url_key, label)

    helpers._resolve_document = resolve_any


# ---- buckets


STORED_BY_MINISTACK = {
    "BucketName",
    "CorsConfiguration",
    "NotificationConfiguration",
    "PublicAccessBlockConfiguration",
    "WebsiteConfiguration",
}
STORED_HERE = {"BucketEncryption", "LifecycleConfiguration", "OwnershipControls", "Tags", "VersioningConfiguration"}
RULE_MEMBERS = {
    "Id",
    "Status",
    "Prefix",
    "ExpirationInDays",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
}


def _check_bucket(props: Properties) -> None:
    unknown = sorted(set(props) - STORED_BY_MINISTACK - STORED_HERE)
    if unknown:
        raise ValueError(f"the rehearsal cannot set {', '.join(unknown)} of an AWS::S3::Bucket")
    for rule in props.get("LifecycleConfiguration", {}).get("Rules", []):
        unknown = sorted(set(rule) - RULE_MEMBERS)
        if unknown:
            raise ValueError(f"the rehearsal cannot set {', '.join(unknown)} of a bucket's lifecycle rule")


def _complete_bucket(name: str, attributes: Properties, previous: Properties, props: Properties) -> None:
    for property_name, tag, put, delete in (
        ("LifecycleConfiguration", "LifecycleConfiguration", s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
        ("BucketEncryption", "ServerSideEncryptionConfiguration", s3._put_bucket_encryption,
         s3._delete_bucket_encryption),
        ("OwnershipControls", "OwnershipControls", s3._put_bucket_ownership_controls,
         s3._delete_bucket_ownership_controls),
    ):  # fmt: skip
        if property_name in props:
            _check_answer(property_name, put(name, _document(tag, _RULES[property_name](props[property_name]))))
        elif property_name in previous:
            delete(name)
    status = props.get("VersioningConfiguration", {}).get("Status")
    if status:
        s3._bucket_versioning[name] = status
    elif "VersioningConfiguration" in previous:  # a bucket that was versioned can only be suspended
        s3._bucket_versioning[name] = "Suspended"
    tags = {tag["Key"]: tag["Value"] for tag in props.get("Tags") or []}
    s3._bucket_tags[name] = {**tags, **attributes["SystemTags"]}


def _check_answer(what: str, answer: tuple[int, Any, bytes]) -> None:
    if answer[0] >= 400:
        raise ValueError(f"{what}: {answer[2].decode(errors='replace')}")


def _lifecycle(configuration: Properties) -> list[Properties]:
    rules = []
    for rule in configuration["Rules"]:
        told: Properties = {"ID": rule["Id"]} if "Id" in rule else {}
        told |= {"Filter": {"Prefix": rule.get("Prefix", "")}, "Status": rule["Status"]}
        if "ExpirationInDays" in rule:
            told["Expiration"] = {"Days": rule["ExpirationInDays"]}
        told |= {
            name: rule[name]
            for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
            if name in rule
        }
        rules.append(told)
    return rules


def _encryption(configuration: Properties) -> list[Properties]:
    return [
        {
            name.replace("ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault"): value
            for name, value in rule.items()
        }
        for rule in configuration["ServerSideEncryptionConfiguration"]
    ]


def _ownership(configuration: Properties) -> list[Properties]:
    rules: list[Properties] = configuration["Rules"]
    return rules


_RULES: dict[str, Callable[[Properties], list[Properties]]] = {
    "LifecycleConfiguration": _lifecycle,
    "BucketEncryption": _encryption,
    "OwnershipControls": _ownership,
}
"""The rules of a property as S3's own API names their members: all three are lists of rules there."""


def _document(tag: str, rules: list[Properties]) -> bytes:
    root = ElementTree.Element(tag, xmlns=s3.S3_NS)
    for rule in rules:
        _fill(ElementTree.SubElement(root, "Rule"), rule)
    return ElementTree.tostring(root)


def _fill(element: ElementTree.Element, members: Properties) -> None:
    for name, value in members.items():
        child = ElementTree.SubElement(element, name)
        if isinstance(value, dict):
            _fill(child, value)
        else:
            child.text = str(value).lower() if isinstance(value, bool) else str(value)


# ---- rules, alarms and topics


def _complete_rule(name: str, attributes: Properties, previous: Properties, props: Properties) -> None:
    tags = [{"Key": key, "Value": value} for key, value in attributes["SystemTags"].items()]
    if tags:
        eventbridge._tag_resource({"ResourceARN": attributes["Arn"], "Tags": tags})


def _complete_alarm(name: str, attributes: Properties, previous: Properties, props: Properties) -> None:
    """An alarm has a statistic or a percentile, never both; ministack adds an average to every percentile."""
    if props.get("ExtendedStatistic"):
        cloudwatch._alarms[name].pop("Statistic", None)


def _complete_topic(arn: str, attributes: Properties, previous: Properties, props: Properties) -> None:
    """A topic that is given no name to show has none; ministack shows the topic's own, and drops the topic's key."""
    kept = sns._topics[arn]["attributes"]
    kept["DisplayName"] = str(props.get("DisplayName") or "")
    kept.pop("KmsMasterKeyId", None)
    if props.get("KmsMasterKeyId"):
        kept["KmsMasterKeyId"] = str(props["KmsMasterKeyId"])
