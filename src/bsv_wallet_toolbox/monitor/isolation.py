"""Many pieces of work side by side, none of which stops the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

__all__ = ["for_each"]

T = TypeVar("T")


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, limit: int) -> list[Exception]:
    """Do ``work`` on every item, ``limit`` at a time. What it raised is the answer, after all are done."""
    failures: list[Exception] = []
    gate = anyio.CapacityLimiter(limit)

    async def one(item: T) -> None:
        async with gate:
            try:
                await work(item)
            except Exception as error:  # noqa: BLE001  # reported by the caller once the others are done
                failures.append(error)

    async with anyio.create_task_group() as group:
        for item in items:
            group.start_soon(one, item)
    return failures
