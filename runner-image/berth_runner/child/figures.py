"""matplotlib figures: their PNG, and every one that was left open as a file in outputs/."""

import io
import sys
from pathlib import Path
from typing import Any

OUTPUTS = "outputs"


def is_figure(value: object) -> bool:
    """Whether `value` is a matplotlib figure; matplotlib is not imported for the question."""
    module = sys.modules.get("matplotlib.figure")
    try:
        return module is not None and isinstance(value, module.Figure)
    except Exception:  # what lies in sys.modules may be anything
        return False


def to_png(figure: Any) -> bytes:  # noqa: ANN401 - matplotlib is never imported here
    """Draw the figure."""
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()


def save_open_figures() -> dict[int, bytes]:
    """Save the open figures by number as outputs/figure-1.png …; return the PNG of each by its id."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    drawn: dict[int, bytes] = {}
    for number in _numbers(pyplot):
        try:
            figure = pyplot.figure(number)
            drawn[id(figure)] = to_png(figure)
            _save(drawn[id(figure)], len(drawn))
        except Exception as error:
            print(f"berth: figure {number} could not be saved: {_told(error)}", file=sys.stderr)
    return drawn


def _numbers(pyplot: Any) -> list[int]:  # noqa: ANN401
    try:
        return [] if pyplot is None else list(pyplot.get_fignums())
    except Exception:  # what lies in sys.modules may be anything
        return []


def _told(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except Exception:
        return "the reason cannot be shown"


def _save(png: bytes, number: int) -> None:
    """Write under the next free name: what the code itself saved is never replaced."""
    Path(OUTPUTS).mkdir(exist_ok=True)
    while True:
        try:
            with Path(OUTPUTS, f"figure-{number}.png").open("xb") as file:
                file.write(png)
                return
        except FileExistsError:
            number += 1
