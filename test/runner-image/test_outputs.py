"""Artifacts are taken out of a folder that hostile code filled."""

import base64
import hashlib
import os
import socket
import subprocess
from pathlib import Path

import pytest
from berth_runner import outputs
from berth_runner.outputs import MAX_DEPTH, FolderKeeper, collect
from berth_runner.s3_keeper import KeptNotError

LIMITS = {"maxInlineArtifactBytes": 1000, "maxArtifactBytes": 5000, "maxArtifacts": 5}


@pytest.fixture
def box(tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path


def take(box: Path, prefix: dict | None = None, keepers=None, **changes: int):
    # As the supervisor has it: a descriptor that only names the place.
    fd = os.open(box / "outputs", os.O_PATH | os.O_DIRECTORY)
    try:
        where = prefix or {"kind": "folder", "files": str(box / "files"), "run": str(box / "run")}
        return collect(fd, where, LIMITS | changes, keepers)
    finally:
        os.close(fd)


def names(artifacts) -> list[str]:
    return [artifact["name"] for artifact in artifacts]


def test_files_come_sorted_with_hash_and_type_and_are_kept_in_the_runs_folder(box):
    (box / "outputs" / "sub").mkdir()
    (box / "outputs" / "sub" / "b.csv").write_bytes(b"a,b\n")
    (box / "outputs" / "z.png").write_bytes(b"png")
    (box / "outputs" / "data.parquet").write_bytes(b"")

    artifacts, code, detail = take(box)

    assert (code, detail) == (None, "")
    assert [(a["name"], a["mime"], a["bytes"]) for a in artifacts] == [
        ("data.parquet", "application/vnd.apache.parquet", 0),
        ("sub/b.csv", "text/csv", 4),
        ("z.png", "image/png", 3),
    ]
    assert artifacts[1]["sha256"] == hashlib.sha256(b"a,b\n").hexdigest()
    assert base64.b64decode(artifacts[1]["content"]) == b"a,b\n"
    assert all(artifact["stored"] for artifact in artifacts)
    kept = box / "run" / "sub" / "b.csv"
    assert kept.read_bytes() == b"a,b\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (box / "run").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in (box / "run").rglob("*")) == ["b.csv", "data.parquet", "sub", "z.png"]


def test_an_empty_folder_has_no_artifacts(box):
    assert take(box) == ([], None, "")


def test_symbolic_links_are_reported_and_never_followed(box):
    (box / "outputs" / "link.txt").symlink_to(box / "secret.txt")
    (box / "outputs" / "folder").symlink_to(box)
    (box / "outputs" / "dangling").symlink_to("nowhere")
    (box / "outputs" / "loop").symlink_to("loop")
    (box / "outputs" / "magic").symlink_to("/proc/self/fd/0")
    (box / "outputs" / "good.txt").write_text("x")

    artifacts, code, detail = take(box)

    assert names(artifacts) == ["good.txt"]
    assert code is None
    assert all(f"'{name}'" in detail for name in ("link.txt", "folder", "dangling", "loop", "magic"))


def test_pipes_sockets_and_devices_are_reported_and_never_opened_for_long(box):
    os.mkfifo(box / "outputs" / "pipe")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(box / "outputs" / "socket"))

    artifacts, _, detail = take(box)

    server.close()
    assert artifacts == []
    assert "'pipe' (not a regular file)" in detail
    assert "'socket'" in detail


def test_a_folder_that_turns_into_a_link_between_two_steps_is_not_followed(box, monkeypatch):
    (box / "outputs" / "sub").mkdir()
    (box / "outputs" / "sub" / "secret.txt").write_text("mine")
    walk = outputs._enter

    def swap_after(*arguments):
        found = list(walk(*arguments))
        if (box / "outputs" / "sub").is_dir() and not (box / "outputs" / "sub").is_symlink():
            (box / "outputs" / "sub").rename(box / "moved")
            (box / "outputs" / "sub").symlink_to(box)
        return found

    monkeypatch.setattr(outputs, "_enter", swap_after)
    artifacts, _, detail = take(box)

    assert artifacts == []
    assert "'sub/secret.txt'" in detail


def test_a_control_shows_that_following_links_would_leak(box):
    (box / "outputs" / "link.txt").symlink_to(box / "secret.txt")

    assert (box / "outputs" / "link.txt").read_text() == "secret"


def test_a_file_exactly_at_the_limit_is_kept_and_one_byte_over_is_not(box):
    (box / "outputs" / "a").write_bytes(b"x" * 5000)
    assert names(take(box)[0]) == ["a"]

    (box / "outputs" / "a").write_bytes(b"x" * 5001)
    artifacts, code, detail = take(box)
    assert (artifacts, code) == ([], "artifacts_too_large")
    assert "'a'" in detail
    assert "5000 bytes" in detail


def test_the_sum_counts_and_what_fits_is_kept(box):
    for name, size in (("a", 3000), ("b", 3000), ("c", 2000)):
        (box / "outputs" / name).write_bytes(b"x" * size)

    artifacts, code, detail = take(box)

    assert names(artifacts) == ["a", "c"]
    assert code == "artifacts_too_large"
    assert "'b'" in detail
    assert not (box / "run" / "b").exists()


def test_the_number_of_artifacts_is_limited_exactly(box):
    for i in range(5):
        (box / "outputs" / f"{i}").write_bytes(b"")
    assert take(box)[1] is None

    (box / "outputs" / "5").write_bytes(b"")
    artifacts, code, detail = take(box)
    assert names(artifacts) == ["0", "1", "2", "3", "4"]
    assert code == "artifacts_too_large"
    assert "'5'" in detail


def test_contents_go_inline_as_long_as_their_sum_fits(box):
    (box / "outputs" / "a").write_bytes(b"x" * 600)
    (box / "outputs" / "b").write_bytes(b"x" * 600)
    (box / "outputs" / "c").write_bytes(b"x" * 400)

    artifacts, code, _ = take(box)

    assert code is None
    assert [artifact["content"] is not None for artifact in artifacts] == [True, False, True]
    assert all(artifact["stored"] for artifact in artifacts)


def test_a_sparse_file_of_a_terabyte_is_refused_at_once(box):
    with (box / "outputs" / "sparse").open("wb") as file:
        file.truncate(2**40)

    assert take(box)[1] == "artifacts_too_large"


def test_a_file_that_grows_while_it_is_read_is_stopped_at_the_limit(box):
    path = box / "outputs" / "growing"
    path.write_bytes(b"x")

    class Grower:
        spares_small = False

        def put(self, name, chunks):
            for _ in chunks:
                with path.open("ab") as file:
                    file.write(b"x" * 3000)

    artifacts, code, _ = take(box, keepers={"folder": lambda _: Grower()})

    assert artifacts == []
    assert code == "artifacts_too_large"


def test_nothing_is_left_of_a_file_that_turned_out_too_large(box):
    def chunks():
        yield b"half"
        raise ValueError

    keeper = FolderKeeper(str(box / "run"))
    with pytest.raises(ValueError):
        keeper.put(("a",), chunks())

    assert list((box / "run").iterdir()) == []


@pytest.mark.parametrize("name", [b"bad\xff", b"new\nline", b"esc\x1b[31m", b"\xe2\x80\xaeevil"])
def test_names_that_hide_what_they_are_get_reported(box, name):
    with open(os.path.join(os.fsencode(box / "outputs"), name), "wb"):  # noqa: PTH118, PTH123
        pass

    artifacts, code, detail = take(box)

    assert (artifacts, code) == ([], None)
    assert "its name" in detail
    assert detail.isprintable()


def test_names_with_odd_but_visible_characters_are_kept(box):
    for name in ("ä ö.txt", "a\\b", ".hidden", "-rf", "CON"):
        (box / "outputs" / name).write_text("x")

    assert len(take(box)[0]) == 5


def test_hard_links_are_files_like_any_other(box):
    (box / "outputs" / "a").write_text("x")
    (box / "outputs" / "b").hardlink_to(box / "outputs" / "a")

    assert names(take(box)[0]) == ["a", "b"]


def test_folders_deeper_than_the_limit_are_reported(box):
    deep = box / "outputs"
    for _ in range(MAX_DEPTH + 5):
        deep = deep / "d"
        deep.mkdir()
    (deep / "a").write_text("x")

    artifacts, _, detail = take(box)

    assert artifacts == []
    assert "deeper than" in detail


def test_a_folder_with_too_many_entries_is_read_to_the_limit_and_reported(box, monkeypatch):
    monkeypatch.setattr(outputs, "MAX_ENTRIES", 100)
    for i in range(110):
        os.mknod(box / "outputs" / f"{i:06}", 0o600)

    artifacts, code, detail = take(box)

    assert len(artifacts) == 5
    assert code == "artifacts_too_large"
    assert "beyond 100" in detail
    assert len(detail) < 1000


def test_an_unreadable_folder_is_reported_not_raised(box):
    (box / "outputs" / "closed").mkdir()
    (box / "outputs" / "closed" / "a").write_text("x")
    (box / "outputs" / "closed").chmod(0)
    (box / "outputs" / "open.txt").write_text("x")
    # The tests may run as root, who may read everything; the same call as an ordinary user shows the refusal.
    script = (
        "import os, json, sys; from berth_runner.outputs import collect; os.setgid(1234); os.setuid(1234);"
        "fd = os.open(sys.argv[1], os.O_PATH | os.O_DIRECTORY);"
        "print(json.dumps(collect(fd, {'kind': 'none'}, json.loads(sys.argv[2]))))"
    )
    if os.getuid() != 0:
        script = script.replace("os.setgid(1234); os.setuid(1234);", "")
    for parent in (box, *box.parents):
        if os.getuid() == 0 and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)
    import json
    import sys

    package = str(Path(outputs.__file__).parents[1])
    told = subprocess.run(
        [sys.executable, "-c", script, str(box / "outputs"), json.dumps(LIMITS)],
        env={"PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=True,
    )

    artifacts, _, detail = json.loads(told.stdout)
    assert names(artifacts) == ["open.txt"]
    assert "'closed' (Permission denied)" in detail


def test_without_a_keeper_what_does_not_fit_inline_is_too_large(box):
    (box / "outputs" / "a").write_bytes(b"x" * 1000)
    (box / "outputs" / "b").write_bytes(b"x")

    artifacts, code, _ = take(box, {"kind": "none"})

    assert names(artifacts) == ["a"]
    assert not artifacts[0]["stored"]
    assert code == "artifacts_too_large"


def memory(kept: dict[str, bytes], *, spares: bool) -> type:
    class Memory:
        spares_small = spares

        def put(self, name, chunks):
            kept["/".join(name)] = b"".join(chunks)

    return Memory


def test_what_fits_into_the_reply_is_not_kept_elsewhere_too(box):
    kept: dict[str, bytes] = {}
    make = memory(kept, spares=True)
    (box / "outputs" / "large").write_bytes(b"x" * 2000)
    (box / "outputs" / "small").write_bytes(b"y" * 20)

    artifacts, code, _ = take(box, {"kind": "s3"}, {"s3": lambda _: make()})

    assert code is None
    assert kept == {"large": b"x" * 2000}
    assert [(each["name"], each["stored"], each["content"] is None) for each in artifacts] == [
        ("large", True, True),
        ("small", False, False),
    ]


def test_what_could_not_be_kept_is_named_and_the_rest_is_there(box):
    class Refusing:
        spares_small = True

        def put(self, name, chunks):
            raise KeptNotError("SlowDown")

    (box / "outputs" / "large").write_bytes(b"x" * 2000)
    (box / "outputs" / "small").write_bytes(b"y" * 20)

    artifacts, code, detail = take(box, {"kind": "s3"}, {"s3": lambda _: Refusing()})

    assert names(artifacts) == ["small"]
    assert code == "runner_failed"
    assert detail == "could not be kept: 'large' (SlowDown)"


def test_another_place_to_keep_artifacts_can_be_put_in(box):
    kept: dict[str, bytes] = {}
    make = memory(kept, spares=False)

    (box / "outputs" / "a").write_bytes(b"x" * 2000)

    artifacts, code, _ = take(box, {"kind": "s3", "run": "r/"}, {"s3": lambda _: make()})

    assert code is None
    assert artifacts[0]["stored"]
    assert artifacts[0]["content"] is None
    assert kept == {"a": b"x" * 2000}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_a_hard_link_to_a_file_of_another_user_is_not_taken(box):
    (box / "secret").write_text("of the server")
    os.link(box / "secret", box / "outputs" / "stolen.txt")
    (box / "outputs" / "own.txt").write_text("x")
    os.link(box / "outputs" / "own.txt", box / "outputs" / "again.txt")
    for path in (box / "outputs", box / "outputs" / "own.txt"):
        os.chown(path, 1234, 1234)

    artifacts, _, detail = take(box)

    assert [artifact["name"] for artifact in artifacts] == ["again.txt", "own.txt"]
    assert "stolen.txt" in detail
