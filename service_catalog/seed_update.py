"""Proposes what a release's seeds improve to the repositories of a launched project: a branch, and a pull request.

It is run by a person, with their own git credentials and rights, so that no role of the template can write to anybody's
repository. Nothing is ever forced, and no branch but the proposal's own is written.
"""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from seed_code import SEEDS, SeedError, Source
from seed_code.repository import Clone
from seed_code.update import MARKER, Proposal, branch_for, propose
from service_catalog.changelog import news_between
from service_catalog.errors import PublishError, code_of
from service_catalog.package import Package, Say
from service_catalog.project_update import LaunchedProject
from service_catalog.releases import read_release, released
from service_catalog.target import Target

LONGEST_DESCRIPTION = 10240
"""https://docs.aws.amazon.com/codecommit/latest/APIReference/API_CreatePullRequest.html"""
MOST_NAMED = 40
HOW_TO_CLONE = "https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up.html"


class SeedUpdates:
    """The seeds of the releases in one clone of the template, for one project."""

    def __init__(self, target: Target, root: Path, project: LaunchedProject, say: Say) -> None:
        self._codecommit = target.client("codecommit")
        self._root = root
        self._project = project
        self._say = say
        self._read: Callable[[str], Package] = functools.cache(
            lambda number: read_release(root, number, lambda _: None)
        )

    def propose(self, version: str) -> None:
        """Propose the seeds of a release, or of the newest, to both repositories, saying what became of each.

        Raises PublishError and SeedError when it cannot be done; what was proposed until then stays.
        """
        known = [str(each) for each in released(self._root)]
        if not known:
            raise PublishError(
                f"There is no release in {self._root}, so no seed to propose. Clone the template with its releases."
            )
        version = version or known[-1]
        self._read(version)
        has = self._project.version()
        if has != version:
            self._say(
                f"WARNING the project itself is at {has or 'an unknown version'}: what the seed of {version} relies on "
                f"may not be there. 'make update-project PROJECT={self._project.name} VERSION={version}' first."
            )
        for seed in SEEDS:
            self._propose_to(seed, version, known)

    def _propose_to(self, seed: Source, version: str, known: list[str]) -> None:
        name = f"sagemaker-{self._project.name}-{self._project.id}-{seed.name}"
        try:
            repository = self._codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
        except ClientError as error:
            if code_of(error) != "RepositoryDoesNotExistException":
                raise
            self._say(f"{seed.name}: there is no repository {name} in CodeCommit; nothing is proposed")
            return
        if "defaultBranch" not in repository:
            self._say(f"{seed.name}: {name} is empty; nothing is proposed")
            return
        main = str(repository["defaultBranch"])
        with tempfile.TemporaryDirectory() as folder:
            clone = _cloned(Path(folder), str(repository["cloneUrlHttp"]))
            if clone.has(f"refs/remotes/origin/{branch_for(version)}"):
                self._go_on(seed, name, main, version, clone)
                return
            archives = {number: functools.partial(self._archive, number, seed) for number in known}
            made = propose(clone, main, seed.name, version, archives, functools.partial(self._message, seed, version))
            if made is None:
                self._say(f"{seed.name}: has that seed already")
                return
            clone.git("push", "--quiet", "origin", made.branch)
            self._say(f"{seed.name}: branch {made.branch} changes {len(made.changed)} files")
            for conflict in made.conflicts:
                self._say(f"  {conflict.path} {conflict.what}")
            self._open(seed, name, main, version, clone)

    def _go_on(self, seed: Source, repository: str, main: str, version: str, clone: Clone) -> None:
        """The branch is there from an earlier run. It is the project's now: it is never written again."""
        branch = branch_for(version)
        for found in self._pull_requests(repository):
            target = found["pullRequestTargets"][0]
            if target["sourceReference"] != f"refs/heads/{branch}":
                continue
            number, state = found["pullRequestId"], "waits in"
            if found["pullRequestStatus"] == "CLOSED":
                state = "was merged by" if target["mergeMetadata"]["isMerged"] else "was turned down in"
            self._say(
                f"{seed.name}: branch {branch} {state} pull request {number}. To have it made anew, delete the branch: "
                f"git push origin --delete {branch}"
            )
            return
        clone.git("checkout", "--quiet", branch)
        self._open(seed, repository, main, version, clone)

    def _pull_requests(self, repository: str) -> list[Any]:
        pages = self._codecommit.get_paginator("list_pull_requests").paginate(repositoryName=repository)
        numbers = sorted((int(each) for page in pages for each in page["pullRequestIds"]), reverse=True)
        return [self._codecommit.get_pull_request(pullRequestId=str(each))["pullRequest"] for each in numbers]

    def _open(self, seed: Source, repository: str, main: str, version: str, clone: Clone) -> None:
        """Open the pull request; the commit's message has what is to be said."""
        title, _, description = clone.line("show", "--no-patch", "--format=%B", "HEAD").partition("\n")
        made = self._codecommit.create_pull_request(
            title=title,
            description=description.strip()[:LONGEST_DESCRIPTION],
            targets=[
                {
                    "repositoryName": repository,
                    "sourceReference": branch_for(version),
                    "destinationReference": main,
                }
            ],
        )["pullRequest"]
        self._say(f"{seed.name}: pull request {made['pullRequestId']} asks to take it into {main}")

    # ---- what is said

    def _archive(self, number: str, seed: Source) -> bytes:
        return next(each.data for each in self._read(number).archives if each.source.name == seed.name)

    def _message(self, seed: Source, version: str, made: Proposal) -> str:
        since = f"since {made.before}" if made.before else "since the one that this repository began with"
        paragraphs = [
            f"Take over the seed of release {version}",
            f"What {seed.folder} of the project template became {since}, applied to what this repository holds now. "
            "Nothing was overwritten; nothing else waits for this. Merge it, change it on its branch, or close it.",
        ]
        if made.conflicts:
            listed = "\n".join(f"- {each.path} {each.what}." for each in made.conflicts)
            paragraphs.append(
                f"For a person to decide\n\n{listed}\n\nTake over by hand what you want of the files that end in "
                f".seed-{version}, and delete these on this branch before you merge it."
            )
        paragraphs.append(
            f"What is new\n\n{news_between(self._root, made.before, version) or 'The changelog says nothing.'}"
        )
        named = [f"- {each}" for each in made.changed[:MOST_NAMED]]
        if len(made.changed) > MOST_NAMED:
            named.append(f"- and {len(made.changed) - MOST_NAMED} more")
        paragraphs.append("What changes\n\n" + "\n".join([*named, f"- {MARKER}, which says what seed this is"]))
        return "\n\n".join(paragraphs) + "\n"


def _cloned(folder: Path, url: str) -> Clone:
    try:
        Clone(folder).git("clone", "--quiet", url, "repository")
    except SeedError as problem:
        raise PublishError(
            f"{url} could not be cloned: {problem} Set git up for CodeCommit first: {HOW_TO_CLONE}"
        ) from problem
    return Clone(folder / "repository")
