"""Every message that this project prints to people, read from its code and templates.

A message is a string that is raised in an error of the project's own, or handed to something that ends a program with
it. Of its parts that stand between the values filled in, the longest is what people search for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = (
    "build_repo/pipelines",
    "build_repo/steps",
    "build_repo/project_tools",
    "deploy_repo/build.py",
    "deploy_repo/deployment",
    "service_catalog",
    "seed_code",
    "cloudformation/functions",
    "rehearsal",
    "new_model",
    "pricing",
    "smoke_aws",
)
AWS_SPEAKS = "rehearsal/cloud"
"""Here errors carry the words of AWS, but for RuntimeError, which tells why a cloud cannot stand."""
BASE_SPEAKS = (ROOT / AWS_SPEAKS / "base_").as_posix()
"""Of the base's own process: stacks read these errors, as AWS's."""
IN_CLOUD = {"RuntimeError"}
BUILT_IN = {"RuntimeError", "SystemExit", "ValueError"}
SAID_ONCE = {"StoryError", "NotImplementedHere"}
"""Of these there are hundreds, and one thing to know about all of them."""
ENDING_CALLS = {"exit", "error", "_refuse"}
"""`sys.exit(message)`, `parser.error(message)`, and the command line of publishing."""
FUNCTIONS = "cloudformation/functions"
SAYING = {"fail": (1,), "_fail": (1,), "_say": (0,), "publish": (2, 3), "Message": (0, 1), "Done": (0,)}
"""In the functions and in `make rollback`: calls that tell a person something, and which arguments are the message."""
SAID_BY = (FUNCTIONS, "deploy_repo/deployment")
REPORTING = re.compile(
    r"^(?:report|_tell_failure|_asks_for_help|clear_the_way|take_up|superfluous|question|kept|words)$"
)
"""In the functions: what a person reads is put together here, piece by piece."""
LIST_OF_TEXTS = {"parts"}
TELLING = re.compile(r"explain|advice|shortage|_watch|_larger")
"""Functions whose results are messages."""
ARGUMENT = {"Violation": 2, "Finding": 0}
"""Which argument is the message, where it is not the first."""
CONSTRAINTS = re.compile(r"^(\s*)(?:ConstraintDescription|AssertDescription): *(.*)$")
TOLD_BY_TEMPLATE = re.compile(r"^(\s*)(?:InputTemplate|CustomData): *(?:!Sub *)?(.*)$")
SHORTEST = 12
GAP = "\0"
"""Stands where a value is filled in."""


@dataclass(frozen=True)
class Message:
    """One message: where it stands, and its words with gaps."""

    where: str
    words: str

    @property
    def fragment(self) -> str:
        """Its longest part without a gap, in one line."""
        parts = [plain(part) for part in re.split(f"{GAP}|\\n", self.words)]
        return max(parts, key=len)


def plain(text: str) -> str:
    """Text as it is compared: one space between words, none around, no mark at the end."""
    return " ".join(text.replace("`", "").split()).strip(" .,:;('\")")


def all_messages() -> list[Message]:
    """Every message, by where it stands."""
    found = [message for file in python_files() for message in messages_of(file)]
    for template in sorted((ROOT / "cloudformation").glob("*.yaml")):
        found += constraints_of(template)
        found += mails_of(template)
    for folder in (ROOT, ROOT / "build_repo", ROOT / "deploy_repo"):
        found += verbs_of(folder / "Makefile")
    return [message for message in found if len(message.fragment) >= SHORTEST]


def python_files() -> list[Path]:
    files: list[Path] = []
    for each in CODE:
        path = ROOT / each
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [file for file in files if file.exists() and not file.as_posix().startswith(BASE_SPEAKS)]


def messages_of(file: Path) -> Iterator[Message]:
    """The messages of one Python file."""
    name = file.relative_to(ROOT).as_posix()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    errors = IN_CLOUD if name.startswith(AWS_SPEAKS) else BUILT_IN | _own_errors() | set(ARGUMENT)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    given = [value for name, value in constants.items() if name.startswith(("MESSAGE", "WHAT_NOW", "ONLY_THE"))]
    if name.startswith(SAID_BY):
        yield from _said(tree, name, constants)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given += _given(node, errors, in_cloud=name.startswith(AWS_SPEAKS))
        elif isinstance(node, ast.FunctionDef) and TELLING.search(node.name) and not name.startswith(AWS_SPEAKS):
            given += [each.value for each in ast.walk(node) if isinstance(each, TOLD) and each.value is not None]
    for argument in given:
        words = _words(argument, constants)
        if words:
            yield Message(f"{name}:{argument.lineno}", words)


def _said(tree: ast.Module, name: str, constants: dict[str, ast.expr]) -> Iterator[Message]:
    """What a function of the project or `make rollback` says without an error."""
    given: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            texts = {
                target.id: each.value
                for each in ast.walk(node)
                if isinstance(each, ast.Assign)
                for target in each.targets
                if isinstance(target, ast.Name)
            }
            for each in ast.walk(node):
                if isinstance(each, ast.Call) and _name(each.func) in SAYING:
                    given += [each.args[place] for place in SAYING[_name(each.func)] if place < len(each.args)]
            # A text that was put in a variable first
            given = [texts.get(each.id, each) if isinstance(each, ast.Name) else each for each in given]
            filled_in = [each.value for each in ast.walk(node) if isinstance(each, ast.FormattedValue)]
            given += [texts[each.id] for each in filled_in if isinstance(each, ast.Name) and each.id in texts]
            if name.startswith(FUNCTIONS) and REPORTING.match(node.name):
                given += [each.value for each in ast.walk(node) if isinstance(each, TOLD) and each.value is not None]
                given += _pieces(node)
    for argument in given:
        # Every part of it: in the functions' messages the longest is often advice that others give too.
        for part in re.split(f"{GAP}|\\n", _words(argument, constants)):
            yield Message(f"{name}:{argument.lineno}", part)


def _pieces(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """What a report is put together of: `parts = [...]`, `parts.append(...)`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and _name(node.func) == "append" and isinstance(node.func, ast.Attribute):
            if _name(node.func.value) in LIST_OF_TEXTS:
                yield from node.args
        elif isinstance(node, ast.List):
            yield from node.elts


TOLD = (ast.Return, ast.Yield, ast.Assign)


def _given(node: ast.Call, errors: set[str], *, in_cloud: bool) -> list[ast.expr]:
    """The arguments of a call that are messages."""
    name, keywords = _name(node.func), {each.arg: ast.unparse(each.value) for each in node.keywords}
    if name in errors:
        place = ARGUMENT.get(name, 0)
        return list(node.args[place : place + 1])
    if name == "append" and isinstance(node.func, ast.Attribute) and _name(node.func.value) in ("faults", "problems"):
        return list(node.args)
    aloud = name == "print" and keywords.get("file") == "sys.stderr"
    red = name == "say" and keywords.get("style") == "'red'"
    warning = name == "say" and node.args and "'WARNING " in ast.unparse(node.args[0])
    if not in_cloud and (name in ENDING_CALLS or aloud or red or warning):
        return list(node.args[:1])
    return []


@cache
def _own_errors() -> set[str]:
    """Names of the exceptions that this project defines for people, outside the cloud."""
    files = [file for file in python_files() if not file.relative_to(ROOT).as_posix().startswith(AWS_SPEAKS)]
    classes = [
        node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)
    ]
    bases = {node.name: {_name(base) for base in node.bases} for node in classes}
    return {name for name, above in bases.items() if above & {"Exception", "ValueError"}} - SAID_ONCE


def _name(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _words(expression: ast.expr, constants: dict[str, ast.expr]) -> str:
    """A string expression with gaps; empty for what is none."""
    if isinstance(expression, ast.Constant):
        return expression.value if isinstance(expression.value, str) else ""
    if isinstance(expression, ast.JoinedStr):
        return "".join(_words(part, constants) for part in expression.values)
    if isinstance(expression, ast.FormattedValue):
        return GAP
    if isinstance(expression, ast.BinOp):
        return _words(expression.left, constants) + (_words(expression.right, constants) or GAP)
    if isinstance(expression, ast.IfExp):
        return f"{_words(expression.body, constants)}{GAP}{_words(expression.orelse, constants)}"
    if isinstance(expression, ast.Name) and expression.id in constants:
        return _words(constants[expression.id], {})
    if (
        isinstance(expression, ast.Call)
        and isinstance(expression.func, ast.Attribute)
        and expression.func.attr == "format"
    ):
        return re.sub(r"\{[^}]*\}", GAP, _words(expression.func.value, constants))
    return ""


def verbs_of(makefile: Path) -> Iterator[Message]:
    """What a verb says that cannot begin: it ends a line of Python with it."""
    for number, line in enumerate(makefile.read_text(encoding="utf-8").splitlines(), 1):
        if "sys.exit(" in line or " or sys.exit" in line:
            for text in re.findall(r'"([^"]{12,})"', line):
                yield Message(f"{makefile.relative_to(ROOT).as_posix()}:{number}", re.sub(r"%d|\$\(\w+\)", GAP, text))


def mails_of(template: Path) -> Iterator[Message]:
    """What an event rule or a manual approval tells people."""
    for number, text in _texts(template, TOLD_BY_TEMPLATE):
        if '"variables"' not in text:
            # Sentences one by one: people search for one of them.
            for sentence in re.split(r"(?<=[.:])\s+", re.sub(r"<[\w-]+>|#\{[\w.]+\}|\$\{\w+\}", GAP, text).strip('"')):
                yield Message(f"{template.relative_to(ROOT).as_posix()}:{number}", sentence)


def constraints_of(template: Path) -> Iterator[Message]:
    """What the launch form says of a value it refuses."""
    for number, text in _texts(template, CONSTRAINTS):
        yield Message(f"{template.relative_to(ROOT).as_posix()}:{number}", text)


def _texts(template: Path, key: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """The line and the text of every value that stands after such a key, on its line or folded below it."""
    lines = template.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        found = key.match(line)
        if not found:
            continue
        text = found[2]
        if text.startswith((">", "|")):
            indent, text = len(found[1]), ""
            for following in lines[number + 1 :]:
                if following.strip() and len(following) - len(following.lstrip()) <= indent:
                    break
                text += f" {following.strip()}"
        yield number + 1, text.strip("' \"")
