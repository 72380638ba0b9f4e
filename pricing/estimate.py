"""What a project costs: when nothing happens, for each training run and deployment, and for each endpoint's month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pricing import PriceError, Prices, consumption
from pricing.consumption import Action, Fleet

MONTH, HOUR, RUN = "month", "hour", "run"
USE = {HOUR: "an hour of use", RUN: "a run"}
SERVERLESS, BATCH = "serverless", "batch"
BY_REQUEST = "sagemaker-serverless"


@dataclass(frozen=True)
class Line:
    """One resource of an estimate: how much of it, and what that costs."""

    what: str
    amount: str
    dollars: float


@dataclass(frozen=True)
class Part:
    """One estimate: `every` says for what, `note` what is to know about it."""

    title: str
    every: str
    lines: tuple[Line, ...]
    note: str = ""

    @property
    def dollars(self) -> float:
        """The sum."""
        return sum(line.dollars for line in self.lines)


@dataclass(frozen=True)
class Estimate:
    """Everything at once, at the prices of one region."""

    prices: Prices
    idle: Part
    training: Part
    deployment: Part
    endpoints: dict[str, Part]
    other_modes: dict[str, Part]
    """Production in the modes that it has not, where the region's prices are known."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order people read them."""
        return (self.idle, self.training, self.deployment, *self.endpoints.values(), *self.other_modes.values())

    @property
    def summary(self) -> str:
        """The line that the launch form shows."""
        idle = f"about ${self.idle.dollars:.0f}" if self.idle.dollars >= 1 else "less than $1"
        staging, production = (self.endpoints[stage] for stage in consumption.STAGES)
        told = (
            f"about ${staging.dollars:.0f}"
            if staging.every == MONTH
            else f"${staging.dollars:.2f} {USE[staging.every]}"
        )
        of_production = (
            f"${production.dollars:.0f} a month" if production.every == MONTH else f"${production.dollars:.2f} a run"
        )
        return (
            f"An idle project costs {idle} a month; once a model is approved, production costs from "
            f"{of_production} and staging {told} ({self.prices.region}, {self.prices.date})."
        )


def estimate(root: Path, region: str | None = None, prices: Prices | None = None) -> Estimate:
    """What a project of this clone's templates costs. Raises PriceError for what the table does not hold."""
    found = prices or Prices.read()
    found = found.at(region or found.region)
    project = consumption.project(root)
    fleets = [consumption.fleet(root, stage) for stage in consumption.STAGES]
    standing = consumption.standing(project)
    return Estimate(
        prices=found,
        idle=Part("An idle project", MONTH, tuple(_standing(found, standing)), "launched, nothing deployed"),
        training=Part(
            "A training run",
            "run",
            (*_jobs(found, root), *_actions(found, consumption.actions(project, "BuildPipeline"))),
            "no step cached",
        ),
        deployment=Part(
            "A deployment",
            "deployment",
            (*_actions(found, consumption.actions(project, "DeployPipeline")), *_second_fleets(found, fleets)),
            "staging, then production",
        ),
        endpoints={fleet.stage: _endpoint(found, fleet) for fleet in fleets},
        other_modes=dict(_other_modes(found, root, fleets[-1])),
    )


def _standing(prices: Prices, resources: dict[str, int]) -> Iterator[Line]:
    """What resources cost a month for being there; those that cost nothing in one line at the end."""
    free = 0
    for kind, count in sorted(resources.items()):
        consumed = prices.monthly(kind)
        free += 0 if consumed else count
        for item, amount in consumed.items():
            price = prices.of(item)
            told = (
                f"{count} × {amount:g} {price.unit.removesuffix('-month')}"
                if "-" in price.unit
                else f"{count * amount:g}"
            )
            yield Line(f"{kind} ({item})", told, count * amount * price.price)
    if free:
        yield Line("everything else: charged by use only", f"{free} resources", 0.0)


def _jobs(prices: Prices, root: Path) -> Iterator[Line]:
    minutes = float(prices.assumptions["job_minutes"])
    for job in consumption.jobs(root):
        hours = job.steps * job.instances * minutes / 60
        yield Line(
            f"{job.kind} jobs, {job.instances} × {job.instance_type}",
            f"{job.steps} × {minutes:g} minutes",
            hours * prices.of(f"sagemaker-{job.kind}:{job.instance_type}").price,
        )
        months = hours / float(prices.assumptions["hours_in_a_month"])
        volume = months * job.volume_gigabytes * prices.of("sagemaker-storage").price
        yield Line(f"their volumes, {job.volume_gigabytes} GB", f"{hours * 60:g} minutes", volume)


def _actions(prices: Prices, actions: list[Action]) -> Iterator[Line]:
    """The builds by their compute type, then the minutes of all actions."""
    for action in actions:
        if action.compute:
            minutes = _minutes(prices, action)
            cost = minutes * prices.of(f"codebuild:{action.compute}").price
            yield Line(f"build {action.name} ({action.compute})", f"{minutes:g} minutes", cost)
    total = sum(_minutes(prices, each) for each in actions)
    told = f"{len(actions)} actions, {total:g} minutes"
    yield Line("CodePipeline", told, total * prices.of("codepipeline:v2-action").price)


def _minutes(prices: Prices, action: Action) -> float:
    known = prices.assumptions["action_minutes"]
    for name in (action.name, action.provider):
        if name in known:
            return float(known[name])
    raise PriceError(
        f"pricing/prices.yaml does not say how long the action {action.name} of the provider {action.provider} takes. "
        "Add it under 'action_minutes'."
    )


def _second_fleets(prices: Prices, fleets: list[Fleet]) -> Iterator[Line]:
    for fleet in fleets:
        if fleet.mode in (SERVERLESS, BATCH):
            continue
        minutes = float(prices.assumptions["fleet_start_minutes"]) + fleet.both_seconds / 60
        cost = fleet.least * minutes / 60 * _hosting(prices, fleet)
        what = f"second fleet of {fleet.stage}, {fleet.least} × {fleet.instance_type}"
        yield Line(what, f"{minutes:g} minutes", cost)


def _endpoint(prices: Prices, fleet: Fleet) -> Part:
    if fleet.mode == BATCH:
        return Part(f"A batch run of {fleet.stage}", RUN, tuple(_run(prices, fleet.instance_type)))
    title = f"The {fleet.stage} endpoint"
    if fleet.mode == SERVERLESS:
        return Part(f"{title}, serverless", MONTH, (*_by_request(prices), *_standing(prices, fleet.resources)))
    hours = float(prices.assumptions["hours_in_a_month"])
    each: Callable[[int], float] = lambda count: count * hours * _hosting(prices, fleet)  # noqa: E731
    if not fleet.is_kept:
        hour = Line(
            f"instances, {fleet.least} × {fleet.instance_type}", "1 hour", fleet.least * _hosting(prices, fleet)
        )
        standing = (replace(line, dollars=line.dollars / hours) for line in _standing(prices, fleet.resources))
        note = "there only while a deployment runs or waits for its approver; KeepAfterTests keeps it"
        return Part(f"{title}, {fleet.mode}", HOUR, (hour, *standing), note)
    note = "it stays up between deployments"
    if fleet.most > fleet.least:
        note = f"up to ${each(fleet.most):.2f} for instances when autoscaling reaches {fleet.most}"
    if not fleet.idle:
        note = f"it sleeps; ${_hosting(prices, fleet):.3f} for each hour of an instance that is awake, and {note}"
    instances = Line(f"instances, {fleet.idle} × {fleet.instance_type}", f"{hours:g} hours", each(fleet.idle))
    return Part(f"{title}, {fleet.mode}", MONTH, (instances, *_standing(prices, fleet.resources)), note)


def _other_modes(prices: Prices, root: Path, production: Fleet) -> Iterator[tuple[str, Part]]:
    for mode in consumption.modes(root):
        if mode == production.mode or (mode == SERVERLESS and BY_REQUEST not in prices.items):
            continue
        part = _endpoint(prices, consumption.fleet(root, production.stage, mode))
        yield mode, replace(part, title=f"{part.title} instead")


def _run(prices: Prices, instance_type: str) -> Iterator[Line]:
    """One transform job; what looks at the files before and after it is charged by use, and less than a cent."""
    minutes = float(prices.assumptions["job_minutes"])
    cost = minutes / 60 * prices.of(f"sagemaker-transform:{instance_type}").price
    yield Line(f"transform job, 1 × {instance_type}", f"{minutes:g} minutes", cost)


def _hosting(prices: Prices, fleet: Fleet) -> float:
    return prices.of(f"sagemaker-hosting:{fleet.instance_type}").price


def _by_request(prices: Prices) -> Iterator[Line]:
    assumed = prices.assumptions["serverless"]
    requests, seconds, memory = (assumed[key] for key in ("requests_a_month", "seconds_per_request", "gigabytes"))
    cost = requests * seconds * memory * prices.of(BY_REQUEST).price
    yield Line(f"requests of {seconds:g} s with {memory:g} GB", f"{requests:,}", cost)
