"""Downloads files of drawings, as many of each one's lines as asked for.

Files appear under their final names when they are complete; one that was interrupted is continued.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import queue
import random
import re
import shutil
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence

import orjson

from common import terminal
from common.errors import UserError

CATEGORIES_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "categories.txt")

# Files fetched at once: enough to fill a fast line, few enough for a server not to mind.
PARALLEL_DOWNLOADS = 8

# Attempts in a row that bring nothing before a file is given up, and the time before the second;
# it doubles each time.
MAX_ATTEMPTS = 6
FIRST_DELAY_SECONDS = 1.0

# Without a byte for so long, a connection is taken for dead.
TIMEOUT_SECONDS = 60.0

CHUNK_BYTES = 1 << 16

# The longest line that is looked at.
MAX_LINE_BYTES = 1 << 20

# Answers that another attempt may change.
RETRIED_STATUS = frozenset((408, 425, 429, 500, 502, 503, 504))

PARTIAL_SUFFIX = ".part"

# Beside an unfinished file, the ETag of what it is the beginning of.
ETAG_SUFFIX = ".etag"

# What may stand before a file's first brace.
_BEFORE_FIRST = b"\xef\xbb\xbf \t\r\n"


class DownloadError(Exception):
    """A file cannot be had; the message says why."""


class _Retry(Exception):
    """This attempt failed, another may not."""


@dataclasses.dataclass(frozen=True)
class Source:
    url: str
    max_lines: int  # 0 for all
    timeout: float = TIMEOUT_SECONDS
    first_delay: float = FIRST_DELAY_SECONDS


def download(
    source: Source,
    path: str,
    *,
    on_bytes: Callable[[int], None],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Downloads a file, or as much of it as is missing, to `path`.

    Args:
      source: where from, and how many lines.
      path: local file. `path + ".part"` holds what is there of an unfinished one.
      on_bytes: told how many bytes have come; what it raises ends the download.
      sleep: waits some seconds between two attempts.

    Raises:
      DownloadError: it cannot be had.
      OSError: it cannot be written.
    """
    is_there = os.path.exists(path) and _begins_well(path)
    if is_there and _has_lines(path, source.max_lines):
        return
    partial = path + PARTIAL_SUFFIX
    if is_there and not os.path.exists(partial):
        shutil.copyfile(path, partial)  # of a run that asked for fewer
    if os.path.exists(partial) and not _begins_well(partial):
        _discard(partial)
    joints: set[int] = set()  # where one answer's part goes on after another's
    failures = 0
    while True:
        size = _size(partial)
        try:
            _fetch(source, partial, on_bytes, joints)
            _check_joints(partial, joints)
            break
        except _Retry as problem:
            failures = 1 if _size(partial) > size else failures + 1
            if failures == MAX_ATTEMPTS:
                raise DownloadError(f"{source.url}: {problem}; gave up for now") from None
            sleep(source.first_delay * 2 ** (failures - 1) * random.uniform(0.5, 1.5))
    if not _size(partial):
        _discard(partial)
        raise DownloadError(f"{source.url}: the server sends an empty file")
    _keep_lines(partial, source.max_lines)
    os.replace(partial, path)
    _discard(partial)


def _fetch(source: Source, partial: str, on_bytes: Callable[[int], None], joints: set[int]) -> None:
    """Appends to the partial file what is missing, and to `joints` where it does.

    Raises:
      _Retry: the server or the line failed before the end.
      DownloadError: the server says that there is no such file, or sends something else.
    """
    if source.max_lines and _has_lines(partial, source.max_lines):
        return
    start = _size(partial)
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if etag := _read_text(partial + ETAG_SUFFIX):
            headers["If-Range"] = etag  # all of it, where it is not the same any more
    request = urllib.request.Request(source.url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=source.timeout) as response:
            resumed = response.status == 206
            if resumed and _range_start(response) != start:
                _discard(partial)  # the next attempt asks for all
                raise _Retry("the server sends a part of the file without saying which")
            if resumed:
                joints.add(start)
            else:
                joints.clear()
                _note_etag(response, partial)
            lines_left = source.max_lines - (_count_lines(partial) if resumed else 0)
            with open(partial, "ab" if resumed else "wb") as file:
                for data in _read(response) if resumed else _checked(_read(response), source):
                    file.write(data)
                    on_bytes(len(data))
                    lines_left -= data.count(b"\n")
                    if source.max_lines and lines_left <= 0:
                        return
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:  # nothing is missing
            return
        if error.code in RETRIED_STATUS:
            raise _Retry(f"the server answers {error.code} {error.reason}") from None
        problem = f"{source.url}: the server answers {error.code} {error.reason}"
        if error.code == 404:
            problem += "; dataset/categories.txt lists the data set's categories"
        raise DownloadError(problem) from None
    except urllib.error.URLError as error:
        raise _Retry(str(error.reason)) from None
    # Before Python 3.10 socket.timeout is no TimeoutError.
    except (TimeoutError, http.client.HTTPException, ConnectionError, zlib.error) as error:
        raise _Retry(f"the connection failed ({type(error).__name__})") from None
    if not _ends_well(partial):
        raise _Retry("the file ends in the middle of a line")


def _checked(body: Iterator[bytes], source: Source) -> Iterator[bytes]:
    """Yields a body that begins as ndjson.

    Raises:
      DownloadError: it does not: it is the page of a login or of an error, for example.
    """
    head = b""
    for data in body:
        if not head:
            head = data.lstrip(_BEFORE_FIRST)
            if head and not head.startswith(b"{"):
                shown = head[:40].decode(errors="replace")
                raise DownloadError(
                    f"{source.url}: the server sends something else than drawings, which begins "
                    f"{shown!r}; does it ask for a login?"
                )
        yield data


def _note_etag(response: http.client.HTTPResponse, partial: str) -> None:
    """Keeps what the file that is being fetched is known by, if it is to the byte."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        with open(partial + ETAG_SUFFIX, "w", encoding="utf-8") as file:
            file.write(etag)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial + ETAG_SUFFIX)


def _check_joints(partial: str, joints: set[int]) -> None:
    """Makes sure that the lines are whole where parts of a file were joined.

    Raises:
      _Retry: one is not, and the partial file is gone.
    """
    for joint in joints:
        with open(partial, "rb") as file:
            file.seek(max(0, joint - MAX_LINE_BYTES))
            before = file.read(min(joint, MAX_LINE_BYTES)).split(b"\n")[-1]
            line = before + file.readline(MAX_LINE_BYTES)
        if line.strip() and not _is_json(line):
            _discard(partial)
            raise _Retry("what the server sends does not go on where the earlier part ended")


def _discard(partial: str) -> None:
    """Removes an unfinished file and what is known of it."""
    for path in (partial, partial + ETAG_SUFFIX):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def _read_text(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def _range_start(response: http.client.HTTPResponse) -> int | None:
    """Where the part begins, 100 by `Content-Range: bytes 100-199/200`."""
    try:
        return int(response.headers["Content-Range"].split()[1].split("-")[0])
    except (AttributeError, IndexError, ValueError):
        return None


def _read(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yields the body, piece by piece, uncompressed even if the server compresses unasked."""
    gzipped = response.headers.get("Content-Encoding", "identity") == "gzip"
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16) if gzipped else None
    received = 0
    while data := response.read1(CHUNK_BYTES):
        received += len(data)
        yield decompressor.decompress(data) if decompressor else data
    expected = response.headers.get("Content-Length")
    if expected is not None and received < int(expected):
        raise http.client.IncompleteRead(b"", int(expected) - received)
    if decompressor and not decompressor.eof:
        raise http.client.IncompleteRead(b"")


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _count_lines(path: str) -> int:
    if not os.path.exists(path):
        return 0
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))


def _has_lines(path: str, count: int) -> bool:
    """Returns whether a file holds that many lines; of all (0) nobody can know without asking."""
    return bool(count) and _count_lines(path) >= count


def _begins_well(path: str) -> bool:
    """Returns whether a file begins as ndjson does, or with nothing else yet."""
    with open(path, "rb") as file:
        head = file.read(CHUNK_BYTES).lstrip(_BEFORE_FIRST)
    return head.startswith(b"{") if head else _size(path) == 0


def _ends_well(path: str) -> bool:
    """Returns whether a file ends with a line break, or else with a whole line."""
    if not _size(path):
        return True
    with open(path, "rb") as file:
        file.seek(max(0, _size(path) - MAX_LINE_BYTES))
        last = file.read().split(b"\n")[-1]
    return not last or _is_json(last)


def _is_json(line: bytes) -> bool:
    try:
        return bool(orjson.loads(line))
    except orjson.JSONDecodeError:
        return False


def _keep_lines(path: str, count: int) -> None:
    """Cuts a file after its first `count` lines; 0 keeps all."""
    if not count:
        return
    kept = 0
    with open(path, "rb+") as file:
        for number, line in enumerate(file):
            if number == count:
                file.truncate(kept)
                return
            kept += len(line)


def read_categories() -> list[str]:
    """Reads the 345 categories of the data set."""
    with open(CATEGORIES_FILE, encoding="utf-8") as file:
        return file.read().splitlines()


def _check_url(base_url: str) -> None:
    """Raises UserError for what urllib would not take for a URL."""
    try:
        scheme = urllib.parse.urlsplit(base_url).scheme
    except ValueError:
        scheme = ""
    if not scheme:
        raise UserError(f"--base_url={base_url}: not a URL; expected https://... for example")


def download_all(
    categories: Sequence[str], output_path: str, *, base_url: str, max_lines: int
) -> dict[str, str]:
    """Downloads categories, several at a time.

    Returns:
      The reason for each category that could not be had.

    Raises:
      UserError: the name of a category is not that of a file.
    """
    for category in categories:
        if re.search(r"[/\\\0]", category) or category in (".", ".."):
            raise UserError(f"--categories: {category!r} cannot be the name of a file")
    _check_url(base_url)
    os.makedirs(output_path, exist_ok=True)
    downloads = _Downloads(categories, output_path, base_url=base_url, max_lines=max_lines)
    return downloads.run()


class _Downloads:
    """Categories that several threads download.

    The threads are daemons and not an executor's: the program's end would wait for those, for as
    long as a server is silent.
    """

    def __init__(
        self, categories: Sequence[str], output_path: str, *, base_url: str, max_lines: int
    ):
        self._output_path = output_path
        self._base_url = base_url.rstrip("/")
        self._max_lines = max_lines
        self._num_files = len(categories)
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        for category in categories:
            self._waiting.put(category)
        self._ended: queue.SimpleQueue[tuple[str, Exception | None]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._received = 0  # bytes
        self._num_done = 0
        self._progress = terminal.Progress("Downloading", len(categories))

    def run(self) -> dict[str, str]:
        """Downloads all; returns the reason for each category that could not be had."""
        for _ in range(min(PARALLEL_DOWNLOADS, self._num_files)):
            threading.Thread(target=self._work, daemon=True).start()
        failed: dict[str, str] = {}
        try:
            for _ in range(self._num_files):
                category, error = self._ended.get()
                if isinstance(error, DownloadError):
                    failed[category] = str(error)
                elif error:
                    raise error
                self._num_done += 1
                self._add_bytes(0)
        finally:
            self._stopped.set()  # after Ctrl-C or on a full disk, the others stop too
        return failed

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                category = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._download(category)
                self._ended.put((category, None))
            except Exception as error:
                self._ended.put((category, error))

    def _download(self, category: str) -> None:
        url = f"{self._base_url}/{urllib.parse.quote(category)}.ndjson"
        path = os.path.join(self._output_path, f"{category}.ndjson")
        source = Source(url, self._max_lines)
        download(source, path, on_bytes=self._add_bytes, sleep=self._stopped.wait)

    def _add_bytes(self, count: int) -> None:
        if self._stopped.is_set():
            raise DownloadError("stopped")
        with self._lock:
            self._received += count
            self._progress.update(
                self._num_done,
                f"{self._num_done}/{self._num_files} files, {self._received / 1e6:,.0f} MB",
            )
