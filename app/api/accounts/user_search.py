"""User search."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.params import QueryParameter

from app.api.dependencies import Database
from app.api.errors.problems import documented
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.error_catalogue import invalid_cursor, search_busy
from app.domain.users import queries
from app.domain.users.schemas import PersonPage

Search = Annotated[
    str | None,
    QueryParameter(
        description="Part of a name, or a complete e-mail address. Two characters match the start of a name."
    ),
]


class PeopleController(Controller):
    path = "/users"
    tags = ("People",)

    @get(
        "/",
        operation_id="findPeople",
        summary="Find users by name or by their exact e-mail address",
        description="Without `search`, returns only the caller. E-mail addresses of other users are never shown.",
        responses=documented(invalid_cursor, search_busy),
    )
    async def find(
        self,
        request: ChatRequest,
        database: Database,
        search: Search = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> PersonPage:
        return await database.search(queries.find, request.caller, search=search, limit=limit, cursor=cursor)
