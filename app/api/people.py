"""Finding people."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.api.paging import Cursor, Limit
from app.api.problems import documented
from app.db import Session
from app.domain.users import people
from app.domain.users.callers import Caller
from app.domain.views import PersonPage

Search = Annotated[
    str | None, QueryParameter(description="Part of a name, 2 characters at least, or a whole e-mail address.")
]


class PeopleController(Controller):
    path = "/users"
    tags = ("People",)

    @get(
        "/",
        operation_id="findPeople",
        summary="Find people by name, or by their exact e-mail",
        description="Without `search` only oneself. E-mails of others are never shown.",
        responses=documented("400 invalid_cursor"),
    )
    async def find(
        self,
        caller: NamedDependency[Caller],
        tx: NamedDependency[Session],
        search: Search = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> PersonPage:
        return await people.find(tx, caller, search=search, limit=limit, cursor=cursor)
