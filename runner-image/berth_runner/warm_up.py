"""Loads what runs will need, and walks once through the code paths that load more on first use."""

import gc
import io
import os
import sys
from importlib import import_module, metadata
from pathlib import Path

_ALWAYS = ("json", "traceback", "ast", "linecache", "math", "datetime", "random", "re", "collections", "statistics")


def warm_up(libraries: list[str], cache: dict[str, bytes]) -> dict[str, str]:
    """Import and exercise the libraries, freeze the heap, and return the versions."""
    make_streams()
    for name in _ALWAYS:
        import_module(name)
    import_module("berth_runner.child.python").warm_up()
    _fill_cache(cache)
    for name in libraries:
        import_module(name)
    if "pandas" in libraries:
        _exercise_pandas()
    if "matplotlib" in libraries:
        _exercise_matplotlib()
    gc.collect()
    gc.freeze()
    return {name: metadata.version(name) for name in libraries}


def make_streams() -> None:
    """Make stdout and stderr anew while a pipe lies below them.

    Python asks once whether a stream may seek. One made over /dev/null or a log file would try to, on a run's pipe.
    """
    for fd, name in ((1, "stdout"), (2, "stderr")):
        kept = os.dup(fd)
        read, write = os.pipe()
        os.dup2(write, fd)
        stream = open(fd, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        os.dup2(kept, fd)
        for done in (kept, read, write):
            os.close(done)


def read_cache(folder: str | None) -> dict[str, bytes]:
    """Return the files of matplotlib's cache, read while the folder can still be seen."""
    if folder is None or not Path(folder).is_dir():
        return {}
    return {file.name: file.read_bytes() for file in Path(folder).iterdir() if file.is_file()}


def _fill_cache(cache: dict[str, bytes]) -> None:
    """matplotlib ignores a cache folder that it can't write to, so it gets a copy of its own."""
    if not cache:
        return
    target = Path(os.environ["MPLCONFIGDIR"])
    target.mkdir(parents=True, exist_ok=True)
    for name, content in cache.items():
        if not (target / name).exists():
            (target / name).write_bytes(content)


def _exercise_pandas() -> None:
    pandas = import_module("pandas")
    table = pandas.read_csv(io.StringIO("day,name,value\n2026-01-01,a,1.5\n2026-01-02,b,2.5\n"))
    table["day"] = pandas.to_datetime(table["day"])
    table.groupby("name")["value"].agg(["mean", "sum"]).sort_values("sum").to_html()
    table.pivot_table(index="name", values="value").merge(table, on="name").describe().to_string()
    table.head().to_json()


def _exercise_matplotlib() -> None:
    plot = import_module("matplotlib.pyplot")
    figure, axes = plot.subplots()
    axes.plot([1, 2, 3], label="warm")
    axes.bar([1, 2], [2, 1])
    axes.set_title("warm")
    axes.legend()
    figure.savefig(io.BytesIO(), format="png")
    plot.close("all")
