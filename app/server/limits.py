"""Limits on what an HTTP client can use of a process. `docs/limits.md` lists each with its response and its test.

A proxy in front may hide most of these; `chat api --host` is bounded without one.
"""

from __future__ import annotations

from typing import Final

URL_BYTES: Final = 8 * 1024
"""Our longest URL, a socket's with an access token, is below 2 KB; nginx and Node allow 8 KB too."""

HEAD_BYTES: Final = 32 * 1024
"""Limit for the request line and headers together; also for trailers and other bytes outside the body."""

HEAD_FIELDS: Final = 100
"""Headers of a request, including trailers."""

BODY_BYTES: Final = 256 * 1024
"""The largest legitimate body is a text of 8,000 characters, each escaped as six or twelve bytes."""

CHUNKS: Final = 4_096
"""Chunks of a body: the largest body in chunks of 64 bytes. Each costs the process as much as a small header."""

PIPELINED: Final = 16
"""Requests queued on a connection behind an unanswered one. Browsers do not pipeline."""

HEAD_SECONDS: Final = 10.0
"""Time for the head of a request to arrive; also for an unfinished handshake."""

BODY_SECONDS: Final = 30.0
"""Time for a body to arrive: 9 KB/s for the largest."""

KEEP_ALIVE_SECONDS: Final = 75
"""Idle time of a connection. Longer than a proxy's own, so that proxies never write to a closing connection."""

UNREAD_SECONDS: Final = 10.0
"""A client that reads less than `UNREAD_STEP` bytes of its response in this time is disconnected."""

UNREAD_STEP: Final = 64 * 1024
UNREAD_BYTES: Final = 32 * 1024 * 1024
"""Unread response bytes of all clients of a process. Beyond it the longest-stalled connection is aborted."""

LINGER_SECONDS: Final = 2.0
"""How long a refused client may keep sending. On an immediate close the kernel would discard the unread response."""

DISCARDED_BYTES: Final = 8 * 1024 * 1024
"""Bytes read and dropped after a refusal, so that the client gets to read the response. The rest stays with it."""

DISCARDED_UNADMITTED_BYTES: Final = 64 * 1024
"""The same for a connection above a limit of connections: there may be thousands a second."""

LINGERING: Final = 64
"""Refused connections that linger at once; further ones are aborted without a response."""

FILES_KEPT: Final = 128
"""Open files reserved for Postgres, Redis, logs and listeners; the rest of the limit is for connections."""

MOST_FILES: Final = 65_536
"""The process raises its own limit of open files up to this, if the machine allows it."""
