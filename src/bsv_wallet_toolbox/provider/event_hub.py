"""EventHub: brings what the engine's commits announced to the users it belongs to, on the event loop's thread.

Nothing here waits for a listener. A stream that is not read holds so many events and then says that it lost them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Protocol, Self

from bsv_wallet_toolbox.database.transaction import Engine
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.events import EventsLost, WalletEvent

__all__ = ["WAITING_EVENTS", "EventHub", "EventStream"]

WAITING_EVENTS = 10_000
"""Events that a stream holds for a consumer that does not read."""

_log = logging.getLogger("bsv_wallet_toolbox.provider")


class _Listener(Protocol):
    def deliver(self, event: WalletEvent) -> None: ...

    def end(self) -> None: ...


class EventHub:
    """The listeners of one store. All of them belong to the event loop that the store is used on."""

    def __init__(self, engine: Engine) -> None:
        self._listeners: dict[int, list[_Listener]] = {}
        """By user. Replaced and emptied on the loop's thread; the engine's thread only looks whether there are any."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        engine.listen(self._committed)

    def stream(self, user_id: int, *, capacity: int = WAITING_EVENTS) -> EventStream:
        """The events of a user from the moment the stream is entered, at most ``capacity`` of them waiting."""
        return EventStream(lambda stream: self._add(user_id, stream), capacity)

    def on_event(self, user_id: int, callback: Callable[[WalletEvent], object]) -> Callable[[], None]:
        """Call ``callback`` with every event of a user from now on; the function that is answered ends that.

        Raises WERR_INVALID_PARAMETER for what can't be called or would have to be awaited, WERR_INVALID_OPERATION after
        closing and outside the event loop.
        """
        if not callable(callback) or iscoroutinefunction(callback):
            raise WERR_INVALID_PARAMETER("callback", "a plain function of one event; for coroutines there is a stream")
        return self._add(user_id, _Callback(callback))

    def close(self) -> None:
        """End every stream once it has given what waits in it, and call nobody any more."""
        self._closed = True
        listeners, self._listeners = self._listeners, {}
        for each in listeners.values():
            for listener in each:
                listener.end()

    def _add(self, user_id: int, listener: _Listener) -> Callable[[], None]:
        if self._closed:
            raise WERR_INVALID_OPERATION("The wallet is closed.")
        self._loop = self._shared_loop()
        self._listeners.setdefault(user_id, []).append(listener)

        def remove() -> None:
            listener.end()
            listeners = self._listeners.get(user_id, [])
            if listener in listeners:
                listeners.remove(listener)
            if not listeners:
                self._listeners.pop(user_id, None)

        return remove

    def _shared_loop(self) -> asyncio.AbstractEventLoop:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None or (self._listeners and loop is not self._loop):
            raise WERR_INVALID_OPERATION("Listen from the event loop that the wallet is used on.")
        return loop

    def _committed(self, events: Sequence[WalletEvent]) -> None:
        """Called on the engine's thread, after each commit that announced something."""
        if not self._listeners or self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, events)
        except RuntimeError:
            _log.warning("the event loop of those who listen is closed; %d events reach nobody", len(events))

    def _deliver(self, events: Sequence[WalletEvent]) -> None:
        for event in events:
            for listener in tuple(self._listeners.get(event.user_id, ())):
                listener.deliver(event)


class _Callback:
    def __init__(self, callback: Callable[[WalletEvent], object]) -> None:
        self._callback = callback
        self._ended = False

    def deliver(self, event: WalletEvent) -> None:
        if self._ended:
            return
        try:
            self._callback(event)
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 it is not ours, and the others must hear too
            _log.exception("a callback failed at the event %s of %s", event.kind, event.txid or event.reference)

    def end(self) -> None:
        self._ended = True


class EventStream:
    """Events in the order of their commits: ``async with wallet.events() as stream: async for event in stream``.

    It holds what comes from entering it to leaving it, and ends when the wallet is closed. Raises EventsLost, once,
    when more waited than it holds; iterating again goes on with what came after.
    """

    def __init__(self, subscribe: Callable[[EventStream], Callable[[], None]], capacity: int) -> None:
        self._subscribe = subscribe
        self._capacity = capacity
        self._leave: Callable[[], None] | None = None
        self._waiting: deque[WalletEvent] = deque()
        self._lost = 0
        self._ended = False
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self._leave is not None:
            raise WERR_INVALID_OPERATION("This stream was entered before; take another one.")
        self._leave = self._subscribe(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._leave is not None  # entered
        self._leave()
        self._waiting.clear()
        self._lost = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WalletEvent:
        if self._leave is None:
            raise WERR_INVALID_OPERATION("Enter the stream first: async with wallet.events() as stream.")
        while True:
            if self._lost:
                lost, self._lost = self._lost, 0
                raise EventsLost(lost)
            if self._waiting:
                return self._waiting.popleft()
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()

    def deliver(self, event: WalletEvent) -> None:
        """Called by the hub."""
        if self._lost or len(self._waiting) == self._capacity:
            # Until the consumer was told, nothing is kept: what it lists then holds this one too.
            self._lost += len(self._waiting) + 1
            self._waiting.clear()
        elif not self._ended:
            self._waiting.append(event)
        self._arrived.set()

    def end(self) -> None:
        """Called by the hub: nothing more comes."""
        self._ended = True
        self._arrived.set()
