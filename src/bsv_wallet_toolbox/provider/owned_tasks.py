"""Writes that outlive their caller: cancelled before its commit a call leaves nothing, after it the work is finished.

Cancelling an asyncio task does not stop a thread, so a write runs in a task of ours and the caller awaits it shielded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION

__all__ = ["CallAbandoned", "CallerMark", "OwnedTasks"]

T = TypeVar("T")


class CallAbandoned(WERR_INVALID_OPERATION):
    """The caller went away before the commit; nothing was written. Nobody is left to see this."""


class CallerMark:
    """Tells an operation whether its caller is still there; :meth:`check` is called last before the commit."""

    def __init__(self) -> None:
        self._gone = False

    def leave(self) -> None:
        self._gone = True

    def check(self) -> None:
        if self._gone:
            raise CallAbandoned("The caller was cancelled before the commit.")


class OwnedTasks:
    """The tasks of a store. :meth:`finish` waits for all of them and refuses new ones."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def run(self, work: Callable[[CallerMark], Coroutine[Any, Any, T]]) -> T:
        """Await ``work`` in a task of its own. A cancelled caller stops waiting; the task decides by its mark."""
        mark = self._new_mark()
        task = asyncio.ensure_future(work(mark))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            mark.leave()
            raise

    async def run_until_commit(self, work: Callable[[CallerMark], Coroutine[Any, Any, T]]) -> T:
        """Await ``work`` in the caller's own task, which saves turns of the loop: after its commit nothing is left to
        do that others would not do as well.
        """
        mark = self._new_mark()
        try:
            return await work(mark)
        except asyncio.CancelledError:
            mark.leave()
            raise

    def _new_mark(self) -> CallerMark:
        if self._closed:
            raise WERR_INVALID_OPERATION("The wallet is closed.")
        return CallerMark()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: an abandoned call's error has no other reader

    async def finish(self) -> None:
        self._closed = True
        while self._tasks:
            await _settled(self._tasks)


async def _settled(tasks: set[asyncio.Task[Any]]) -> None:
    waiting: Awaitable[Any] = asyncio.wait(set(tasks))
    await waiting
