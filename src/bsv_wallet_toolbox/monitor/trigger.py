"""When a task runs next: after its interval, at a time it named, or at once because somebody fired its trigger."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Trigger"]


class Trigger:
    """Starts fired. :meth:`fire` may be called from any thread; the rest belongs to whoever runs the task."""

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._fired = True
        self._next_at = 0
        self._on_fire: Callable[[], None] | None = None

    def fire(self) -> None:
        """Let the task run at once; while it runs: once more behind this run."""
        self._fired = True
        on_fire = self._on_fire
        if on_fire is not None:
            on_fire()

    def when_fired(self, wake: Callable[[], None] | None) -> None:
        """Who is to be told, on the thread that fires."""
        self._on_fire = wake

    def run_at(self, when: int) -> None:
        """Let the task run at ``when`` (milliseconds since 1970) if that is before its interval ends."""
        self._next_at = min(self._next_at, when)

    def began(self, now: int) -> None:
        """The task runs now: what fired it is answered, and its interval starts."""
        self._fired = False
        self._next_at = now + self._interval

    def wait(self, now: int) -> int:
        """Milliseconds until the task is due, 0 when it is. A clock that was set back delays nothing."""
        left = self._next_at - now
        if self._fired or left <= 0 or left > self._interval:
            return 0
        return left
