"""Defects made on purpose, one at a time, each of which the fault driver must see: `MUTATIONS` are all of them."""

from __future__ import annotations

from tests.system.chaos.mutations import effects, outages, pages, removals, sends, sockets
from tests.system.chaos.mutations.declared import MUTATIONS, Mutation

__all__ = ["MUTATIONS", "Mutation", "effects", "outages", "pages", "removals", "sends", "sockets"]
