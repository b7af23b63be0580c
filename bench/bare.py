"""Litestar alone: one trivial route, served with the product's flags. No route of the product can be faster."""

from __future__ import annotations

import sys

import uvicorn
from litestar import Litestar, get

from app.server.limits import KEEP_ALIVE_SECONDS


@get("/", media_type="application/json")
async def trivial() -> dict[str, bool]:
    return {"ok": True}


def serve(app: Litestar, port: int) -> None:
    """Serves `app` as `chat api` does."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    serve(Litestar([trivial], openapi_config=None, logging_config=None), int(sys.argv[1]))
