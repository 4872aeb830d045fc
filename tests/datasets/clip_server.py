"""A server of small videos on this machine, which counts and misbehaves when told to."""

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ClipServer:
    """Serves ``files`` (path to bytes); ``ranges``: by parts too; ``failures``: path to statuses
    that are answered first; ``short``: paths whose answers break off; ``delay``: seconds."""

    def __init__(self):
        self.files = {}
        self.failures = {}
        self.short = set()
        self.ranges = True
        self.delay = 0.0
        self.requests = Counter()
        self.bytes_sent = Counter()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.answer(body=False)

            def do_GET(self):
                self.answer(body=True)

            def answer(self, *, body):
                path = self.path.partition("?")[0]
                served.requests[path] += 1
                time.sleep(served.delay)
                if served.failures.get(path):
                    self.send_error(served.failures[path].pop(0))
                    return
                content = served.files.get(path)
                if content is None:
                    self.send_error(404)
                    return
                first, last = 0, len(content) - 1
                asked = self.headers.get("Range")
                if asked and served.ranges:
                    begin, _, end = asked.removeprefix("bytes=").partition("-")
                    first, last = int(begin), min(int(end or last), last)
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
                else:
                    self.send_response(200)
                self.send_header("Content-Type", "video/mp4")
                self.send_header("Content-Length", str(last + 1 - first))
                self.end_headers()
                part = content[first : last + 1]
                if path in served.short:
                    part = part[: len(part) // 2]
                if body:
                    try:
                        self.wfile.write(part)
                        served.bytes_sent[path] += len(part)
                    except OSError:
                        pass

            def log_message(self, *_args):
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/{{ytid}}.mp4"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
