"""checkov on templates: run by the Python of .venvs/lint, which has checkov and nothing of ours.

Its runner is called instead of its command line: that imports the checks of a dozen other frameworks first, and takes
twice as long. What stays as it is says why in the resource's Metadata:
https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
"""

from __future__ import annotations

import logging
import os
import sys

os.environ.setdefault("LOG_LEVEL", "ERROR")


def main(broken: str, paths: list[str]) -> int:
    """Say what checkov finds in templates, and where it is told to be silent without a reason.

    In the template `broken` it has to find something: else it has stopped looking.
    """
    from checkov.cloudformation.runner import Runner
    from checkov.runner_filter import RunnerFilter
    from ply import yacc

    # Its JSONPath parser works the same grammar's tables out for every path it reads, most of the time it takes.
    # https://github.com/bridgecrewio/jsonpath-ng/blob/master/bc_jsonpath_ng/parser.py (parse_token_stream)
    yacc.yacc = once_per_grammar(yacc.yacc)  # type: ignore[no-untyped-call]
    logging.disable(logging.WARNING)
    report = Runner().run(None, files=[broken, *paths], runner_filter=RunnerFilter(framework=["cloudformation"]))
    proof = [each for each in report.failed_checks if _is(each, broken)]
    said = [
        f"{_place(each)}: {each.check_id} {each.check_name}" for each in report.failed_checks if not _is(each, broken)
    ]
    said += [
        f"{_place(each)}: {each.check_id} is skipped and its Metadata does not say why"
        for each in report.skipped_checks
        if each.check_result["suppress_comment"] in ("", "No comment provided")
    ]
    said += [f"{path}: checkov could not read it" for path in report.parsing_errors]
    if not proof:
        said.append(f"checkov finds nothing wrong in {broken}, which breaks its rules: it is not looking")
    print("\n".join(said))
    return 1 if said else 0


def once_per_grammar(make):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  ply's own
    """PLY's maker of parsers, with each parser kept: one for every class that holds a grammar, and start symbol."""
    made = {}

    def kept(**given):  # type: ignore[no-untyped-def]  # noqa: ANN003, ANN202
        grammar = (type(given["module"]), given["start"])
        if grammar not in made:
            made[grammar] = make(**given)
        return made[grammar]

    return kept


def _is(record, path: str) -> bool:  # type: ignore[no-untyped-def]  # noqa: ANN001  checkov's own class
    return bool(os.path.realpath(record.file_abs_path) == os.path.realpath(path))


def _place(record) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return f"{os.path.relpath(record.file_abs_path)}:{record.file_line_range[0]}: {record.resource}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
