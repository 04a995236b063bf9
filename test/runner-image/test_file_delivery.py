"""How a child puts the files it was handed into its working directory."""

import os

import pytest
from berth_runner import sandbox


@pytest.mark.parametrize("how", ["copy", "link"])
def test_a_file_arrives_whole_though_a_child_before_has_read_it_and_was_lost(tmp_path, monkeypatch, how):
    fd = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b"content")
    os.lseek(fd, 0, os.SEEK_SET)

    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        sandbox.deliver_files([{"name": "a.csv", "how": how}], [os.dup(fd)])

    os.close(fd)
    assert [(tmp_path / name / "a.csv").read_bytes() for name in ("first", "second")] == [b"content"] * 2


def test_a_nameless_file_is_named_and_not_copied_on_the_same_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fd = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR, 0o444)

    sandbox.deliver_files([{"name": "a.csv", "how": "link"}], [os.dup(fd)])

    assert os.path.samestat(os.fstat(fd), (tmp_path / "a.csv").stat())
    os.close(fd)


def test_a_file_of_another_disk_is_copied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fd = os.memfd_create("a")
    os.write(fd, b"content")

    sandbox.deliver_files([{"name": "a.csv", "how": "link"}], [os.dup(fd)])

    os.close(fd)
    assert (tmp_path / "a.csv").read_bytes() == b"content"
