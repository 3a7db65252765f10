"""A web server on 127.0.0.1 that fails in the ways that servers on the way to Debian fail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Web:
    """What is served and how it fails.

    Attributes:
        files: Path to content.
        cuts: How many answers are cut, and after how many bytes.
        busy: How many answers are 503.
        ranges: The server knows Range.
        etags: The server sends ETag.
        asked: Path, Range and If-Range of each request.
    """

    files: dict[str, bytes]
    cuts: int = 0
    cut_after: int = 100_000
    busy: int = 0
    ranges: bool = True
    etags: bool = True
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    url: str = ""

    def etag(self, path: str) -> str:
        return f'"{hashlib.md5(self.files[path]).hexdigest()}"'


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
            web.asked.append((self.path, asked, condition))
            if web.busy:
                web.busy -= 1
                self.send_error(503)
                return
            if self.path not in web.files:
                self.send_error(404)
                return
            whole, start = web.files[self.path], 0
            if asked and web.ranges and condition in (None, web.etag(self.path)):
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start >= len(whole):
                    self.send_error(416)
                    return
            data = whole[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
            if web.etags:
                self.send_header("ETag", web.etag(self.path))
            self.end_headers()
            if web.cuts:
                web.cuts -= 1
                data = data[: web.cut_after]
            self.wfile.write(data)

    return Handler


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(web))
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
