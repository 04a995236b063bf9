"""The results of one run: what the code displayed and its main value, together within one limit."""

from berth_runner.child.bundle import is_rich, to_bundle
from berth_runner.child.frame import encode_json
from berth_runner.child.json_value import NotJsonError, TooLargeError


class Results:
    """Collects results and counts the bytes of the array that will be sent."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.items: list[dict[str, object]] = []
        self.bytes = len("[]")
        self.too_large: str | None = None

    def display(self, *values: object) -> None:
        """Add each value as a result on the way; this is the global `display` of the code."""
        for value in values:
            self._add(value, {}, is_main=False)

    def set_main(self, value: object, drawn: dict[int, bytes], *, need: str | None) -> NotJsonError | None:
        """Add the value of the run.

        `need` says what it must have: None, "rich" (JSON, or a form that a person can look at) or "json".
        Returns why the value does not have that.
        """
        problem = self._add(value, drawn, is_main=True)
        if problem is None or need is None or (need == "rich" and is_rich(self.items[-1])):
            return None
        self.items.pop()
        return problem

    def _add(self, value: object, drawn: dict[int, bytes], *, is_main: bool) -> NotJsonError | None:
        """Add one value; return why it is not JSON. What does not fit is left out and remembered."""
        left = self.max_bytes - self.bytes
        try:
            forms, problem = to_bundle(value, max(left, 0), drawn)
        except TooLargeError:
            self._refuse(f"more than {self.max_bytes}")
            return None
        bundle = {"isMain": is_main, **forms}
        size = len(encode_json(bundle)) + (1 if self.items else 0)
        if size > left:
            self._refuse(str(self.bytes + size))
            return None
        self.items.append(bundle)
        self.bytes += size
        return problem

    def _refuse(self, size: str) -> None:
        self.too_large = self.too_large or f"the results take {size} bytes; the limit is {self.max_bytes}"
