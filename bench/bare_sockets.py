"""picows alone: for each text frame received, it writes one fixed message to every socket. No order, access or queues.

It is the upper bound for a Python server on this core; the product also fulfils the rest of its contract.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

HELLO = b'{"type":"hello"}'
MESSAGE = b'{"type":"message.created","data":"' + b"x" * 520 + b'"}'
"""As long as a message frame of the product."""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class BroadcastListener(WSListener):
    transports: set[WSTransport] = set()  # noqa: RUF012 - all sockets of the process

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transports.add(transport)
        transport.send(WSMsgType.TEXT, HELLO)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            for one in self.transports:
                one.send(WSMsgType.TEXT, MESSAGE)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transports.discard(transport)


async def serve(port: int) -> None:
    def listener(_request: WSUpgradeRequest) -> WSListener:
        return BroadcastListener()

    server = await ws_create_server(listener, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
