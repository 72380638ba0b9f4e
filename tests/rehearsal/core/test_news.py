"""Whoever waits for something in the cloud looks when something happened there, and rarely otherwise."""

from __future__ import annotations

import threading

import pytest

from rehearsal.cloud.clock import Patience
from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.news import News
from rehearsal.watch import StoryError, wait_until
from tests.rehearsal.conftest import StartCloud

LONG = 600.0
"""Seconds that no test lasts."""


@pytest.fixture
def rarely() -> Patience:
    """Looks only when it hears something."""
    return Patience(news=News(), quiet_seconds=LONG)


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([])


def test_nothing_that_was_told_after_the_last_look_is_missed() -> None:
    news = News()
    before = news.told
    news.tell()
    news.wait(before, LONG)


def test_the_next_look_is_when_something_was_told(rarely: Patience) -> None:
    news = rarely.news
    assert news is not None
    looks = []

    def look() -> int | None:
        looks.append(news.told)
        if len(looks) == 1:  # from elsewhere, and only then
            threading.Thread(target=news.tell).start()
            return None
        return len(looks)

    assert wait_until(look, "the second look", LONG, None, rarely, following=True) == 2
    assert looks == [0, 1]


def test_what_is_not_told_as_news_is_looked_for_often_all_the_same() -> None:
    looks = iter([None, None, "found"])
    patience = Patience(poll_seconds=0.001, news=News(), quiet_seconds=LONG)
    assert wait_until(lambda: next(looks), "it", LONG, None, patience) == "found"


def test_an_event_is_news(cloud: Cloud) -> None:
    before = cloud.news.told
    cloud.events.emit("aws.codepipeline", "CodePipeline Pipeline Execution State Change", {"state": "STARTED"})
    assert cloud.news.told == before + 1


def test_the_end_of_the_cloud_is_news_to_all_who_wait(start_cloud: StartCloud, rarely: Patience) -> None:
    cloud = start_cloud([])
    asked = threading.Event()
    problems: list[str] = []

    def wait() -> None:
        try:
            patience = Patience(news=cloud.news, quiet_seconds=LONG)
            wait_until(asked.set, "what never comes", LONG, cloud.stopping, patience, following=True)
        except StoryError as problem:
            problems.append(str(problem))

    waiting = threading.Thread(target=wait)
    waiting.start()
    asked.wait()
    cloud.stop()
    waiting.join()
    assert problems == ["the rehearsal was ended while it waited for what never comes"]
