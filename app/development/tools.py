"""The doors of a local start, as routes use them. Elsewhere each answers as an unknown path does."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from app.db import Session
from app.development import plug
from app.development.live_guide import LiveGuide
from app.development.local_start import LocalStart
from app.development.plug import Part, PartOutage
from app.domain.audit import log
from app.domain.error_catalogue import path_not_found, unplugged
from app.domain.welcome.first_link import FirstLink


class DevelopmentTools:
    """`start` is None unless this process belongs to a local start; then `guide` runs in it."""

    def __init__(self, start: LocalStart | None, data_dir: Path, guide: LiveGuide | None) -> None:
        self._start = start
        self._data_dir = data_dir
        self._guide = guide

    @property
    def first_link(self) -> FirstLink | None:
        """The link that was printed at this start."""
        return None if self._start is None else self._start.first_link

    async def greet(self, welcome: UUID) -> None:
        """Lets the guide greet in the conversation, which is committed. On the event loop, where the guide lives."""
        if self._guide is not None:
            self._guide.greet(welcome)

    def plugs(self) -> list[Part]:
        """Returns the parts that can be unplugged. Raises NotFound."""
        if self._start is None:
            raise path_not_found()
        return list(plug.PARTS)

    async def pull_plug(self, session: Session, outage: PartOutage, *, by: UUID) -> None:
        """Requests the outage, which begins within half a second.

        Raises:
            NotFound: there is nothing to unplug.
            Conflict: `unplugged`.
        """
        self.plugs()
        await log.record_action(
            session, by=by, action="plug.pulled", details={"part": outage.part, "seconds": outage.seconds}
        )
        if not plug.request(self._data_dir, outage):
            raise unplugged()
