"""Embed more than fits in memory: straight to a file, some rows at a time, resumable."""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from ..encoders import load_encoder
from ..media import MediaError, as_cells, is_missing
from ..media._cells import describe
from ..utils import check_number, progress_bar
from ..utils._file_lock import file_lock
from ._column import Keeper, MediaWarning, unread_message
from ._content import file_state, hash_parts, media_key

_PARTIAL, _STATE = ".part", ".part.json"


def embed_to_file(
    embedder: Any,
    cells: Sequence[Any],
    path: str | os.PathLike[str],
    *,
    chunk_size: int = 1024,
    verbose: int = 0,
) -> np.memmap:
    """Embed a column of media into a ``.npy`` file; a second call takes up where one ended.

    Rows go to ``<path>.part`` when there is a chunk of them or two seconds of work, and how many
    are safe stands in ``<path>.part.json``; the file gets its name when it is whole. With
    ``cache=`` it is the cache that keeps rows between chunks. Memory holds one chunk, however
    long the column is. While another process on this machine makes the file, it is waited for.

    Parameters
    ----------
    embedder : AudioEmbedder, ImageEmbedder or TextEmbedder
        Its ``on_error`` decides what becomes of cells that cannot be read: the rows before an
        error are kept for the next call; a warning is one for the whole column. A strict call
        also raises for cells that an earlier, lenient one left missing; if all of them can be
        read by now, it embeds them.
    cells : sequence
        A column of a media table.
    path : str or path-like
        The file, ending in ``.npy``. A whole one is returned as it is when it was made from
        these cells by this encoder, of which some may not have been there yet; a half-written
        one for other cells or another encoder is begun anew.
    chunk_size : int, default=1024
        Largest number of rows that are written at once.
    verbose : int, default=0
        Positive: a progress bar with the rate of rows.

    Returns
    -------
    embeddings : numpy.memmap of shape (n_samples, n_features)
        Read-only float32; ``NaN`` rows are missing.

    Raises
    ------
    ValueError
        When ``path`` is a whole file made from other cells or by another encoder.
    OSError
        When the file cannot be written, or the disk has no room for all of it, which is found
        out before anything is embedded. What was embedded before is kept for the next call.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skxmodal.embedders import ImageEmbedder, embed_to_file
    >>> path = os.path.join(tempfile.mkdtemp(), "image-hog.npy")
    >>> embed_to_file(ImageEmbedder("hog"), [np.eye(64), None], path).shape
    (2, 900)
    """
    path = Path(path)
    if path.suffix != ".npy":
        raise ValueError(f"path must end in .npy, got {str(path)!r}")
    check_number("chunk_size", chunk_size, integer=True, low=1)
    cells = as_cells(cells)
    embedder = clone(embedder).set_params(verbose=0).fit(cells)
    on_error = embedder.on_error
    if on_error == "warn":
        embedder.set_params(on_error="ignore")  # one warning for the column, not one a chunk
    recipe, absent = _recipe(embedder, cells)
    made_from = {"made_from": recipe, "absent": absent}
    state_file = path.with_name(path.name + _STATE)
    origin_file = path.with_name(path.name + ".json")
    with ExitStack() as stack:
        made_anew = False
        for locked in (False, True):
            if path.is_file() and not made_anew:
                if not _is_made_from(_read_json(origin_file), made_from, embedder, cells):
                    raise ValueError(
                        f"{str(path)!r} holds the embeddings of other media or of another encoder: "
                        "delete it, or choose another path"
                    )
                # Left by a process that was killed at the very end; the folder may be read-only
                # by now.
                with suppress(OSError):
                    state_file.unlink()
                found = np.load(path, mmap_mode="r")
                # What a strict call is not to leave out, and can be read by now, is embedded anew.
                if not _tell_of_unread(embedder, cells, found, on_error) or on_error == "warn":
                    return found
                made_anew = True
            if not locked:
                # A whole file needs no lock; another process may be making it just now.
                with _naming(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(file_lock(path.with_name(path.name + ".lock")))

        partial = path.with_name(path.name + _PARTIAL)
        shape = (len(cells), embedder.n_features_out_)
        state = _read_json(state_file)
        done = state.get("rows", 0) if _is_made_from(state, made_from, embedder, cells) else 0
        with _naming(path):
            if not (done and partial.is_file()):
                done = 0
                state_file.unlink(missing_ok=True)
                partial.unlink(missing_ok=True)
                np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
            _reserve(partial)
            rows = np.lib.format.open_memmap(partial, mode="r+")
        if on_error == "raise":
            for row in _tell_of_unread(embedder, cells, rows[:done], on_error)[:1]:
                done = row - row % chunk_size

        def secure(rows: np.memmap, n_rows: int) -> None:
            """Make the first rows safe, and write down how many they are."""
            with _naming(path):
                rows.flush()
                _write_json(state_file, {**made_from, "rows": n_rows})

        with progress_bar(
            None, verbose=verbose, description=path.stem, total=len(cells), unit="row"
        ) as bar:
            _embed_into(rows, embedder, cells, done, chunk_size, secure, bar)
        del rows
        with _naming(path):
            _write_json(origin_file, made_from)
            partial.replace(path)
        state_file.unlink(missing_ok=True)
        found = np.load(path, mmap_mode="r")
        if on_error == "warn":
            _tell_of_unread(embedder, cells, found, on_error)
        return found


def _embed_into(
    rows: np.memmap,
    embedder: Any,
    cells: list,
    done: int,
    chunk_size: int,
    secure: Callable[[np.memmap, int], None],
    bar: Any,
) -> None:
    """Embed what is not done yet, chunk by chunk."""

    def keep(following: np.ndarray) -> None:
        """Write the rows that follow those that are safe."""
        nonlocal done
        rows[done : done + len(following)] = following
        done += len(following)
        secure(rows, done)

    bar.update(done)
    # Chunks begin at the same rows however often the work was ended: the last bits of what an
    # encoder returns may depend on the whole batch.
    for start in range(done - done % chunk_size, len(cells), chunk_size):
        stop = min(start + chunk_size, len(cells))
        keeper = Keeper(rows[start:done], keep, bar.update)
        embeddings = _embed_rows(embedder, cells, start, stop, keeper)
        keep(embeddings[done - start :])
        bar.update(stop - bar.n)  # cells that are missing, repeated or in the cache


def _reserve(partial: Path) -> None:
    """Have the disk set aside every block of the file, or raise.

    A file that is only as long as it will be has none yet, and writing to its memory map on a
    full disk ends the process.
    """
    n_bytes = partial.stat().st_size
    if not hasattr(os, "posix_fallocate"):
        if shutil.disk_usage(partial.parent).free < n_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial))
        return
    with partial.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, n_bytes)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors of writing it, and what to do."""
    try:
        yield
    except OSError as error:
        raise type(error)(
            error.errno,
            f"embeddings cannot be written ({error.strerror or error}): choose another path, or "
            "make room there and call again, which goes on with what is embedded already",
            str(path),
        ) from error


def _embed_rows(
    embedder: Any, cells: list, start: int, stop: int, keeper: Keeper | None = None
) -> np.ndarray:
    """Embed some rows; an error names the row of the whole column."""
    try:
        return embedder._embed(cells[start:stop], keeper)
    except MediaError as error:
        raise error if error.row is None else error.at_row(start + error.row) from None


def _tell_of_unread(embedder: Any, cells: list, rows: np.ndarray, on_error: str) -> list[int]:
    """Raise for the first cell that could not be read, or warn of all of them.

    An earlier, more lenient call may have left them: they are read again for the reason. A cell
    may be readable by now, because a disk was away or a right was missing; if all are, a strict
    call gets their rows.
    """
    if on_error == "ignore":
        return []
    missing = np.flatnonzero(np.isnan(rows[:, 0])).tolist()
    unread = [row for row in missing if not is_missing(cells[row])]
    strict = clone(embedder).set_params(on_error="raise")
    for row in unread if on_error == "raise" else unread[:1]:
        try:
            _embed_rows(strict, cells, row, row + 1)
            reason = MediaError(
                "it can be read by now, and on_error='raise' embeds it",
                cell=describe(cells[row]),
                row=row,
            )
        except MediaError as error:
            if on_error == "raise":
                raise
            reason = error
    if unread and on_error == "warn":
        warnings.warn(unread_message(len(unread), len(cells), reason), MediaWarning, stacklevel=3)
    return unread


def _is_made_from(
    told: dict[str, Any], made_from: dict[str, Any], embedder: Any, cells: list
) -> bool:
    """Tell whether rows of which ``told`` was written down are of these cells and this encoder.

    What was not there at the time may have been put there since: its row is a missing one.
    """
    if told.get("made_from") == made_from["made_from"]:
        return True
    absent = set(told.get("absent", ()))
    return bool(absent) and told["made_from"] == _recipe(embedder, cells, absent)[0]


def _recipe(embedder: Any, cells: list, absent: Collection[int] = ()) -> tuple[str, list[int]]:
    """Hash what the embeddings depend on: files by name, size and time, the rest by content.

    Also return the rows whose files are not there; those of ``absent`` count as such.
    """
    encoder = load_encoder(
        embedder.encoder,
        embedder._modality,
        weights=embedder.weights,
        device=embedder.device,
        backend=embedder.backend,
    )
    rate = getattr(embedder, "sample_rate", None)
    parts = [encoder.fingerprint, embedder.pooling, repr(rate), str(len(cells))]
    # A text is content: the embedder hands out bytes for it, and only a path is a str here.
    not_there = []
    for row, cell in enumerate(embedder._cells(cells)):
        if isinstance(cell, (str, os.PathLike)):
            state = None if row in absent else file_state(cell)
            if state is None:
                not_there.append(row)
            parts += [os.fspath(cell), state or "missing"]
        else:
            parts.append(media_key(cell, sample_rate=rate) or "")
    return hash_parts(*parts), not_there


def _read_json(path: Path) -> dict[str, Any]:
    """What the file says; nothing when it is not there or was cut off."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write beside the goal, then rename: the file is whole or not there."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(content), "utf-8")
    beside.replace(path)
