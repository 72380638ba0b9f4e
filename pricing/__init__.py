"""What AWS charges for the things that a project uses: one dated table, `prices.yaml`, and how to read it.

`python -m pricing` (`make cost`) works out from the templates what a project costs: `consumption` reads them,
`estimate` multiplies.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).with_name("prices.yaml")


class PriceError(Exception):
    """The table does not hold the price of something."""


@dataclass(frozen=True)
class Price:
    """US dollars for one `unit` of something; `source` is AWS's page. `elsewhere` is by region."""

    item: str
    unit: str
    price: float
    source: str
    elsewhere: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prices:
    """The prices of one region on one day, what resources cost for being there, and what is assumed of their use."""

    date: datetime.date
    region: str
    items: dict[str, Price]
    standing: dict[str, dict[str, float | str]] = field(default_factory=dict)
    assumptions: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path = TABLE) -> Prices:
        """Read the table."""
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        items = {name: Price(name, **entry) for name, entry in written["items"].items()}
        return cls(
            written["date"], written["region"], items, written.get("standing", {}), written.get("assumptions", {})
        )

    def of(self, item: str) -> Price:
        """The price of an item. Raises PriceError naming it."""
        if item not in self.items:
            raise PriceError(
                f"pricing/prices.yaml has no price of {item} in {self.region}. Add it from AWS's price list, with the "
                "page it is from."
            )
        return self.items[item]

    @property
    def regions(self) -> list[str]:
        """The regions that the table holds prices of."""
        return sorted({self.region} | {region for each in self.items.values() for region in each.elsewhere})

    def at(self, region: str) -> Prices:
        """The prices of another region. Raises PriceError for one that the table does not hold."""
        if region == self.region:
            return self
        if region not in self.regions:
            raise PriceError(
                f"pricing/prices.yaml holds no prices of the region {region}, but of {', '.join(self.regions)}. Most "
                f"others are 0 to 40 % dearer than {self.region}. To have its own, add them under 'elsewhere'."
            )
        there = {
            name: replace(each, price=each.elsewhere[region])
            for name, each in self.items.items()
            if region in each.elsewhere
        }
        return replace(self, region=region, items=there)

    def monthly(self, resource_type: str) -> dict[str, float]:
        """What a resource consumes each month for being there, by item. Raises PriceError for an unknown type."""
        if resource_type not in self.standing:
            raise PriceError(
                f"pricing/prices.yaml does not say what {resource_type} costs for being there. Add it under "
                "'standing', with {} when it is only charged by use."
            )
        written = self.standing[resource_type]
        return {
            item: float(self.assumptions[amount] if isinstance(amount, str) else amount)
            for item, amount in written.items()
        }

    def age(self, today: datetime.date) -> int:
        """How many days ago the prices were looked up."""
        return (today - self.date).days
