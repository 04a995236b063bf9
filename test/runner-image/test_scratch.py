"""Folders of runs are removed whole, whatever a run did to them."""

import os
import shutil
from pathlib import Path

import pytest
from berth_runner import scratch


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    scratch.make_folder(folder, None)
    deep = folder / "work" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (folder / "work" / "link").symlink_to(tmp_path)
    deep.chmod(0)
    deep.parent.chmod(0)
    return folder


def test_locked_folders_are_opened_and_removed(locked: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("outside")

    assert scratch.remove_folder(locked)
    assert not locked.exists()
    assert (tmp_path / "kept").exists(), "a link out of the folder was followed"


@pytest.mark.skipif(os.geteuid() == 0, reason="root opens every folder, so the control would show nothing")
def test_the_control_a_plain_removal_leaves_them(locked: Path) -> None:
    shutil.rmtree(locked, ignore_errors=True)

    assert locked.exists()
    scratch.remove_folder(locked)


def test_only_new_entries_of_the_run_s_user_are_removed(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("before the run")
    before = scratch.list_entries((str(tmp_path),))
    (tmp_path / "new").write_text("by the run")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("by the run")

    assert scratch.remove_new((str(tmp_path),), before, os.getuid() + 1)
    assert len(list(tmp_path.iterdir())) == 3, "entries of another user were touched"
    assert scratch.remove_new((str(tmp_path),), before, os.getuid())
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_tree_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    scratch.make_folder(folder, None)
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)

    assert scratch.remove_folder(folder)
    assert not folder.exists()


def test_what_is_new_in_the_scratch_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "list.json").write_text("{}")
    before = scratch.sign(tmp_path)
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "file").write_text("by the run")
    (tmp_path / "link").symlink_to("/")

    assert scratch.restore(tmp_path, before)
    assert [path.name for path in tmp_path.iterdir()] == ["fonts"]


@pytest.mark.parametrize("name", ["list.json", "matplotlibrc"])
def test_what_was_changed_in_the_scratch_folder_is_no_longer_trusted(tmp_path: Path, name: str) -> None:
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "list.json").write_text("{}")
    before = scratch.sign(tmp_path)
    (tmp_path / "fonts" / name).write_text("[]")

    assert not scratch.restore(tmp_path, before)
    assert list(tmp_path.iterdir()) == []
