"""The HTTP/1.1 transport of both fake servers, on the loopback interface in its own thread.

A response header "x-wire" is an instruction and is not sent: "reset" breaks the connection, "torn"
sends half of the body, "drip SECONDS" sends the body slowly.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Self

Answered = tuple[int, dict[str, str], bytes]  # status, headers, body
Answering = Callable[[str, str, bytes], Awaitable[Answered]]  # of method, path, body


class HttpServer:
    def __init__(self, answering: Answering) -> None:
        self.url = ""
        self._answering = answering
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(listen(self._answering))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()


async def listen(answering: Answering, port: int = 0) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _one(answering, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)


async def _one(
    answering: Answering, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Handle one request. Return whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    status, given, answer = await answering(method, path, body)
    wire, _, seconds = given.get("x-wire", "").partition(" ")
    if wire == "reset":
        writer.transport.abort()
        return False
    sent = {name: value for name, value in given.items() if name != "x-wire"}
    sent["content-length"] = str(len(answer))
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode())
    if wire == "torn":
        writer.write(answer[: len(answer) // 2])
        await writer.drain()
        return False
    if wire == "drip":
        for start in range(0, len(answer), 8):
            writer.write(answer[start : start + 8])
            await writer.drain()
            await asyncio.sleep(float(seconds) * 8 / len(answer))
        return True
    writer.write(answer)
    await writer.drain()
    return True
