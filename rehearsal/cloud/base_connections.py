"""Connections whose client has gone are closed at once.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. hypercorn keeps
them until its `keep_alive_timeout` is over: of a story's thousands nearly all, each with memory and a place in a list
that every request searches.

Private name of hypercorn used here: `TCPServer._read_data`, which ends when the client has closed.
"""

from __future__ import annotations

from hypercorn.asyncio.tcp_server import TCPServer


def install() -> None:
    """Stop the wait for another request when none can come. Call it once, before the base serves."""
    read_data = TCPServer._read_data

    async def read_to_the_end(self: TCPServer) -> None:
        await read_data(self)
        await self.idle_task.stop()

    TCPServer._read_data = read_to_the_end
