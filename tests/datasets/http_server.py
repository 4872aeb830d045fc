"""An HTTP server on this machine that can do to a transfer what servers and lines do to it."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Files served over HTTP on this machine, with whatever goes wrong on the way.

    Attributes
    ----------
    files : dict
        What lies where: bytes; a ``(bytes, length)`` pair, which declares another length than it
        has; or an address that it redirects to.
    mishaps : dict of str to list
        What happens to the next requests for a path, one each, before all goes well: a function
        of the request handler and the content, such as those that :func:`status`, :func:`cut` and
        :func:`stall` return.
    ranges, validators : bool
        Whether it answers requests for the rest of a file, and names the version of a file.
    requests : list of str
        The paths that were asked for.
    headers : list of dict
        The headers that they were asked for with.
    sent : list of int
        How many bytes of body each request got.
    """

    def __init__(self):
        self.files = {}
        self.mishaps = {}
        self.ranges = self.validators = True
        self.requests = []
        self.headers = []
        self.sent = []
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"served": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def close(self):
        """Stop, and end every request that hangs."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def status(code, body=b"", **headers):
    """Answer with a status; underscores in names of headers stand for hyphens."""

    def mishap(handler, _content):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), str(value))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return mishap


def cut(length):
    """Close the connection after so many bytes of the body."""

    def mishap(handler, content):
        handler.send_file(content, stop=length)
        handler.close_connection = True

    return mishap


def stall(length, started=None):
    """Send so many bytes of the body, set the event, and nothing more until the server closes."""

    def mishap(handler, content):
        handler.send_file(content, stop=length)
        handler.wfile.flush()
        if started is not None:
            started.set()
        handler.served.closing.wait(30)
        handler.close_connection = True

    return mishap


class _Handler(BaseHTTPRequestHandler):
    served: FileServer

    def do_GET(self):
        index = len(self.served.requests)
        self.served.requests.append(self.path)
        self.served.headers.append(dict(self.headers.items()))
        self.served.sent.append(0)
        self.index = index
        path = self.path.partition("?")[0]
        content = self.served.files.get(path)
        mishaps = self.served.mishaps.get(path)
        try:
            if mishaps:
                mishaps.pop(0)(self, content)
            elif content is None:
                self.send_error(404)
            elif isinstance(content, str):
                status(302, Location=content)(self, None)
            elif isinstance(content, tuple):
                self.send_file(content[0], length=content[1])
            else:
                self.send_file(content)
        except (BrokenPipeError, ConnectionResetError):
            # Who asked has had enough, as some tests want.
            self.close_connection = True

    def send_file(self, content, *, length=None, stop=None):
        """Send a file or the rest of it that is asked for, up to a number of bytes."""
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.served.ranges and self.headers.get("If-Range", etag) == etag:
            start = int(asked[1])
        if start >= len(content) > 0:
            status(416, Content_Range=f"bytes */{len(content)}")(self, None)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.served.validators:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str((length or len(content)) - start))
        self.end_headers()
        body = content[start:stop]
        # Before it is sent: who has all of it may look at once.
        self.served.sent[self.index] = len(body)
        self.wfile.write(body)

    def log_message(self, *_args):
        """Keep the test's output clean."""
