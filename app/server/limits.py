"""What one client may take of a process over HTTP. `docs/limits.md` lists each, with its answer and its test.

A proxy in front may hide most of these; `chat api --host` is bounded without one.
"""

from __future__ import annotations

from typing import Final

URL_BYTES: Final = 8 * 1024
"""The longest of ours is a socket's with an access token, below 2 KB; nginx and Node allow as much."""

HEAD_BYTES: Final = 32 * 1024
"""Of a request line and its headers together; the same for trailers, and for whatever else is no body."""

HEAD_FIELDS: Final = 100
"""Headers of a request, its trailers included."""

BODY_BYTES: Final = 256 * 1024
"""The largest honest body is a text of 8,000 characters, each escaped as six or twelve bytes."""

PIPELINED: Final = 16
"""Requests that wait on a connection for the answer to the one before. Browsers do not pipeline."""

HEAD_SECONDS: Final = 10.0
"""How long the head of a request may take to come, an unfinished handshake's too."""

BODY_SECONDS: Final = 30.0
"""How long a body may take to come: the largest at 9 KB/s."""

KEEP_ALIVE_SECONDS: Final = 75
"""How long a connection may stay without a request: longer than proxies in front keep theirs, so that they never write
into one that closes."""

UNREAD_SECONDS: Final = 10.0
"""A client that takes less than `UNREAD_STEP` bytes of its answer in this time is cut off."""

UNREAD_STEP: Final = 64 * 1024
UNREAD_BYTES: Final = 32 * 1024 * 1024
"""Of all answers that their clients have not taken yet, in one process. Beyond it the one that waits longest is cut."""

LINGER_SECONDS: Final = 2.0
"""How long a refused client may go on sending. Closed at once, the kernel would throw away the answer unread."""

LINGERING: Final = 64
"""Refused connections that linger at a time; further ones are cut without an answer."""

FILES_KEPT: Final = 128
"""Of the files that a process may open, those for Postgres, Redis, logs and listeners; the rest are connections."""

MOST_FILES: Final = 65_536
"""As far as the process raises its own limit of open files, where the machine lets it."""
