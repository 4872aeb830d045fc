"""One transfer over HTTP: bounded, continued where it broke off, tried again where that may help.

This is what a server can do to a transfer and what is done about it; which addresses are asked
and what the bytes must be is for ``_remote.py``.
"""

from __future__ import annotations

import email.utils
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from skxmodal.utils import progress_bar

from ._partial_file import PartialFile

if TYPE_CHECKING:
    from requests import Response, Session

_CONNECT_TIMEOUT_S = 15.0
_READ_TIMEOUT_S = 60.0  # of silence
_SLOWEST = 100  # bytes/s over one such time; less is a stall too
_ATTEMPTS = 4  # in a row without progress
_MAX_ATTEMPTS = 100  # in all: a line may break often during a large file
_PROGRESS = 1 << 20  # bytes that count as such
_BACKOFF_S = 0.5  # doubled each time
_MAX_WAIT_S = 60.0  # that a server may ask for
_MAX_REDIRECTS = 10
_BLOCK = 1 << 16
_TRANSIENT = {408, 429, 500, 502, 503, 504}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class TransferError(Exception):
    """A transfer failed for good; the text names the address and says why."""


class _SetbackError(Exception):
    """A failure that another try may mend; ``wait`` is how long the server asks to wait."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def shown(url: str) -> str:
    """Return an address without the user name and password it may hold."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


def redirect_refusal(source: str, target: str) -> str | None:
    """Return why a redirection is not followed, or ``None`` where it is.

    It may lead to any host over https, whose bytes are checked like any others. Without
    encryption it may only stay where it is: on the same host, or on this machine.
    """
    old, new = urlsplit(source), urlsplit(target)
    place = f"{new.scheme}://{new.netloc.rpartition('@')[2]}"
    if new.scheme == "https":
        return None
    if new.scheme != "http":
        return f"redirects to {place}, which is not https"
    if old.scheme == "https":
        return f"redirects to {place}, from https to unencrypted http, which is not followed"
    if old.hostname == new.hostname or {old.hostname, new.hostname} <= _LOOPBACK:
        return None
    return f"redirects to another host over unencrypted http ({place}), which is not followed"


def download(
    url: str, partial: PartialFile, *, limit: int, description: str, verbose: int = 0
) -> bool:
    """Bring a partial file to its full length.

    Parameters
    ----------
    url : str
        The address.
    partial : PartialFile
        Where the bytes go; those of an earlier try are continued when the server still has the
        same version.
    limit : int
        How many bytes are accepted.
    description : str
        For the progress bar.
    verbose : int, default=0
        Positive: a progress bar, and a line before each wait.

    Returns
    -------
    continued : bool
        Whether bytes of an earlier try are in it.

    Raises
    ------
    TransferError
        When it fails for good. Bytes that can be continued stay in the partial file.
    """
    failures = 0
    with _new_session() as session:
        for _ in range(_MAX_ATTEMPTS):
            before = partial.size
            try:
                return _transfer(session, url, partial, limit, description, verbose)
            except _SetbackError as setback:
                failures = 1 if partial.size - before >= _PROGRESS else failures + 1
                reason = f"{shown(url)} {setback}"
                if failures >= _ATTEMPTS:
                    raise TransferError(f"{reason}, {failures} times in a row") from setback
                if setback.wait > _MAX_WAIT_S:
                    raise TransferError(
                        f"{reason} and asks to wait for {setback.wait:.0f} s"
                    ) from setback
                wait = max(_BACKOFF_S * 2 ** (failures - 1), setback.wait)
                if verbose:
                    print(f"{reason}; trying again in {wait:.1f} s", file=sys.stderr)
                time.sleep(wait)
    raise TransferError(f"{shown(url)} broke off {_MAX_ATTEMPTS} times")


def _new_session() -> Session:
    import requests

    from skxmodal import __version__

    class Session(requests.Session):
        def get_redirect_target(self, resp: Any) -> None:
            """Follow nothing: ``_answer`` does, and reads no body of a redirection."""

    session = Session()
    session.headers["User-Agent"] = f"skxmodal/{__version__}"
    # A compressed body has neither a known length nor offsets.
    session.headers["Accept-Encoding"] = "identity"
    return session


def _transfer(
    session: Session, url: str, partial: PartialFile, limit: int, description: str, verbose: int
) -> bool:
    """Make one request and keep what it brings; return whether it continued something."""
    address = shown(url)
    note = partial.note_for(address)
    offset = partial.size if note else 0
    if note and offset and offset == note[1]:
        return True
    headers = {"Range": f"bytes={offset}-", "If-Range": note[0]} if note and offset else {}
    with _answer(session, url, headers) as response:
        _check_status(response, address, partial, continuing=bool(headers))
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        length = _number(response.headers.get("Content-Length"))
        if response.status_code == 206:
            total = _check_range(response, offset, note, partial)
            file = partial.resume()
        else:
            offset, total = 0, None if encoded else length
            _check_length(total, limit, address, partial)
            file = partial.begin(address, "" if encoded else _validator(response), total)
        with (
            file,
            progress_bar(
                verbose=verbose,
                description=description,
                total=total,
                initial=offset,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
            ) as bar,
        ):
            arrived = offset
            for block in _blocks(response):
                arrived += len(block)
                _check_length(arrived, limit, address, partial)
                file.write(block)
                file.flush()  # A kill loses nothing that has arrived.
                bar.update(len(block))
        if length is not None and response.raw.tell() < length:
            raise _SetbackError(f"ended after {arrived} of {total or length} bytes")
        if total is not None and arrived != total:
            partial.discard()
            raise _SetbackError(f"sent {arrived} bytes in place of {total}")
        return offset > 0


def _answer(session: Session, url: str, headers: dict[str, str]) -> Response:
    """Return the answer at the end of all redirections, its body unread."""
    address = url
    for _ in range(_MAX_REDIRECTS + 1):
        response = _request(session, address, headers)
        if not response.is_redirect:
            return response
        response.close()
        # Headers are read as Latin-1; what a server sends beyond ASCII is UTF-8.
        location = response.headers["Location"].encode("latin-1").decode(errors="replace")
        try:
            target = urljoin(address, location)
            refusal = redirect_refusal(address, target)
        except ValueError:
            refusal = f"redirects to what is no address ({location!r})"
        if refusal is not None:
            raise TransferError(f"{shown(url)} {refusal}")
        address = target
    raise TransferError(f"{shown(url)} redirects more than {_MAX_REDIRECTS} times")


def _request(session: Session, url: str, headers: dict[str, str]) -> Response:
    """Make one request; say in words what kept it from being answered."""
    import requests
    import urllib3

    timeout = (_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S)
    try:
        return session.get(url, headers=headers, stream=True, timeout=timeout)
    except requests.exceptions.ProxyError as error:
        raise _SetbackError(
            "could not be reached through the proxy (ProxyError; check the environment variables "
            "HTTPS_PROXY, HTTP_PROXY and NO_PROXY)"
        ) from error
    except requests.exceptions.SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise TransferError(f"{shown(url)} has no certificate that can be trusted") from error
        raise _SetbackError("could not be reached (SSLError)") from error
    except requests.exceptions.ConnectTimeout as error:
        raise _SetbackError(
            f"could not be reached (ConnectTimeout, {_CONNECT_TIMEOUT_S:g} s)"
        ) from error
    except requests.exceptions.ReadTimeout as error:
        raise _SetbackError(f"did not answer for {_READ_TIMEOUT_S:g} s") from error
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise _SetbackError(f"could not be reached ({type(error).__name__})") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise TransferError(f"{shown(url)} cannot be asked for ({type(error).__name__})") from error


def _check_status(
    response: Response, address: str, partial: PartialFile, *, continuing: bool
) -> None:
    """Raise unless the answer brings the file or the rest of it."""
    status = response.status_code
    if status == 200 or (status == 206 and continuing):
        return
    if status == 416 and continuing:
        partial.discard()
        raise _SetbackError("does not continue where it broke off")
    if status in _TRANSIENT:
        raise _SetbackError(f"answered {status}", _retry_after(response))
    if status in (404, 410) and partial.note_for(address):
        partial.discard()
    remedy = " (the proxy asks for a name and password)" if status == 407 else ""
    raise TransferError(f"{address} answered {status}{remedy}")


def _check_range(
    response: Response, offset: int, note: tuple[str, int | None] | None, partial: PartialFile
) -> int | None:
    """Check that what comes continues what is there; return the total length."""
    found = re.fullmatch(
        r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
    )
    validator, total = note or ("", None)
    stated = _number(found[2]) if found else None
    same_version = (_validator(response) or validator) == validator
    same_length = stated is None or total is None or stated == total
    if found and int(found[1]) == offset and same_version and same_length:
        return stated if total is None else total
    partial.discard()
    raise _SetbackError("does not continue where it broke off")


def _check_length(length: int | None, limit: int, address: str, partial: PartialFile) -> None:
    if length is not None and length > limit:
        partial.discard()
        raise TransferError(f"{address} has more than the {limit} bytes that are accepted")


def _blocks(response: Response) -> Iterator[bytes]:
    """Yield the body as it arrives; a body that trickles counts as one that has stopped."""
    import urllib3

    # What is there now, where urllib3 has it: ``read`` would wait for a whole block.
    read = getattr(response.raw, "read1", response.raw.read)
    start, arrived = time.monotonic(), 0
    while True:
        try:
            block = read(_BLOCK, decode_content=True)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise _SetbackError(f"sent nothing for {_READ_TIMEOUT_S:g} s") from error
        except urllib3.exceptions.HTTPError as error:
            if "Content-Length" in response.headers:
                return  # The caller, who counts, says how much is missing.
            raise _SetbackError(f"broke off ({type(error).__name__})") from error
        if not block:
            return
        yield block
        arrived += len(block)
        now = time.monotonic()
        if now - start >= _READ_TIMEOUT_S:
            if arrived < _SLOWEST * (now - start):
                raise _SetbackError(f"sent only {arrived} bytes in {now - start:.0f} s")
            start, arrived = now, 0


def _validator(response: Response) -> str:
    """Return what names this version of the file, or ``""``: a weak ETag allows no ranges."""
    etag = response.headers.get("ETag", "")
    if etag.startswith('"'):
        return etag
    return response.headers.get("Last-Modified", "")


def _retry_after(response: Response) -> float:
    """Return how many seconds the server asks to wait."""
    value = response.headers.get("Retry-After", "").strip()
    if (seconds := _number(value)) is not None:
        return float(seconds)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None
