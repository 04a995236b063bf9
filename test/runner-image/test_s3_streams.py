"""What breaks on the way between the supervisor and S3, shown with a server of this test's own."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from berth_runner import s3
from berth_runner.protocol import Refusal
from berth_runner.s3_files import FilesTooLargeError, fetch
from berth_runner.s3_keeper import KeptNotError, S3Keeper
from runner_process import PACKAGE_ROOT, eventually

MIB = 1024 * 1024
PREFIX = {"kind": "s3", "bucket": "berths", "files": "berths/b1/files/", "run": "berths/b1/runs/r1/"}
Answer = Callable[["Asked"], None]


class Asked(BaseHTTPRequestHandler):
    """One request to the server; the test says how it is answered."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(f"{self.command} {self.path}")
        self.server.tags.append(self.headers.get("x-amz-tagging"))
        self.server.answer(self)

    def send(self, status: int, body: bytes = b"", *, announced: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(announced or len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if announced is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer
    seen: list[str]
    tags: list[str | None]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Asked) as started:
        started.seen, started.tags = [], []
        threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
            monkeypatch.setenv(f"AWS_{name}", "x")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{started.server_port}")
        monkeypatch.setattr(s3._Shared, "client", None)
        yield started
        started.shutdown()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>arn:aws:iam::1:role/secret</Message></Error>".encode()


def test_a_download_that_breaks_off_begins_anew(server, tmp_path):
    content = os.urandom(3 * MIB)

    def answer(asked: Asked) -> None:
        first = len(server.seen) == 1
        asked.send(200, content[: MIB + 5] if first else content, announced=len(content) if first else None)

    server.answer = answer

    (fd,) = fetch(PREFIX, ["a.bin"], max_bytes=len(content), folder=tmp_path)

    with os.fdopen(fd, "rb") as file:
        assert file.read() == content
    assert len(server.seen) == 2


def test_a_download_that_always_breaks_off_is_refused_and_leaves_nothing(server, tmp_path):
    server.answer = lambda asked: asked.send(200, b"x" * 5, announced=10)
    with pytest.raises(Refusal):
        fetch(PREFIX, ["warm"], max_bytes=MIB, folder=tmp_path)
    before, server.seen = open_files(), []

    with pytest.raises(Refusal) as refused:
        fetch(PREFIX, ["a.bin"], max_bytes=MIB, folder=tmp_path)

    assert refused.value.code == "runner_failed"
    assert len(server.seen) == 3
    assert list(tmp_path.iterdir()) == []
    # The server of this very process closes its ends in its own time.
    assert eventually(lambda: open_files() <= before)


def test_a_server_that_never_answers_is_asked_no_more_than_three_times(server, tmp_path):
    def hang_up(asked: Asked) -> None:
        asked.close_connection = True

    server.answer = hang_up

    with pytest.raises(Refusal) as refused:
        fetch(PREFIX, ["a.bin"], max_bytes=MIB, folder=tmp_path)

    assert refused.value.code == "runner_failed"
    assert len(server.seen) == 3


def test_s3s_own_words_stay_out_of_the_refusal(server, tmp_path):
    server.answer = lambda asked: asked.send(403, error("InvalidAccessKeyId"))

    with pytest.raises(Refusal) as refused:
        fetch(PREFIX, ["a.bin"], max_bytes=MIB, folder=tmp_path)

    assert refused.value.detail == "the tenant's file 'a.bin' could not be read from S3: InvalidAccessKeyId"


def test_throttling_is_asked_again(server, tmp_path):
    server.answer = lambda asked: (
        asked.send(503, error("SlowDown")) if len(server.seen) == 1 else asked.send(200, b"ok")
    )

    (fd,) = fetch(PREFIX, ["a.bin"], max_bytes=MIB, folder=tmp_path)

    with os.fdopen(fd, "rb") as file:
        assert file.read() == b"ok"


def test_the_file_that_fails_is_named_not_those_that_it_stopped(server, tmp_path):
    blocked = threading.Event()

    def answer(asked: Asked) -> None:
        if asked.path.endswith("bad"):
            asked.send(404, error("NoSuchKey"))
            blocked.set()
        else:
            blocked.wait()
            asked.send(200, b"x" * 100)

    server.answer = answer

    with pytest.raises(Refusal) as refused:
        fetch(PREFIX, ["a", "b", "bad", "c"], max_bytes=MIB, folder=tmp_path)

    assert (refused.value.code, refused.value.detail) == (
        "file_not_found",
        "'bad' does not exist among the tenant's files",
    )


def test_a_file_that_is_too_large_is_not_even_read(server, tmp_path):
    server.answer = lambda asked: asked.send(200, b"x", announced=10**12)

    with pytest.raises(FilesTooLargeError):
        fetch(PREFIX, ["a.bin"], max_bytes=MIB, folder=tmp_path)


def test_files_that_are_too_large_together_are_stopped(server, tmp_path):
    server.answer = lambda asked: asked.send(200, b"x" * 600)

    with pytest.raises(FilesTooLargeError):
        fetch(PREFIX, ["a", "b"], max_bytes=1000, folder=tmp_path)


def uploading(asked: Asked) -> None:
    """Answer as S3 does to an upload in parts."""
    if asked.path.endswith("?uploads"):
        asked.send(200, b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
    else:
        asked.send(200, ETag='"e"')


def halves(end: BaseException) -> Iterator[bytes]:
    yield b"x" * (17 * MIB)
    raise end


def test_an_upload_in_parts_that_breaks_off_is_aborted_and_never_completed(server):
    server.answer = uploading

    with pytest.raises(ValueError, match="grew"):
        S3Keeper("berths", PREFIX["run"]).put(("a",), halves(ValueError("grew")))

    assert [seen for seen in server.seen if seen.startswith("POST") and "uploadId" in seen] == []
    assert server.seen[-1] == "DELETE /berths/berths/b1/runs/r1/a?uploadId=u1"


@pytest.mark.parametrize(("size", "request_line"), [(1, "PUT"), (17 * MIB, "POST")], ids=["whole", "in_parts"])
def test_what_is_stored_bears_the_tag_that_the_buckets_lifecycle_looks_for(server, size, request_line):
    server.answer = uploading

    S3Keeper("berths", PREFIX["run"]).put(("a",), iter([b"x" * size]))

    # The first request makes the object; parts and the completion bear no tag of their own.
    assert server.seen[0].startswith(request_line)
    assert server.tags[0] == "berth-area=run"


def test_a_refused_part_aborts_the_upload(server):
    def answer(asked: Asked) -> None:
        if "partNumber=2" in asked.path:
            asked.send(403, error("AccessDenied"))
        else:
            uploading(asked)

    server.answer = answer

    with pytest.raises(KeptNotError, match=r"^AccessDenied$"):
        S3Keeper("berths", PREFIX["run"]).put(("a",), iter([b"x" * (17 * MIB)]))

    assert server.seen[-1].startswith("DELETE ")


def test_a_keeper_that_failed_once_does_not_ask_again(server):
    server.answer = lambda asked: asked.send(403, error("AccessDenied"))
    keeper = S3Keeper("berths", PREFIX["run"])

    for name in "ab":
        with pytest.raises(KeptNotError):
            keeper.put((name,), iter([b"x"]))

    assert server.seen == ["PUT /berths/berths/b1/runs/r1/a"]


@pytest.mark.parametrize("name", [("..", "x"), (".",), ("a", "", "b"), ("x" * 1100,)])
def test_a_name_that_is_no_key_is_not_kept(server, name):
    with pytest.raises(KeptNotError):
        S3Keeper("berths", PREFIX["run"]).put(name, iter([b"x"]))

    assert server.seen == []


def test_settings_and_models_in_the_home_folder_count_for_nothing(server, tmp_path, monkeypatch):
    # Code of a tenant may write there: Lambda's only writable folder is the home of the supervisor too.
    folder = Path(tmp_path, ".aws")
    (folder / "models" / "s3" / "2006-03-01").mkdir(parents=True)
    (folder / "config").write_text(
        "[default]\ns3 =\n  addressing_style = nonsense\nendpoint_url = http://127.0.0.1:9\n"
    )
    (folder / "models" / "s3" / "2006-03-01" / "service-2.json").write_text("broken")
    monkeypatch.setenv("HOME", str(tmp_path))
    server.answer = lambda asked: asked.send(200, b"ok")

    (fd,) = fetch(PREFIX, ["a.bin"], max_bytes=MIB, folder=tmp_path)

    os.close(fd)


def test_a_control_shows_that_botocore_would_otherwise_read_them(tmp_path, monkeypatch):
    from botocore.session import Session

    Path(tmp_path, ".aws").mkdir()
    Path(tmp_path, ".aws", "config").write_text("[default]\nregion = from-the-home-folder\n")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Session().get_config_variable("region") == "from-the-home-folder"


def test_botocore_is_loaded_only_by_who_needs_it():
    program = "import sys, berth_runner.local, berth_runner.handler; print('botocore' in sys.modules)"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE_ROOT)}

    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
