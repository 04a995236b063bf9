"""Everything that can be switched, read at the moment it matters. The front sets it through `control`."""

import asyncio
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Switches:
    """Durations are in milliseconds; 0 means at once."""

    # What of ours is off: names of the parts, see docs/aws-local.md. With its part off the emulator behaves as it came.
    off: list[str] = field(default_factory=list)
    # Stages at which everything waits until they are taken off this list: create, update, delete, wake, function, role.
    held: list[str] = field(default_factory=list)
    stack_create_ms: float = 0
    stack_update_ms: float = 0
    stack_delete_ms: float = 0
    # How long after its creation a role cannot be assumed by Lambda.
    role_ms: float = 0
    # How long a new function stays Pending, an updated one InProgress.
    function_ms: float = 0
    # After how long without an invocation a function is Inactive; None for never.
    idle_ms: float | None = None
    # How long a woken function stays Pending.
    wake_ms: float = 0
    # How long CloudFormation tries again when Lambda refuses a role or a rate.
    patience_ms: float = 20_000
    limits: bool = False
    lambda_per_second: float = 15
    get_function_per_second: float = 100
    burst: float | None = None
    # concurrency, stacks, roles; a new account's where nothing is said.
    quotas: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._changed = asyncio.Event()

    def is_on(self, part: str) -> bool:
        """Whether this part of the overlay is in force."""
        return part not in self.off

    def change(self, wanted: dict[str, Any]) -> None:
        """Take over the given values and wake whoever waits for one. Unknown names are refused."""
        known = {item.name for item in fields(self)}
        for name in wanted:
            if name not in known:
                message = f"switch {name!r}: expected one of {', '.join(sorted(known))}"
                raise ValueError(message)
        for name, value in wanted.items():
            setattr(self, name, value)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def stage(self, name: str, milliseconds: float) -> None:
        """Wait as long as the stage lasts, and as long as it is held."""
        if milliseconds > 0:
            await asyncio.sleep(milliseconds / 1000)
        while name in self.held:
            await self._changed.wait()


SWITCHES = Switches()
