"""Events reach those they belong to, whatever the others who listen do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.events import EventKind, EventsLost, WalletEvent
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.provider.event_hub import WAITING_EVENTS, EventHub, EventStream
from bsv_wallet_toolbox.seams import ManualClock
from wallet_world import World

pytestmark = pytest.mark.anyio

ALICE, BOB = 1, 2


@dataclass
class Station:
    """A hub on an engine, and operations that announce numbered events."""

    engine: SqliteEngine
    hub: EventHub

    async def announce(self, *numbers: int, user: int = ALICE) -> None:
        def operation(tx: Transaction) -> None:
            for number in numbers:
                tx.announce(WalletEvent(EventKind.SENT, user, number, "", None, TransactionStatus.SENDING, 0, tx.now()))

        await self.engine.write(operation)


@pytest.fixture
async def station(world: World) -> AsyncIterator[Station]:
    async with SqliteEngine.open(world.path("store"), clock=ManualClock(), create=True) as engine:
        yield Station(engine, EventHub(engine))


async def take(stream: EventStream, count: int) -> list[int]:
    return [(await anext(stream)).transaction_id for _ in range(count)]


async def rest(stream: EventStream) -> list[int]:
    return [event.transaction_id async for event in stream]


async def test_a_stream_gives_what_happens_while_it_is_entered(station: Station) -> None:
    await station.announce(1)
    async with station.hub.stream(ALICE) as stream:
        await station.announce(2, 3)
        await station.announce(4)
        assert await take(stream, 3) == [2, 3, 4]
        waiting = asyncio.create_task(take(stream, 1))
        await asyncio.sleep(0)
        await station.announce(5)
        assert await waiting == [5]
        await station.announce(6)
    assert await rest(stream) == []


async def test_every_listener_hears_its_own_user_only(station: Station) -> None:
    heard: list[int] = []
    station.hub.on_event(BOB, lambda event: heard.append(event.transaction_id))
    async with station.hub.stream(ALICE) as first, station.hub.stream(ALICE) as second:
        for number in range(6):
            await station.announce(number, user=ALICE if number % 2 else BOB)
        station.hub.close()
        assert await rest(first) == await rest(second) == [1, 3, 5]
    assert heard == [0, 2, 4]


async def test_a_stream_that_is_not_read_says_what_it_lost_and_starts_afresh(station: Station) -> None:
    async with station.hub.stream(ALICE, capacity=3) as stream, station.hub.stream(ALICE) as read:
        await station.announce(1, 2, 3)
        assert await take(stream, 3) == [1, 2, 3]
        await station.announce(4, 5, 6)
        await station.announce(7)
        await station.announce(8)
        with pytest.raises(EventsLost, match="list the actions anew") as lost:
            await anext(stream)
        assert lost.value.count == 5
        await station.announce(9)
        assert await take(stream, 1) == [9]
        assert await take(read, 9) == list(range(1, 10))


async def test_by_default_ten_thousand_events_may_wait(station: Station) -> None:
    async with station.hub.stream(ALICE) as full, station.hub.stream(ALICE) as read:
        await station.announce(*range(WAITING_EVENTS))
        assert await take(read, 1) == [0]
        await station.announce(WAITING_EVENTS)
        assert await take(read, WAITING_EVENTS) == list(range(1, WAITING_EVENTS + 1))
        with pytest.raises(EventsLost):
            await anext(full)


async def test_losing_events_ends_an_iteration_and_the_next_one_goes_on(station: Station) -> None:
    async with station.hub.stream(ALICE, capacity=1) as stream:
        await station.announce(1, 2)
        with pytest.raises(EventsLost):
            await rest(stream)
        await station.announce(3)
        station.hub.close()
        assert await rest(stream) == [3]


async def test_a_reader_that_is_cancelled_loses_no_event(station: Station) -> None:
    async with station.hub.stream(ALICE) as stream:
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await station.announce(1)
        assert await take(stream, 1) == [1]


async def test_two_readers_of_one_stream_share_its_events(station: Station) -> None:
    async with station.hub.stream(ALICE) as stream:
        readers = [asyncio.create_task(rest(stream)) for _ in range(2)]
        await asyncio.sleep(0)
        await station.announce(1, 2, 3)
        station.hub.close()
        shares = await asyncio.gather(*readers)
    assert sorted(shares[0] + shares[1]) == [1, 2, 3]


async def test_a_callback_is_called_on_the_loop_until_it_is_told_not_to_be(station: Station) -> None:
    heard: list[tuple[int, bool]] = []
    loop = asyncio.get_running_loop()

    def callback(event: WalletEvent) -> None:
        heard.append((event.transaction_id, asyncio.get_running_loop() is loop))

    unsubscribe = station.hub.on_event(ALICE, callback)
    await station.announce(1, 2)
    unsubscribe()
    unsubscribe()
    await station.announce(3)
    assert heard == [(1, True), (2, True)]


async def test_a_callback_that_unsubscribes_hears_nothing_of_the_same_commit_any_more(station: Station) -> None:
    heard: list[int] = []
    other: list[int] = []
    unsubscribes: list[Callable[[], None]] = []

    def once(event: WalletEvent) -> None:
        heard.append(event.transaction_id)
        unsubscribes[0]()

    unsubscribes.append(station.hub.on_event(ALICE, once))
    station.hub.on_event(ALICE, lambda event: other.append(event.transaction_id))
    await station.announce(1, 2)
    assert (heard, other) == ([1], [1, 2])


async def test_a_callback_that_another_one_ends_does_not_hear_the_same_event_any_more(station: Station) -> None:
    heard: list[int] = []
    unsubscribes: list[Callable[[], None]] = []
    station.hub.on_event(ALICE, lambda event: unsubscribes[0]())
    unsubscribes.append(station.hub.on_event(ALICE, lambda event: heard.append(event.transaction_id)))
    await station.announce(1)
    assert heard == []


@pytest.mark.parametrize("error", [ValueError("not today"), asyncio.CancelledError()], ids=["error", "cancelled"])
async def test_a_callback_that_raises_is_logged_and_disturbs_nobody(
    station: Station, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    def fail(event: WalletEvent) -> None:
        raise error

    station.hub.on_event(ALICE, fail)
    station.hub.on_event(ALICE, lambda event: heard.append(event.transaction_id))
    await station.announce(1, 2)
    assert heard == [1, 2]
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error, error]


async def test_what_can_not_be_called_is_refused(station: Station) -> None:
    async def later(event: WalletEvent) -> None:
        raise AssertionError

    for wrong in (later, None, "print"):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            station.hub.on_event(ALICE, wrong)  # type: ignore[arg-type]
        assert refused.value.parameter == "callback"


async def test_closing_ends_streams_after_what_waits_and_calls_nobody_any_more(station: Station) -> None:
    heard: list[int] = []
    unsubscribe = station.hub.on_event(ALICE, lambda event: heard.append(event.transaction_id))
    async with station.hub.stream(ALICE) as stream, station.hub.stream(ALICE) as idle:
        reader = asyncio.create_task(rest(idle))
        await station.announce(1)
        station.hub.close()
        await station.announce(2)
        assert await rest(stream) == await reader == heard == [1]
        unsubscribe()
    for subscribe in (station.hub.stream(ALICE).__aenter__, _subscribing(station.hub)):
        with pytest.raises(WERR_INVALID_OPERATION, match="The wallet is closed"):
            await subscribe()


def _subscribing(hub: EventHub) -> Callable[[], object]:
    async def subscribe() -> None:
        hub.on_event(ALICE, print)

    return subscribe


async def test_a_stream_is_entered_once_and_before_it_is_read(station: Station) -> None:
    stream = station.hub.stream(ALICE)
    with pytest.raises(WERR_INVALID_OPERATION, match="Enter the stream first"):
        await anext(stream)
    async with stream:
        with pytest.raises(WERR_INVALID_OPERATION, match="entered before"):
            await stream.__aenter__()


async def test_all_listen_from_one_event_loop(station: Station) -> None:
    async def listen() -> None:
        station.hub.on_event(ALICE, print)

    with pytest.raises(WERR_INVALID_OPERATION, match="from the event loop"):
        await asyncio.to_thread(station.hub.on_event, ALICE, print)
    unsubscribe = station.hub.on_event(BOB, print)
    with pytest.raises(WERR_INVALID_OPERATION, match="from the event loop"):
        await asyncio.to_thread(asyncio.run, listen())
    unsubscribe()
    await asyncio.to_thread(asyncio.run, listen())


async def test_a_loop_that_has_ended_does_not_stop_the_engine(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen() -> None:
        station.hub.on_event(ALICE, print)

    await asyncio.to_thread(asyncio.run, listen())
    await station.announce(1)
    await station.announce(2)
    assert [record.message for record in caplog.records] == [
        "the event loop of those who listen is closed; 1 events reach nobody"
    ] * 2
