"""The baskets of listOutputs that are no baskets: what change to make, and coins that somebody else has spent."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest
from anyio.lowlevel import checkpoint

from bsv_wallet_toolbox.brc100.originator import INVALID_CHANGE_ID, SET_CHANGE_PARAMS_ID
from bsv_wallet_toolbox.brc100.outputs import validate_list_outputs
from bsv_wallet_toolbox.doctor import examine
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import UtxoStatus
from bsv_wallet_toolbox.mockchain import Fault, MockServices
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.storage.holds import HoldReason, hold_outputs
from incoming_payments import insertion_entry, internalize_args, mined_payment
from wallet_file import rows
from wallet_world import FUNDER, NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

DAY = 86_400_000
PARAMETERS = "SELECT numberOfDesiredUTXOs, minimumDesiredUTXOValue FROM output_baskets WHERE name = 'default'"
COINS = "SELECT outputId, spendable, spentBy FROM outputs ORDER BY outputId"
HOLDS = "SELECT outputId, reason, transactionId FROM bwt_holds ORDER BY outputId"


def change(path: Path, sql: str) -> None:
    db = apsw.Connection(str(path))
    db.execute(sql)
    db.close()


class Asked(MockServices):
    """MockServices that count how many outputs they are asked about, in all and at once, and fail for some."""

    def __init__(self, world: World) -> None:
        super().__init__(world.chain)
        self.asked: list[tuple[str, int]] = []
        self.raises_for: set[int] = set()
        self.now = self.at_most = 0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def is_utxo(self, txid: str, vout: int, locking_script: bytes) -> UtxoStatus:
        self.asked.append((txid, vout))
        if vout in self.raises_for:
            raise ConnectionError("gone")
        self.now += 1
        self.at_most = max(self.at_most, self.now)
        await checkpoint()
        self.now -= 1
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return await super().is_utxo(txid, vout, locking_script)


async def found(wallet: OpenWallet, *tags: str, **more: object) -> list[dict[str, object]]:
    result = await wallet.list_outputs({"basket": INVALID_CHANGE_ID, "tags": list(tags), **more})
    assert result["totalOutputs"] == len(result["outputs"])
    return result["outputs"]


async def a_copy_spends(world: World, satoshis: int) -> None:
    """Somebody with a copy of alice's file, which is not open, spends of her coins; hers does not hear of it."""
    file, aside = world.path("alice"), world.path("aside")
    shutil.copy(file, aside)
    async with world.wallet("alice") as rival:
        await rival.create_action(payment_to(NOWHERE, satoshis, delayed=False))
    aside.replace(file)
    world.clock.advance(1)


async def lose_one_of_two(world: World) -> None:
    """Of two coins of alice's, 50 000 and 600 satoshis, the first (output 1) is spent elsewhere."""
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000)
        await world.fund(alice, 600)
    await a_copy_spends(world, 30_000)


async def test_two_tags_say_how_much_change_to_keep(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 100_000)
    result = await alice.list_outputs({"basket": SET_CHANGE_PARAMS_ID, "tags": ["5", "7000"]})
    assert result == {"totalOutputs": 0, "outputs": []}
    assert rows(world.path("alice"), PARAMETERS) == [(5, 7000)]
    await alice.create_action(payment_to(NOWHERE, 1_000))
    change = (await alice.list_outputs({"basket": "default", "limit": 100}))["outputs"]
    assert len(change) == 5
    assert min(output["satoshis"] for output in change) >= 7_000
    await alice.list_outputs({"basket": SET_CHANGE_PARAMS_ID, "tags": ["5", "5"]})
    assert rows(world.path("alice"), PARAMETERS) == [(5, 5)]
    world.assert_sound("alice")


@pytest.mark.parametrize("tags", [["0", "1"], ["10000", "2100000000000000"], ["007", "8"]])
async def test_the_bounds_of_the_change_parameters_belong_to_them(
    world: World, alice: OpenWallet, tags: list[str]
) -> None:
    await alice.list_outputs({"basket": SET_CHANGE_PARAMS_ID, "tags": tags})
    assert rows(world.path("alice"), PARAMETERS) == [tuple(map(int, tags))]


@pytest.mark.parametrize(
    "tags",
    [
        [],
        ["5"],
        ["5", "6", "7"],
        ["5", "0"],
        ["10001", "5"],
        ["5", "2100000000000001"],
        ["-1", "5"],
        ["5", "1.5"],
        ["5", "x"],
        ["٥", "5"],  # noqa: RUF001 a digit, not ours
        ["9" * 40, "5"],
    ],
)
async def test_change_parameters_out_of_bounds_are_refused(world: World, alice: OpenWallet, tags: list[str]) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.list_outputs({"basket": SET_CHANGE_PARAMS_ID, "tags": tags})
    assert refused.value.message == "The numberOfDesiredUTXOs and minimumDesiredUTXOValue parameter must be valid"
    assert rows(world.path("alice"), PARAMETERS) == [(144, 32)]


@pytest.mark.parametrize("basket", [SET_CHANGE_PARAMS_ID, INVALID_CHANGE_ID, f" {INVALID_CHANGE_ID.upper()}"])
async def test_only_the_owner_may_use_them(world: World, alice: OpenWallet, basket: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="admin-only"):
        await alice.list_outputs({"basket": basket, "tags": ["5", "5"]}, "app.example.com")
    assert rows(world.path("alice"), PARAMETERS) == [(144, 32)]


async def test_change_parameters_are_those_of_one_user(world: World, alice: OpenWallet) -> None:
    await alice.provider.find_or_insert_user(FUNDER.identity_key)
    await alice.list_outputs({"basket": SET_CHANGE_PARAMS_ID, "tags": ["5", "7"]})
    assert rows(world.path("alice"), PARAMETERS + " ORDER BY userId") == [(5, 7), (144, 32)]


async def test_what_the_network_has_spent_is_found_and_nothing_is_changed(world: World) -> None:
    await lose_one_of_two(world)
    async with world.wallet("alice") as alice:
        before = rows(world.path("alice"), COINS)
        outputs = await found(alice, include="locking scripts", limit=1, offset=7)
        assert [(each["satoshis"], each["spendable"], "lockingScript" in each) for each in outputs] == [
            (50_000, True, True)
        ]
        assert rows(world.path("alice"), COINS) == before
        assert rows(world.path("alice"), HOLDS) == []
        assert await alice.balance() == 50_600


async def test_release_puts_them_out_of_use_and_they_come_back_when_they_are_unspent(world: World) -> None:
    await lose_one_of_two(world)
    path = world.path("alice")
    async with world.wallet("alice") as alice:
        outputs = await found(alice, "release")
        assert [(each["satoshis"], each["spendable"]) for each in outputs] == [(50_000, False)]
        assert rows(path, COINS) == [(1, 0, None), (2, 1, None)]
        assert rows(path, HOLDS) == [(1, "spentElsewhere", None)]
        assert rows(path, "SELECT kind, vout, source FROM bwt_evidence WHERE kind = 'spent'") == [
            ("spent", 0, "isUtxo")
        ]
        assert await alice.balance() == 600
        assert await found(alice, "release") == []
        world.assert_sound("alice")
        await alice.monitor.run_until_idle()
        assert await alice.balance() == 600
        for txid in world.chain.mempool():
            world.chain.evict(txid)
        world.clock.advance(DAY)
        await alice.monitor.run_until_idle()
        assert await alice.balance() == 50_600
    world.assert_sound("alice")


@pytest.mark.parametrize("raises", [False, True])
async def test_what_nobody_can_tell_is_left_alone(world: World, raises: bool) -> None:
    await lose_one_of_two(world)
    world.services = asked = Asked(world)
    if raises:
        asked.raises_for = {0}
    else:
        asked.faults.set("is_utxo", Fault.UNAVAILABLE)
    async with world.wallet("alice") as alice:
        assert await found(alice, "release", "all") == []
        assert len(asked.asked) == 2
        assert rows(world.path("alice"), COINS) == [(1, 1, None), (2, 1, None)]


async def test_only_change_is_asked_about_unless_all_baskets_are(world: World) -> None:
    world.services = asked = Asked(world)
    async with world.wallet("alice") as alice:
        beef = mined_payment(world, alice, 973)
        await alice.internalize_action(internalize_args(beef, insertion_entry(basket="tokens")))
        await world.fund(alice, 600)
        await found(alice)
        assert len(asked.asked) == 1
        await found(alice, "all")
        assert len(asked.asked) == 3


async def test_what_the_network_need_not_know_or_has_no_script_is_not_asked_about(world: World) -> None:
    world.services = asked = Asked(world)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000)
        await alice.create_action(payment_to(NOWHERE, 1_000))
        assert await alice.balance() > 0
        assert await found(alice, "all", "release") == []
        assert asked.asked == [], "its transaction is sending"
        await alice.monitor.run_until_idle()
        await found(alice)
        known = len(asked.asked)
        assert known > 0
    statement = "UPDATE outputs SET lockingScript = NULL, scriptLength = NULL WHERE outputId IN (SELECT min(outputId)"
    change(world.path("alice"), f"{statement} FROM outputs WHERE spendable AND change)")
    async with world.wallet("alice") as alice:
        asked.asked.clear()
        await found(alice)
        assert len(asked.asked) == known - 1


async def test_many_are_asked_about_a_dozen_at_a_time(world: World) -> None:
    world.services = asked = Asked(world)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 600, 700)
        assert await found(alice) == []
        assert len(set(asked.asked)) == len(asked.asked) == 700
        assert asked.at_most == 12


async def test_a_coin_that_is_spent_while_the_network_is_asked_is_not_released(world: World) -> None:
    await lose_one_of_two(world)
    world.services = asked = Asked(world)
    async with world.wallet("alice") as alice:

        async def spend() -> None:
            await alice.create_action(payment_to(NOWHERE, 30_000))

        asked.meanwhile = spend
        [output] = await found(alice, "release")
        assert output["spendable"], "it was not put out of use: an action of ours spends it"
        path = world.path("alice")
        assert rows(path, HOLDS) == []
        assert rows(path, "SELECT count(*) FROM bwt_evidence WHERE kind = 'spent'") == [0]
        assert rows(path, "SELECT spendable FROM outputs WHERE outputId = 1 AND spentBy IS NOT NULL") == [0]
        assert examine(path).is_healthy


async def test_a_coin_that_is_held_while_the_network_is_asked_stays_held_for_its_own_reason(world: World) -> None:
    await lose_one_of_two(world)
    world.services = asked = Asked(world)
    async with world.wallet("alice") as alice:
        [txid] = rows(world.path("alice"), "SELECT txid FROM outputs WHERE outputId = 1")

        async def doubt() -> None:
            await alice.provider.engine.write(lambda tx: hold_outputs(tx, txid, HoldReason.PROOF_IN_DOUBT))

        asked.meanwhile = doubt
        await found(alice, "release")
        assert rows(world.path("alice"), HOLDS) == [(1, "proofInDoubt", None)]


async def test_the_coins_of_another_user_are_neither_asked_about_nor_released(world: World) -> None:
    await lose_one_of_two(world)
    world.services = asked = Asked(world)
    async with world.wallet("alice") as alice:
        other = alice.provider.for_user(await alice.provider.find_or_insert_user(FUNDER.identity_key))
        args = validate_list_outputs({"basket": INVALID_CHANGE_ID, "tags": ["all", "release"]})
        assert (await other.list_outputs(args)).to_result() == {"totalOutputs": 0, "outputs": []}
        assert asked.asked == []
        assert await alice.balance() == 50_600
