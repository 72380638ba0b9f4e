"""Making a release: what is committed is frozen under a number, and the changelog says what it brings."""

import re
from pathlib import Path

from seed_code.worktree import commit, commit_date, uncommitted
from service_catalog.errors import PublishError
from service_catalog.package import PACKED, Package, Say, pack_all
from service_catalog.releases import FOLDER, Number, number_of, released, same_content, write_release

CHANGELOG = Path("CHANGELOG.md")
_UNRELEASED = "## Unreleased"


def freeze(root: Path, version: str, say: Say) -> bool:
    """Make a release from what is committed. Returns False when it was there already, with this very content.

    Raises PublishError for a number that cannot be given, for other content under a number that is given, for changes
    that are not committed, and for a changelog that says nothing about what is new.
    """
    number, known = number_of(version), released(root)
    if number in known:
        _check_same(root, version, pack_all(root, say, roles_ahead=True))
        return False
    if known and number < known[-1]:
        raise PublishError(
            f"{version} is lower than the newest release, {known[-1]}. Releases only go up: people take the newest for "
            f"the best. Give one of {', '.join(map(str, _following(known[-1])))}."
        )
    _check_committed(root)
    news = _news(root)
    package = pack_all(root, say, roles_ahead=True)
    folder = write_release(root, version, package, commit(root))
    changelog = (root / CHANGELOG).read_text(encoding="utf-8")
    heading = f"{_UNRELEASED}\n\n## {version} ({commit_date(root)})"
    changelog = re.sub(rf"^{_UNRELEASED}[ \t]*$", heading, changelog, count=1, flags=re.MULTILINE)
    (root / CHANGELOG).write_text(changelog, encoding="utf-8")
    say(f"wrote {folder.relative_to(root)}, and {len(news.splitlines())} lines of {CHANGELOG} stand under {version}")
    say(f"commit both: git add {FOLDER} {CHANGELOG} && git commit -m 'Release {version}' && git tag v{version}")
    return True


def _check_same(root: Path, version: str, package: Package) -> None:
    if differing := same_content(root, version, package):
        raise PublishError(
            f"{version} is released with other content, and a release never changes. What differs: "
            f"{', '.join(differing)}. Release this under a further number, one of "
            f"{', '.join(map(str, _following(released(root)[-1])))}."
        )


def _following(number: Number) -> tuple[Number, Number, Number]:
    return (
        Number(number.major, number.minor, number.patch + 1),
        Number(number.major, number.minor + 1, 0),
        Number(number.major + 1, 0, 0),
    )


def _check_committed(root: Path) -> None:
    found = uncommitted(root, *PACKED, str(CHANGELOG))
    if open_changes := (*found.changed, *found.untracked):
        raise PublishError(
            f"Not everything is committed: {', '.join(open_changes)}. A release says from which commit it was made, so "
            "that anybody can make it again. Commit or remove this, then release."
        )
    if not commit(root):
        raise PublishError("There is no commit yet to release from.")


def _news(root: Path) -> str:
    """What the changelog says under Unreleased."""
    path = root / CHANGELOG
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(rf"^{_UNRELEASED}[ \t]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    news = found.group(1).strip() if found else ""
    if not news:
        raise PublishError(
            f"{path} says nothing under '{_UNRELEASED}'. People decide by it whether to take the new version: write "
            "what it brings and what they have to do, commit that, then release."
        )
    return news
