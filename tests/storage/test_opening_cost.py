"""Opening a wallet reads as much of a file with many outputs as of one with few."""

from __future__ import annotations

import asyncio

import pytest
from million_outputs import DAY, Work, make, opened, watched

from wallet_file import rows
from wallet_world import World

pytestmark = pytest.mark.anyio

FEW, MANY = 1_000, 100_000


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[int, World]:
    """Wallets that were opened and watched over before; since then a day has passed and a block was mined."""

    async def lived(outputs: int) -> World:
        world = World(tmp_path_factory.mktemp(str(outputs)))
        await make(world, outputs)
        async with opened(world) as wallet:
            await wallet.monitor.run_until_idle()
        return world

    worlds = {outputs: asyncio.run(lived(outputs)) for outputs in (FEW, MANY)}
    for world in worlds.values():
        world.clock.advance(DAY)
        world.chain.mine()
    return worlds


async def opening(world: World) -> Work:
    with watched() as work:
        async with opened(world) as wallet:
            assert await wallet.is_authenticated({}) == {"authenticated": True}
    return work


async def test_opening_takes_the_same_statements_and_steps_whatever_the_file_holds(worlds: dict[int, World]) -> None:
    few, many = await opening(worlds[FEW]), await opening(worlds[MANY])
    assert many.statements == few.statements
    assert len(few.statements) > 20
    assert 100 < few.steps < 5_000
    assert many.pages_read <= few.pages_read + 10, "an index may be a level deeper"


async def test_what_the_monitor_finds_to_do_at_first_takes_the_same(worlds: dict[int, World]) -> None:
    works = {}
    for outputs, world in worlds.items():
        before = rows(world.path("alice"), "SELECT max(id) FROM monitor_events")
        with watched() as works[outputs]:
            async with opened(world) as wallet:
                await wallet.monitor.run_until_idle()
        assert rows(world.path("alice"), "SELECT max(id) FROM monitor_events") != before, "it had nothing to do"
    few, many = works[FEW], works[MANY]
    assert many.steps <= 1.1 * few.steps, many.heaviest()  # commits may be shared in another way
    assert many.pages_read <= few.pages_read + 30
