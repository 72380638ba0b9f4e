"""What AWS charges for the things that a project uses: one dated table, `prices.yaml`, and how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name("prices.yaml")


class PriceError(Exception):
    """The table does not hold the price of something."""


@dataclass(frozen=True)
class Price:
    """US dollars for one `unit` of something; `source` is AWS's page."""

    item: str
    unit: str
    price: float
    source: str


@dataclass(frozen=True)
class Prices:
    """The prices of one region on one day."""

    date: date
    region: str
    items: dict[str, Price]

    @classmethod
    def read(cls, path: Path = TABLE) -> Prices:
        """Read the table."""
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        items = {name: Price(name, **entry) for name, entry in written["items"].items()}
        return cls(written["date"], written["region"], items)

    def of(self, item: str) -> Price:
        """The price of an item. Raises PriceError naming it."""
        if item not in self.items:
            raise PriceError(
                f"pricing/prices.yaml has no price of {item}. Add it from AWS's price list, with the page it is from."
            )
        return self.items[item]
