"""Exports of stacks: each name once, and none that is taken away while another stack uses it.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack lets a
stack take over another's export, and change or drop one that is imported; what an update drops stays exported.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html

Private names of ministack 1.5.33 used here: `stacks._resolve_stack_outputs` and `stacks._resolve_refs`; of `handlers`
`_ACTION_HANDLERS`, `_imported_export_names`, `_resolve_stack`, `_error` and `_p`; `cloudformation._exports` and
`_stacks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, stacks

Document = dict[str, Any]


def install() -> None:
    """Watch over exports. Call it once, before the base serves."""
    _check_outputs()
    _word_missing_exports()
    _keep_exporters()


def _check_outputs() -> None:
    resolve = stacks._resolve_stack_outputs

    def checked(*arguments: Any) -> tuple[list[Document], Document]:  # noqa: ANN401 - ministack's signature
        outputs: list[Document]
        exports: Document
        outputs, exports = resolve(*arguments)
        stack_id = arguments[-1]
        before = {name: each["Value"] for name, each in cloudformation._exports.items() if each["StackId"] == stack_id}
        for name in exports:
            other = cloudformation._exports.get(name)
            if other is not None and other["StackId"] != stack_id:
                raise ValueError(
                    f"Export with name {name} is already exported by stack {other['StackId'].split('/')[1]}"
                )
        for name, value in before.items():
            change = "deleted" if name not in exports else "updated" if exports[name]["Value"] != value else ""
            user = next(_importers(name, stack_id), "") if change else ""
            if user:
                raise ValueError(f"Export {name} cannot be {change} as it is in use by {user}")
        for name in before.keys() - exports.keys():  # nothing can fail any more
            cloudformation._exports.pop(name, None)
        return outputs, exports

    stacks._resolve_stack_outputs = checked


def _importers(export: str, exporter: str) -> Iterator[str]:
    for name, stack in cloudformation._stacks.items():
        there = stack["StackId"] != exporter and stack["StackStatus"] not in ("DELETE_COMPLETE", "ROLLBACK_COMPLETE")
        if there and export in handlers._imported_export_names(stack, name):
            yield name


def _word_missing_exports() -> None:
    resolve = stacks._resolve_refs

    def worded(*arguments: Any) -> Any:  # noqa: ANN401 - ministack's signature
        try:
            return resolve(*arguments)
        except ValueError as problem:
            words = str(problem).split("'")
            if len(words) == 3 and (words[0], words[2]) == ("Export ", " not found"):
                raise ValueError(f"No export named {words[1]} found.") from problem
            raise

    stacks._resolve_refs = worded


def _keep_exporters() -> None:
    delete = handlers._ACTION_HANDLERS["DeleteStack"]

    def kept(params: Document) -> Any:  # noqa: ANN401 - ministack's answer
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        for output in (stack or {}).get("Outputs") or []:
            export = output.get("ExportName")
            user = next(_importers(export, stack["StackId"]), "") if stack and export else ""
            if user:
                return handlers._error(
                    "ValidationError", f"Export {export} cannot be deleted as it is in use by {user}"
                )
        return delete(params)

    handlers._ACTION_HANDLERS["DeleteStack"] = kept
