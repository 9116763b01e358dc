import contextlib
import gzip
import http.server
import json
import os
import signal
import threading

import pytest
from helpers import run_program, start_program

from common.errors import UserError
from dataset import download

LINES = [
    json.dumps({"word": "cat", "drawing": [[[i, 1], [2, i]]]}).encode() + b"\n" for i in range(3000)
]


CONTENT = b"".join(LINES)


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT for every path; `plan` says for each request in turn how to misbehave."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan = []
        self.requests = []  # (path, Range)
        self.etag = None
        self.content = CONTENT
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # a client that has had enough is no error


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        deed = server.plan.pop(0) if server.plan else "well"
        if isinstance(deed, int):
            self.send_error(deed)
            return
        if deed == "redirect":
            self.send_response(302)
            self.send_header("Location", f"{server.url}/elsewhere{self.path}")
            self.end_headers()
            return
        content = server.content
        body, status = content, 200
        if isinstance(deed, bytes):
            body = deed
        elif "Range" in self.headers and (
            deed != "ignores ranges" and self.headers.get("If-Range", server.etag) == server.etag
        ):
            start = int(self.headers["Range"].split("=")[1].rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
            body, status = body[start:], 206
        self.send_response(status)
        if server.etag:
            self.send_header("ETag", server.etag)
        if status == 206 and deed != "tells no range":
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if deed == "gzip":
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        length = len(body)
        if deed == "says too little":
            length -= 10
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if deed == "cuts":
            body = body[: len(body) // 2 + 7]
        if deed == "cuts at once":
            body = b""
        if deed == "hangs":
            body = body[:10_000]
        with contextlib.suppress(ConnectionError):
            for i in range(0, len(body), 4096):
                self.wfile.write(body[i : i + 4096])
                server.sent += 4096
            if deed == "hangs":
                server.release.wait(30)


@pytest.fixture
def server():
    with Server() as server:
        server.release = threading.Event()
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server
        server.release.set()
        server.shutdown()


def fetch(server, folder, *, max_lines=0, timeout=10.0):
    path = folder / "cat.ndjson"
    source = download.Source(
        f"{server.url}/cat.ndjson", max_lines, timeout=timeout, first_delay=0.001
    )
    download.download(source, str(path), on_bytes=lambda count: None)
    assert os.listdir(folder) == ["cat.ndjson"]
    return path.read_bytes()


@pytest.mark.parametrize(
    "plan",
    [
        [],
        ["redirect"],
        ["gzip"],
        [503, 429, 500],
        ["cuts"],
        ["cuts"] * 10,
        ["cuts", "ignores ranges"],
        ["cuts", "gzip"],
        ["cuts at once"] * 4,
        ["says too little"],
        ["cuts", 503, "redirect", "cuts"],
        ["cuts", "tells no range"],
    ],
    ids=str,
)
def test_the_whole_file_arrives_however_the_server_behaves(server, tmp_path, plan):
    server.plan = plan
    assert fetch(server, tmp_path) == CONTENT


def test_a_server_that_falls_silent_is_left(server, tmp_path):
    server.plan = ["hangs"]
    assert fetch(server, tmp_path, timeout=0.2) == CONTENT


def test_an_interrupted_download_goes_on_where_it_was(server, tmp_path):
    (tmp_path / "cat.ndjson.part").write_bytes(CONTENT[:5000])
    assert fetch(server, tmp_path) == CONTENT
    assert server.requests == [("/cat.ndjson", "bytes=5000-")]


LOGIN = b"<!DOCTYPE html>\n<html><form>Log in</form></html>\n"


@pytest.mark.parametrize("body", [LOGIN, b"\n " + LOGIN, b"[1]", b"\x1f\x8b"], ids=repr)
def test_what_is_no_drawing_is_not_taken(server, tmp_path, body):
    server.plan = [body]
    with pytest.raises(download.DownloadError, match="something else than drawings, which begins"):
        fetch(server, tmp_path)
    assert fetch(server, tmp_path) == CONTENT  # and nothing is appended to it


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_what_an_earlier_version_saved_of_a_login_page_is_replaced(server, tmp_path, suffix):
    (tmp_path / f"cat.ndjson{suffix}").write_bytes(LOGIN * 50)
    assert fetch(server, tmp_path, max_lines=20) == b"".join(LINES[:20])
    assert server.requests == [("/cat.ndjson", None)]


def test_an_empty_answer_is_no_file(server, tmp_path):
    server.plan = [b""]
    with pytest.raises(download.DownloadError, match="an empty file"):
        fetch(server, tmp_path)
    assert not list(tmp_path.iterdir())


OTHER_LINES = [line.replace(b"cat", b"kitten") for line in LINES]


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, tmp_path):
    server.etag = '"1"'
    server.plan = ["cuts", 404]
    with pytest.raises(download.DownloadError):
        fetch(server, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["cat.ndjson.part", "cat.ndjson.part.etag"]
    server.etag, server.content = '"2"', b"".join(OTHER_LINES)
    assert fetch(server, tmp_path) == server.content
    assert server.requests[-1][1] is not None


def test_parts_that_do_not_go_on_where_another_ended_are_not_joined(server, tmp_path):
    (tmp_path / "cat.ndjson.part").write_bytes(CONTENT[:5000])
    server.content = b"".join(OTHER_LINES)  # whose lines stand elsewhere, and no ETag tells
    assert fetch(server, tmp_path) == server.content
    assert server.requests == [("/cat.ndjson", "bytes=5000-"), ("/cat.ndjson", None)]


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "a\\b"])
def test_a_category_is_the_name_of_a_file(server, tmp_path, name):
    folder = tmp_path / "in"
    done = run_program(
        "download_drawings.py",
        f"--output_path={folder}",
        f"--base_url={server.url}",
        f"--categories=cat,{name}",
    )
    assert done.returncode == 1
    assert f"--categories: {name!r} cannot be the name of a file" in done.stderr
    assert not server.requests and not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["server", "/data/quickdraw", "", "http://[::1"])
def test_what_is_no_url_is_refused_by_its_flag(tmp_path, url):
    with pytest.raises(UserError, match="--base_url=.*: not a URL; expected https://"):
        download.download_all(["cat"], str(tmp_path / "in"), base_url=url, max_lines=1)
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize("plan", [[], ["cuts"], ["gzip"], [503]], ids=str)
def test_only_the_lines_asked_for_are_fetched(server, tmp_path, plan):
    server.plan = plan
    assert fetch(server, tmp_path, max_lines=20) == b"".join(LINES[:20])
    assert server.requests[0] == ("/cat.ndjson", None)


def test_enough_lines_ask_nothing_and_more_lines_ask_for_the_rest(server, tmp_path):
    fetch(server, tmp_path, max_lines=20)
    server.requests.clear()
    assert fetch(server, tmp_path, max_lines=10) == b"".join(LINES[:20])
    assert not server.requests
    assert fetch(server, tmp_path, max_lines=30) == b"".join(LINES[:30])
    assert server.requests == [("/cat.ndjson", f"bytes={sum(map(len, LINES[:20]))}-")]
    assert fetch(server, tmp_path, max_lines=5000) == CONTENT
    assert fetch(server, tmp_path) == CONTENT  # the server says that nothing is missing


def test_missing_file_is_given_up_at_once(server, tmp_path):
    server.plan = [404]
    with pytest.raises(download.DownloadError, match="answers 404 .*categories.txt"):
        fetch(server, tmp_path)
    assert len(server.requests) == 1


def test_hopeless_server_is_given_up_after_some_attempts(server, tmp_path):
    server.plan = [503] * 100
    with pytest.raises(download.DownloadError, match="503 .*gave up"):
        fetch(server, tmp_path)
    assert len(server.requests) == download.MAX_ATTEMPTS
    assert not list(tmp_path.iterdir())


def test_categories_are_those_of_the_data_set():
    categories = download.read_categories()
    assert len(categories) == len(set(categories)) == 345
    assert categories == sorted(categories)
    assert {"The Eiffel Tower", "cat", "zigzag"} < set(categories)


def test_program_fetches_what_it_can_and_says_what_it_cannot(server, tmp_path):
    server.plan = [404]
    args = ["download_drawings.py", f"--output_path={tmp_path}", f"--base_url={server.url}/full/"]
    done = run_program(*args, "--categories=cat,The Eiffel Tower,ant", "--drawings_per_class=100")
    assert done.returncode == 1
    assert "answers 404" in done.stderr and "Traceback" not in done.stderr
    assert "2 of 3 files" in done.stdout
    assert sorted(path for path, _ in server.requests) == [
        "/full/The%20Eiffel%20Tower.ndjson",
        "/full/ant.ndjson",
        "/full/cat.ndjson",
    ]
    again = run_program(*args, "--categories=cat,The Eiffel Tower,ant", "--drawings_per_class=100")
    assert again.returncode == 0
    assert {p.read_bytes() for p in tmp_path.iterdir()} == {b"".join(LINES[:100])}
    assert len(server.requests) == 4  # the two that were there are not asked for again


def test_ctrl_c_ends_at_once_and_keeps_what_came(server, tmp_path):
    server.plan = ["hangs"]
    process = start_program(
        "download_drawings.py",
        f"--output_path={tmp_path}",
        f"--base_url={server.url}",
        "--categories=cat",
    )
    while not (tmp_path / "cat.ndjson.part").exists() and process.poll() is None:
        pass
    os.kill(process.pid, signal.SIGINT)
    assert "Traceback" not in process.communicate(timeout=30)[0]  # while the server hangs
    assert process.returncode == 130
    assert os.listdir(tmp_path) == ["cat.ndjson.part"]


def test_each_attempt_in_vain_waits_twice_as_long(server, tmp_path):
    server.plan = [503] * 4
    source = download.Source(f"{server.url}/cat.ndjson", 0, first_delay=0.25)
    waits = []
    download.download(
        source, str(tmp_path / "cat.ndjson"), on_bytes=lambda count: None, sleep=waits.append
    )
    for wait, least in zip(waits, (0.125, 0.25, 0.5, 1.0)):
        assert least <= wait <= 3 * least  # a random factor from a half to one and a half
    assert len(waits) == 4
