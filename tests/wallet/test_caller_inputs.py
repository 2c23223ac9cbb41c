"""createAction with inputs of the caller's: whose they are, what proves them, who signs, what is added."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.errors import (
    WERR_INVALID_MERKLE_ROOT,
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WERR_REVIEW_ACTIONS,
)
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
)
from bsv_wallet_toolbox.wallet.signer import SigningLimits
from bsv_wallet_toolbox.wallet.wallet import Wallet
from caller_coins import (
    ALL,
    ANYONE_CAN_PAY,
    CALLER_LOCK,
    SINGLE,
    Coin,
    caller_coin,
    output,
    spending,
    spends_of,
    two_step,
    whole_transaction,
)
from incoming_payments import spend_purse
from wallet_file import row_counts, rows, state_of
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

NONE = 0x42
DROP_TRUE = "7551"
"""A lock that any push opens."""
HOUR = 60 * 60 * 1000


def made(created: Any) -> TransactionView:
    view = Beef.parse(created["tx"]).view(created["txid"])
    assert view is not None
    return view


async def token(alice: OpenWallet, *, script: str = DROP_TRUE, **options: Any) -> Any:
    """An action with an output of 500 satoshis in an own basket, at index 0."""
    outputs = [output(script, 500, basket="tokens")]
    args: Any = {"description": "a token", "outputs": outputs, "options": {"randomizeOutputs": False, **options}}
    return await alice.create_action(args)


def token_input(txid: str, **more: Any) -> dict[str, Any]:
    if "unlockingScriptLength" not in more:
        more.setdefault("unlockingScript", "51")
    return {"outpoint": f"{txid}.0", "inputDescription": "the token", **more}


def spend_token(txid: str, **extra: Any) -> Any:
    """createAction arguments that redeem a token, without inputBEEF; the wallet adds a coin."""
    return {"description": "redeem it", "inputs": [token_input(txid)], "outputs": [output(NOWHERE, 600)], **extra}


class TestOwnBaskets:
    async def test_no_beef_is_needed(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        txid = (await token(alice))["txid"]
        spent = await alice.create_action(spend_token(txid))
        assert made(spent).inputs[0].txid == txid
        columns = "spendable, spendingDescription"
        assert rows(world.path("alice"), f"SELECT {columns} FROM outputs WHERE basketId = 2") == [(0, "the token")]
        assert await alice.balance() == 5_000 - 500 - 1 + 500 - 600 - 1
        await alice.monitor.run_until_idle()
        assert world.chain.confirmations(spent["txid"]) == 0

    async def test_of_mined_actions_too(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        txid = (await token(alice, acceptDelayedBroadcast=False))["txid"]
        world.chain.mine()
        await alice.monitor.run_until_idle()
        spent = await alice.create_action(spend_token(txid, options={"acceptDelayedBroadcast": False}))
        assert spent["sendWithResults"] == [{"txid": spent["txid"], "status": "unproven"}]

    async def test_at_once_with_what_it_builds_on(self, world: World, alice: OpenWallet) -> None:
        """The token's transaction waits to be sent, or is held back: it goes along, and its maker sees it."""
        await world.fund(alice, 5_000, count=2)
        for options in ({}, {"noSend": True}):
            txid = (await token(alice, **options))["txid"]
            spent = await alice.create_action(spend_token(txid, options={"acceptDelayedBroadcast": False}))
            assert spent["sendWithResults"] == [{"txid": spent["txid"], "status": "unproven"}]
            await alice.monitor.run_until_idle()
            assert state_of(world.path("alice"), txid)[0] == "unproven"

    async def test_change_is_not_the_callers(self, world: World, alice: OpenWallet) -> None:
        funding = await world.fund(alice, 5_000)
        before = row_counts(world.path("alice"))
        args: Any = {
            "description": "spend change",
            "inputs": [{"outpoint": f"{funding}.0", "inputDescription": "change", "unlockingScriptLength": 107}],
        }
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(args)
        assert error.value.message == (
            "The inputs[0] parameter must be an unmanaged input. Change outputs are managed by your wallet."
        )
        assert row_counts(world.path("alice")) == before

    async def test_what_is_spent_already_names_its_spender(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=2)
        txid = (await token(alice))["txid"]
        spender = (await alice.create_action(spend_token(txid)))["txid"]
        before = row_counts(world.path("alice"))
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.create_action(spend_token(txid))
        (review,) = told.value.review_action_results
        assert (review["txid"], review["status"], review["competingTxs"]) == ("", "doubleSpend", [spender])
        assert Beef.parse(review["competingBeef"]).view(spender) is not None
        assert told.value.send_with_results == []
        assert row_counts(world.path("alice")) == before

    async def test_what_an_unsigned_action_spends_is_not_spendable(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=2)
        txid = (await token(alice))["txid"]
        args = spend_token(txid) | {"inputs": [token_input(txid, unlockingScriptLength=10)]}
        signable = (await alice.create_action(args))["signableTransaction"]
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(spend_token(txid))
        assert error.value.parameter == "inputs[0]"
        assert "appears to have been spent (spendable=false)" in error.value.message
        await alice.abort_action({"reference": signable["reference"]})
        await alice.create_action(spend_token(txid))

    async def test_an_output_beyond_the_transaction_is_no_outpoint(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        txid = (await token(alice))["txid"]
        inputs = [token_input(txid) | {"outpoint": f"{txid}.99"}]
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(spend_token(txid) | {"inputs": inputs})
        assert (error.value.parameter, error.value.message) == (
            f"{txid}.99",
            f"The {txid}.99 parameter must be valid outpoint",
        )

    async def test_an_output_of_a_failed_action_is_not_spendable(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=2)
        txid = (await token(alice, noSend=True))["txid"]
        await alice.abort_action({"reference": txid})
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(spend_token(txid))
        assert error.value.parameter == "inputBEEF"


class TestForeignOutputs:
    async def test_a_proven_one(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        signable, coin = await two_step(world, alice, caller_coin(world, 300), acceptDelayedBroadcast=False)
        signed = await alice.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
        assert signed["sendWithResults"][0]["status"] == "unproven"
        assert await alice.balance() == 5_000 + 300 - 1_000 - 1

    async def test_an_unproven_one_brings_its_ancestry(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        parent = spend_purse(world, [OutputSpec(300, CALLER_LOCK)])
        coin = Coin(parent.view.txid, 0, 300, parent.beef)
        signable, _ = await two_step(world, alice, coin, acceptDelayedBroadcast=False)
        signed = await alice.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
        assert signed["sendWithResults"][0]["status"] == "unproven"
        assert world.chain.confirmations(parent.view.txid) == 0
        assert Beef.parse(signed["tx"]).view(parent.view.txid) is not None

    async def test_without_beef_it_is_refused(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        coin, other = caller_coin(world, 300), caller_coin(world, 300)
        args = spending(coin, outputs=[output(NOWHERE, 100)])
        before = row_counts(world.path("alice"))
        for beef in (None, other.beef, Beef().to_bytes()):
            with pytest.raises(WERR_INVALID_PARAMETER) as error:
                await alice.create_action(args | {"inputBEEF": beef})
            assert error.value.message == (
                f"The inputBEEF parameter must be valid and contain proof data for possibly known {coin.txid}"
            )
        assert row_counts(world.path("alice")) == before

    async def test_a_beef_that_proves_nothing_is_refused(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        coin = caller_coin(world, 300)
        args = spending(coin, outputs=[output(NOWHERE, 100)])
        bare = Beef()
        view = Beef.parse(coin.beef).view(coin.txid)
        assert view is not None
        bare.merge_transaction(view)
        before = row_counts(world.path("alice"))
        for beef in (b"", b"\x00", b"no beef", coin.beef[:-1], bare.to_bytes()):
            with pytest.raises(WERR_INVALID_PARAMETER) as error:
                await alice.create_action(args | {"inputBEEF": beef})
            assert error.value.parameter == "inputBEEF"
        elsewhere = World(world.directory / "elsewhere")
        elsewhere.services.mine(3)
        stranger = caller_coin(elsewhere, 301)
        with pytest.raises((WERR_INVALID_PARAMETER, WERR_INVALID_MERKLE_ROOT)):
            await alice.create_action(spending(stranger, outputs=[output(NOWHERE, 100)]))
        assert row_counts(world.path("alice")) == before

    async def test_a_txid_alone_must_be_known_here(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        known = (await token(alice))["txid"]
        beef = Beef()
        beef.merge_txid_only(known)
        spent = await alice.create_action(spend_token(known, inputBEEF=beef.to_bytes()))
        assert not Beef.parse(spent["tx"]).is_txid_only(known)
        coin = caller_coin(world, 300)
        beef = Beef()
        beef.merge_txid_only(coin.txid)
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(spending(coin, outputs=[]) | {"inputBEEF": beef.to_bytes()})
        assert error.value.parameter == "inputBEEF"
        parent = spend_purse(world, [OutputSpec(300, CALLER_LOCK)])
        beef = Beef.parse(parent.beef)
        (source,) = parent.view.source_txids
        beef.make_txid_only(source)
        args = spending(Coin(parent.view.txid, 0, 300, parent.beef))
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(args | {"inputBEEF": beef.to_bytes()})
        assert error.value.message == (
            f"The inputBEEF parameter must be valid and contain complete proof data for unknown {source}"
        )

    async def test_one_outpoint_serves_one_action(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=3)
        signable, coin = await two_step(world, alice, caller_coin(world, 300))
        with pytest.raises(WERR_INVALID_PARAMETER) as waiting:
            await two_step(world, alice, coin)
        assert waiting.value.parameter == "inputs"
        signed = await alice.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await two_step(world, alice, coin)
        assert told.value.review_action_results[0]["competingTxs"] == [signed["txid"]]
        again, other = await two_step(world, alice, caller_coin(world, 300))
        await alice.abort_action({"reference": again["reference"]})
        await two_step(world, alice, other)

    async def test_twice_in_one_action_is_refused(self, world: World, alice: OpenWallet) -> None:
        coin = caller_coin(world, 3_000)
        args = spending(coin, outputs=[output(NOWHERE, 100)]) | {"inputs": [coin.input(), coin.input()]}
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(args)
        assert error.value.parameter == "inputs"

    async def test_a_wrong_script_is_refused_before_anything_is_written(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        coin = caller_coin(world, 300)
        before = row_counts(world.path("alice"))
        args = spending(coin, outputs=[output(NOWHERE, 100)]) | {"inputs": [coin.input(unlockingScript="5151")]}
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(args)
        assert error.value.parameter == "inputs[0].unlockScript"
        assert row_counts(world.path("alice")) == before


class TestWholeTransactions:
    """Every script given and the fee paid: it goes out as it is."""

    async def test_nothing_is_added_and_nothing_moves(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        outputs = [output(NOWHERE, 100 + number) for number in range(5)]
        coin = caller_coin(world, 600)
        created = await alice.create_action(
            whole_transaction(coin, outputs) | {"options": {"acceptDelayedBroadcast": False}}
        )
        view = made(created)
        assert [(each.txid, each.vout) for each in view.inputs] == [(coin.txid, coin.vout)]
        assert [each.satoshis for each in view.outputs] == [100, 101, 102, 103, 104]
        assert created["sendWithResults"] == [{"txid": view.txid, "status": "unproven"}]
        assert await alice.balance() == 5_000
        assert rows(world.path("alice"), "SELECT satoshis FROM transactions WHERE txid = ?", view.txid) == [0]
        assert rows(world.path("alice"), "SELECT feeSatoshis FROM bwt_actions") == [600 - 510]

    async def test_a_wallet_without_coins_sends_it(self, world: World, alice: OpenWallet) -> None:
        created = await alice.create_action(whole_transaction(caller_coin(world, 200), [output(NOWHERE, 199)]))
        assert made(created).output_count == 1

    async def test_a_fee_beyond_all_measure_is_refused(self, world: World, alice: OpenWallet) -> None:
        args = whole_transaction(caller_coin(world, 100_000), [output(NOWHERE, 100)])
        with pytest.raises(WERR_INVALID_PARAMETER) as error:
            await alice.create_action(args)
        assert error.value.parameter == "storage fee"
        assert rows(world.path("alice"), "SELECT count(*) FROM transactions") == [0]

    async def test_a_fee_that_the_owner_allows_is_paid(self, world: World) -> None:
        async with world.wallet("alice", limits=SigningLimits(always_allowed_fee=99_900)) as alice:
            args = whole_transaction(caller_coin(world, 100_000), [output(NOWHERE, 100)])
            assert made(await alice.create_action(args)).output_count == 1
        world.assert_sound()

    async def test_one_that_does_not_pay_the_fee_is_funded(self, world: World, alice: OpenWallet) -> None:
        """Which a signature that leaves the rest open survives, and no other."""
        await world.fund(alice, 5_000)
        coin = caller_coin(world, 200)
        for scope in (ALL, SINGLE):
            args = whole_transaction(coin, [output(NOWHERE, 200)], scope) | {"options": {"randomizeOutputs": False}}
            with pytest.raises(WERR_INVALID_PARAMETER) as error:
                await alice.create_action(args)
            assert error.value.parameter == "inputs[0].unlockScript"
        args = whole_transaction(coin, [output(NOWHERE, 200)], SINGLE | ANYONE_CAN_PAY)
        created = await alice.create_action(args | {"options": {"randomizeOutputs": False}})
        view = made(created)
        assert view.input_count == 2
        assert view.outputs[0].satoshis == 200
        assert await alice.balance() == 4_999
        await alice.monitor.run_until_idle()
        assert world.chain.confirmations(created["txid"]) == 0

    async def test_without_outputs_the_rest_is_change(self, world: World, alice: OpenWallet) -> None:
        """A transaction without outputs is none."""
        coin = caller_coin(world, 500)
        bare = parse_transaction(build_transaction([InputSpec(coin.txid, coin.vout)], [OutputSpec(1, b"")]))
        script = coin.unlock(bare, 0, NONE | ANYONE_CAN_PAY).hex()
        args = spending(coin, inputs=[coin.input(unlockingScript=script)])
        await alice.create_action(args | {"options": {"acceptDelayedBroadcast": False}})
        assert await alice.balance() == 499

    async def test_held_back_and_sent_later(self, world: World, alice: OpenWallet) -> None:
        args = whole_transaction(caller_coin(world, 200), [output(NOWHERE, 199)])
        created = await alice.create_action(args | {"options": {"noSend": True}})
        assert (created["noSendChange"], created["sendWithResults"]) == ([], [])
        assert state_of(world.path("alice"), created["txid"])[0] == "nosend"
        send: Any = {
            "description": "send it",
            "options": {"sendWith": [created["txid"]], "acceptDelayedBroadcast": False},
        }
        await alice.create_action(send)
        assert world.chain.confirmations(created["txid"]) == 0


class TestLockTimes:
    async def test_a_lock_time_that_every_sequence_ignores_is_sent(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        args: Any = payment_to(NOWHERE, 100, delayed=False) | {"lockTime": 4_000_000_000, "version": 2}
        created = await alice.create_action(args)
        view = made(created)
        assert (view.lock_time, view.version) == (4_000_000_000, 2)
        assert world.chain.confirmations(created["txid"]) == 0

    async def test_by_height_it_waits_for_its_block(self, world: World, alice: OpenWallet) -> None:
        coin = caller_coin(world, 200)
        lock_time = world.chain.height
        args = whole_transaction(coin, [output(NOWHERE, 199)], sequence=0, lock_time=lock_time)
        for options in ({}, {"noSend": True}):
            with pytest.raises(WERR_INVALID_OPERATION) as error:
                await alice.create_action(args | {"options": options})
            assert error.value.message.startswith("This transaction is not final.")
        assert rows(world.path("alice"), "SELECT count(*) FROM transactions") == [0]
        world.chain.mine()
        created = await alice.create_action(args | {"options": {"acceptDelayedBroadcast": False}})
        assert (made(created).lock_time, made(created).inputs[0].sequence) == (lock_time, 0)
        assert world.chain.confirmations(created["txid"]) == 0

    async def test_by_time_it_waits_for_its_hour(self, world: World, alice: OpenWallet) -> None:
        coin = caller_coin(world, 200)
        lock_time = world.clock.now() // 1000 + 3_600
        args = whole_transaction(coin, [output(NOWHERE, 199)], sequence=0, lock_time=lock_time)
        with pytest.raises(WERR_INVALID_OPERATION):
            await alice.create_action(args)
        world.clock.advance(HOUR)
        with pytest.raises(WERR_INVALID_OPERATION):
            await alice.create_action(args)
        world.clock.advance(1_000)
        await alice.create_action(args)

    async def test_in_two_steps_it_is_made_before_and_signed_after(self, world: World, alice: OpenWallet) -> None:
        coin = caller_coin(world, 2_000)
        args = spending(coin, outputs=[output(NOWHERE, 1_000)], lockTime=world.chain.height)
        args["inputs"] = [coin.input(sequenceNumber=1)]
        signable = (await alice.create_action(args))["signableTransaction"]
        signing: Any = {"reference": signable["reference"], "spends": spends_of(signable, coin)}
        with pytest.raises(WERR_INVALID_OPERATION):
            await alice.sign_action(signing)
        world.chain.mine()
        signed = await alice.sign_action(signing)
        await alice.monitor.run_until_idle()
        assert world.chain.confirmations(signed["txid"]) == 0


class TestOnWhatIsHeldBack:
    """Inputs that build on a transaction of the same store which its maker holds back: it goes along."""

    async def hold_back(self, alice: OpenWallet) -> Any:
        args: Any = {
            "description": "held back",
            "outputs": [output(CALLER_LOCK.hex(), 1_500)],
            "options": {"noSend": True, "randomizeOutputs": False},
        }
        return await alice.create_action(args)

    async def finish(self, world: World, wallet: Any, coin: Coin) -> Any:
        signable, _ = await two_step(world, wallet, coin, acceptDelayedBroadcast=False)
        return await wallet.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})

    async def test_of_another_user(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        held = await self.hold_back(alice)
        deriver = KeyDeriver(key_of("bob"))
        scope = await alice.provider.find_or_insert_user(deriver.identity_key)
        bob = Wallet(deriver, alice.provider.for_user(scope), world.services)
        await self.finish(world, bob, Coin(held["txid"], 0, 1_500, held["tx"]))
        await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), held["txid"]) == ("unproven", "unmined", 0)

    async def test_through_a_transaction_of_a_stranger(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000)
        held = await self.hold_back(alice)
        coin = Coin(held["txid"], 0, 1_500, held["tx"])
        outputs = [OutputSpec(1_490, CALLER_LOCK)]
        unlock = coin.unlock(parse_transaction(build_transaction([InputSpec(coin.txid, 0)], outputs)))
        beef = Beef.parse(held["tx"])
        child = beef.merge_transaction(build_transaction([InputSpec(coin.txid, 0, unlock)], outputs))
        await self.finish(world, alice, Coin(child, 0, 1_490, beef.to_atomic(child)))
        await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), held["txid"]) == ("unproven", "unmined", 0)
