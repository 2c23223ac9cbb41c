"""createAction that leaves the signing to signAction: now, later, after a restart, or never."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import parse_transaction
from caller_coins import UNLOCKING_LENGTH, caller_coin, output, spending, spends_of, two_step, unsigned_of
from wallet_file import coins_of, row_counts, rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

DAY = 24 * 60 * 60 * 1000


def signing(signable: dict[str, Any], *coins: Any, **options: Any) -> Any:
    """signAction arguments with the caller's signatures."""
    return {"reference": signable["reference"], "spends": spends_of(signable, *coins), "options": options}


def without_tx(result: Any) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "tx"}


def pending_count(world: World) -> int:
    (count,) = rows(world.path("alice"), "SELECT count(*) FROM bwt_pending")
    return int(count)


async def test_the_action_is_written_down_and_nothing_is_sent(world: World, alice: OpenWallet) -> None:
    coin = caller_coin(world, 2_000)
    created = await alice.create_action(spending(coin, outputs=[output(NOWHERE, 1_000)]))
    assert list(created) == ["signableTransaction"]
    signable = created["signableTransaction"]
    assert sorted(signable) == ["reference", "tx"]
    assert len(signable["reference"]) == 16
    assert rows(world.path("alice"), "SELECT status, txid, reference FROM transactions") == [
        ("unsigned", None, signable["reference"])
    ]
    assert row_counts(world.path("alice"))["proven_tx_reqs"] == 0
    await alice.monitor.run_until_idle()
    assert world.services.calls["post_beef"] == 0


async def test_the_signable_transaction_shows_what_a_signature_needs(world: World, alice: OpenWallet) -> None:
    """The unsigned transaction and the bytes of those that it spends, in an AtomicBEEF without proofs."""
    await world.fund(alice, 5_000)
    coin = caller_coin(world, 100)
    given = {"sequenceNumber": 7}
    args = spending(coin, outputs=[output(NOWHERE, 1_000)]) | {"inputs": [coin.input(**given)]}
    for options in ({}, {"returnTXIDOnly": True}, {"knownTxids": [coin.txid]}):
        signable = (await alice.create_action(args | {"options": options}))["signableTransaction"]
        beef = Beef.parse(signable["tx"])
        view = unsigned_of(signable)
        assert set(beef.transactions) == {view.txid, *view.source_txids}
        assert len(view.source_txids) == 2
        assert all(not entry.is_txid_only and not entry.is_proven for entry in beef.transactions.values())
        assert (view.inputs[0].txid, view.inputs[0].vout, view.inputs[0].sequence) == (coin.txid, coin.vout, 7)
        assert [each.unlocking_script for each in view.inputs] == [b"", b""]
        await alice.abort_action({"reference": signable["reference"]})


async def test_signed_it_is_proven_and_sent(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    signable, coin = await two_step(world, alice, caller_coin(world, 500))
    signed = await alice.sign_action(signing(signable, coin))
    assert sorted(signed) == ["sendWithResults", "tx", "txid"]
    assert signed["sendWithResults"] == [{"txid": signed["txid"], "status": "sending"}]
    beef = Beef.parse(signed["tx"])
    assert beef.subject == signed["txid"]
    verify_beef(beef, [signed["txid"]], lambda root, height: world.chain.header_at(height).merkle_root == root)
    assert state_of(world.path("alice"), signed["txid"]) == ("sending", "unsent", 0)
    assert pending_count(world) == 0
    await alice.monitor.run_until_idle()
    assert world.chain.confirmations(signed["txid"]) == 0
    assert await alice.balance() == 5_000 + 500 - 1_000 - 1


async def test_at_once_it_is_on_the_network_when_signing_returns(world: World, alice: OpenWallet) -> None:
    signable, coin = await two_step(world, alice, acceptDelayedBroadcast=False)
    signed = await alice.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
    assert signed["sendWithResults"] == [{"txid": signed["txid"], "status": "unproven"}]
    assert world.chain.confirmations(signed["txid"]) == 0


async def test_it_can_be_signed_after_a_restart(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 5_000)
        signable, coin = await two_step(world, alice, caller_coin(world, 500), noSend=True)
    world.clock.advance(DAY - 60_000)
    async with world.wallet("alice") as alice:
        await alice.monitor.run_until_idle()
        signed = await alice.sign_action(signing(signable, coin))
        assert state_of(world.path("alice"), signed["txid"]) == ("nosend", "nosend", 0)
        assert signed["noSendChange"]
    world.assert_sound()


async def test_after_a_day_it_is_given_up(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    before = coins_of(world.path("alice"))
    signable, coin = await two_step(world, alice, caller_coin(world, 500))
    world.clock.advance(DAY + 60_000)
    await alice.monitor.run_until_idle()
    with pytest.raises(WERR_INVALID_OPERATION):
        await alice.sign_action(signing(signable, coin))
    assert before <= coins_of(world.path("alice"))
    assert pending_count(world) == 0
    assert await alice.balance() == 5_000
    assert (await two_step(world, alice, coin))[0]["reference"] != signable["reference"]


async def test_without_inputs_of_the_caller_it_waits_too(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    args: Any = payment_to(NOWHERE, 1_000) | {"options": {"signAndProcess": False}}
    signable = (await alice.create_action(args))["signableTransaction"]
    assert await alice.balance() == 0
    signed = await alice.sign_action({"reference": signable["reference"], "spends": {}})
    assert signed["sendWithResults"][0]["status"] == "sending"
    assert await alice.balance() == 3_999


async def test_a_script_given_at_first_needs_no_spend(world: World, alice: OpenWallet) -> None:
    """And can't be replaced: it is what createAction was told."""
    await world.fund(alice, 5_000)
    coin = caller_coin(world, 500, b"\x75\x51")
    args = spending(coin, outputs=[output(NOWHERE, 1_000)], options={"signAndProcess": False})
    args["inputs"] = [coin.input(unlockingScript="00")]
    signable = (await alice.create_action(args))["signableTransaction"]
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.sign_action({"reference": signable["reference"], "spends": {0: {"unlockingScript": "51"}}})
    assert refused.value.message == (
        "The args parameter must be spend does not correspond to prior input with valid unlockingScriptLength."
    )
    signed = await alice.sign_action({"reference": signable["reference"], "spends": {}})
    view = Beef.parse(signed["tx"]).view(signed["txid"])
    assert view is not None
    assert view.inputs[0].unlocking_script == b"\x00"


async def test_spends_that_do_not_fit_leave_it_signable(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    signable, coin = await two_step(world, alice, caller_coin(world, 500))
    before = (row_counts(world.path("alice")), coins_of(world.path("alice")))
    good = spends_of(signable, coin)[0]
    too_long = "00" * (UNLOCKING_LENGTH + 1)
    for spends, parameter, text in (
        ({}, "spends", "given for input 0"),
        ({0: good, 1: good}, "args", "spend does not correspond"),
        ({0: good, 2: good}, "args", "spend does not correspond"),
        ({0: {"unlockingScript": too_long}}, "args", f"length 109 exceeds expected length {UNLOCKING_LENGTH}"),
        ({0: {"unlockingScript": "51"}}, "inputs[0].unlockScript", "valid."),
        ({0: good | {"sequenceNumber": 1}}, "inputs[0].unlockScript", "valid."),
    ):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await alice.sign_action({"reference": signable["reference"], "spends": spends})
        assert refused.value.parameter == parameter
        assert text in refused.value.message
    assert (row_counts(world.path("alice")), coins_of(world.path("alice"))) == before
    assert world.services.calls["post_beef"] == 0
    await alice.sign_action(signing(signable, coin))


async def test_a_spend_may_set_the_sequence(world: World, alice: OpenWallet) -> None:
    """The signature must be over it."""
    signable, coin = await two_step(world, alice)
    unsigned = unsigned_of(signable)
    other = unsigned.raw.replace(b"\xff\xff\xff\xff", b"\x05\x00\x00\x00", 1)
    spend = {"unlockingScript": coin.unlock(parse_transaction(other)).hex(), "sequenceNumber": 5}
    signed = await alice.sign_action({"reference": signable["reference"], "spends": {0: spend}})
    made = Beef.parse(signed["tx"]).view(signed["txid"])
    assert made is not None
    assert made.inputs[0].sequence == 5


async def test_it_is_signed_once(world: World, alice: OpenWallet) -> None:
    signable, coin = await two_step(world, alice)
    await alice.sign_action(signing(signable, coin))
    counts = row_counts(world.path("alice"))
    with pytest.raises(WERR_INVALID_OPERATION):
        await alice.sign_action(signing(signable, coin))
    assert row_counts(world.path("alice")) == counts


async def test_twenty_who_sign_at_once_sign_it_once(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    signable, coin = await two_step(world, alice, acceptDelayedBroadcast=False)
    args = signing(signable, coin, acceptDelayedBroadcast=False)
    answers = await asyncio.gather(*(alice.sign_action(args) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(each, dict) for each in answers) == 1
    assert sum(isinstance(each, WERR_INVALID_OPERATION) for each in answers) == 19
    assert world.services.calls["post_beef"] == 1


async def test_an_unknown_reference_is_named(world: World, alice: OpenWallet) -> None:
    for reference in ("dGVzdA==", "never made", "00" * 32):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await alice.sign_action({"reference": reference, "spends": {}})
        assert refused.value.parameter == "reference"


async def test_only_its_app_and_the_owner_may_sign_it(world: World, alice: OpenWallet) -> None:
    coin = caller_coin(world, 2_000)
    args = spending(coin, outputs=[output(NOWHERE, 1_000)])
    signable = (await alice.create_action(args, "a.example"))["signableTransaction"]
    with pytest.raises(WERR_INVALID_PARAMETER) as other:
        await alice.sign_action(signing(signable, coin), "b.example")
    with pytest.raises(WERR_INVALID_PARAMETER) as unknown:
        await alice.sign_action({"reference": "dGVzdA==", "spends": {}}, "b.example")
    assert (other.value.parameter, other.value.message) == (unknown.value.parameter, unknown.value.message)
    await alice.sign_action(signing(signable, coin), "a.example")

    of_the_owner, coin = await two_step(world, alice)
    with pytest.raises(WERR_INVALID_PARAMETER):
        await alice.sign_action(signing(of_the_owner, coin), "a.example")
    await alice.sign_action(signing(of_the_owner, coin))


async def test_options_that_are_not_given_are_those_of_createaction(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000, count=2)
    held: Any = payment_to(NOWHERE, 100) | {"options": {"noSend": True}}
    waiting = (await alice.create_action(held))["txid"]
    signable, coin = await two_step(world, alice, acceptDelayedBroadcast=False, returnTXIDOnly=True, sendWith=[waiting])
    signed = await alice.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
    assert signed == {
        "txid": signed["txid"],
        "sendWithResults": [
            {"txid": waiting, "status": "unproven"},
            {"txid": signed["txid"], "status": "unproven"},
        ],
    }


async def test_what_is_stated_stands_also_when_it_is_false_or_empty(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000, count=2)
    held: Any = payment_to(NOWHERE, 100) | {"options": {"noSend": True}}
    waiting = (await alice.create_action(held))["txid"]
    signable, coin = await two_step(world, alice, acceptDelayedBroadcast=False, returnTXIDOnly=True, sendWith=[waiting])
    signed = await alice.sign_action(
        signing(signable, coin, acceptDelayedBroadcast=True, returnTXIDOnly=False, sendWith=[])
    )
    assert signed["sendWithResults"] == [{"txid": signed["txid"], "status": "sending"}]
    assert Beef.parse(signed["tx"]).subject == signed["txid"]
    assert state_of(world.path("alice"), waiting)[0] == "nosend"

    signable, coin = await two_step(world, alice, noSend=True, acceptDelayedBroadcast=False)
    signed = await alice.sign_action(signing(signable, coin, noSend=False))
    assert signed["sendWithResults"] == [{"txid": signed["txid"], "status": "unproven"}]
    assert "noSendChange" not in signed


async def test_held_back_and_sent_with_others_can_not_be_combined_over_two_calls(
    world: World, alice: OpenWallet
) -> None:
    signable, coin = await two_step(world, alice, sendWith=["ab" * 32])
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.sign_action(signing(signable, coin, noSend=True))
    assert refused.value.parameter == "noSend"
    await alice.sign_action(signing(signable, coin, noSend=True, sendWith=[]))


async def test_known_txids_of_createaction_are_only_named(world: World, alice: OpenWallet) -> None:
    signable, coin = await two_step(world, alice)
    await alice.abort_action({"reference": signable["reference"]})
    signable, coin = await two_step(world, alice, coin, knownTxids=[coin.txid])
    beef = Beef.parse((signed := await alice.sign_action(signing(signable, coin)))["tx"])
    assert beef.is_txid_only(coin.txid)
    assert not beef.is_txid_only(signed["txid"])


@pytest.mark.parametrize("inherited", [True, False])
async def test_a_refusal_is_told_with_the_txid(world: World, alice: OpenWallet, inherited: bool) -> None:
    """Also when it is only inherited that it is to be sent at once."""
    await world.fund(alice, 5_000)
    signable, coin = await two_step(world, alice, acceptDelayedBroadcast=not inherited)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
    options = {} if inherited else {"acceptDelayedBroadcast": False}
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await alice.sign_action(signing(signable, coin, **options))
    txid = told.value.txid
    assert txid is not None
    assert told.value.send_with_results == [{"txid": txid, "status": "sending"}]
    assert told.value.review_action_results == [{"txid": txid, "status": "serviceError"}]
    assert told.value.tx is not None
    assert Beef.parse(told.value.tx).subject == txid
    assert state_of(world.path("alice"), txid) == ("sending", "unsent", 1)


class TestIdempotency:
    async def test_a_repeated_createaction_shows_the_same_signable_transaction(
        self, world: World, alice: OpenWallet
    ) -> None:
        await world.fund(alice, 5_000)
        coin = caller_coin(world, 100)
        args = spending(coin, outputs=[output(NOWHERE, 1_000)])
        first = await alice.create_action(args, idempotency_key="k")
        again = await alice.create_action(args, idempotency_key="k")
        assert again["signableTransaction"]["reference"] == first["signableTransaction"]["reference"]
        original, repeated = (Beef.parse(each["signableTransaction"]["tx"]) for each in (first, again))
        assert original.subject == repeated.subject
        assert set(original.transactions) == set(repeated.transactions)
        with pytest.raises(WERR_INVALID_PARAMETER):
            await alice.create_action(args | {"lockTime": 1}, idempotency_key="k")
        assert rows(world.path("alice"), "SELECT count(*) FROM transactions WHERE isOutgoing") == [1]

    async def test_after_a_restart_too(self, world: World) -> None:
        coin = caller_coin(world, 2_000)
        args = spending(coin, outputs=[output(NOWHERE, 1_000)])
        async with world.wallet("alice") as alice:
            first = (await alice.create_action(args, idempotency_key="k"))["signableTransaction"]
        async with world.wallet("alice") as alice:
            again = (await alice.create_action(args, idempotency_key="k"))["signableTransaction"]
            assert (again["reference"], unsigned_of(again)) == (first["reference"], unsigned_of(first))
            signed = await alice.sign_action(signing(again, coin), idempotency_key="s")
        async with world.wallet("alice") as alice:
            assert without_tx(await alice.sign_action(signing(again, coin), idempotency_key="s")) == without_tx(signed)
        world.assert_sound()

    async def test_once_signed_the_repeated_createaction_says_so(self, world: World, alice: OpenWallet) -> None:
        coin = caller_coin(world, 2_000)
        args = spending(coin, outputs=[output(NOWHERE, 1_000)])
        signable = (await alice.create_action(args, idempotency_key="k"))["signableTransaction"]
        await alice.sign_action(signing(signable, coin))
        with pytest.raises(WERR_INVALID_OPERATION):
            await alice.create_action(args, idempotency_key="k")

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"acceptDelayedBroadcast": False},
            {"noSend": True},
            {"returnTXIDOnly": True},
        ],
    )
    async def test_a_repeated_signaction_gives_the_same_result(
        self, world: World, alice: OpenWallet, options: dict[str, bool]
    ) -> None:
        """Whether options were stated or inherited: createAction's are gone once it is signed."""
        await world.fund(alice, 5_000)
        for created, stated in ((options, {}), ({}, options)):
            signable, coin = await two_step(world, alice, **created)
            args = signing(signable, coin, **stated)
            first = await alice.sign_action(args, idempotency_key=signable["reference"])
            counts = row_counts(world.path("alice"))
            again = await alice.sign_action(args, idempotency_key=signable["reference"])
            assert without_tx(again) == without_tx(first)
            assert ("tx" in again) == ("tx" in first)
            assert row_counts(world.path("alice")) == counts

    async def test_a_repeated_signaction_tells_of_a_refusal_again(self, world: World, alice: OpenWallet) -> None:
        signable, coin = await two_step(world, alice, acceptDelayedBroadcast=False)
        world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
        told = []
        for _ in range(2):
            with pytest.raises(WERR_REVIEW_ACTIONS) as review:
                await alice.sign_action(signing(signable, coin), idempotency_key="s")
            told.append((review.value.txid, review.value.send_with_results))
        assert told[0] == told[1]

    async def test_other_arguments_under_its_key_are_an_error(self, world: World, alice: OpenWallet) -> None:
        """An option that is stated is another argument than one that is left to createAction."""
        signable, coin = await two_step(world, alice)
        await alice.sign_action(signing(signable, coin), idempotency_key="s")
        for other in (signing(signable, coin, noSend=False), signing(signable, coin) | {"spends": {}}):
            with pytest.raises(WERR_INVALID_PARAMETER) as refused:
                await alice.sign_action(other, idempotency_key="s")
            assert refused.value.parameter == "idempotencyKey"

    async def test_at_the_same_time_it_is_signed_once(self, world: World, alice: OpenWallet) -> None:
        signable, coin = await two_step(world, alice, acceptDelayedBroadcast=False)
        args = signing(signable, coin)
        answers = await asyncio.gather(*(alice.sign_action(args, idempotency_key="s") for _ in range(10)))
        assert len({each["txid"] for each in answers}) == 1
        assert {each["sendWithResults"][0]["status"] for each in answers} == {"unproven"}
        assert world.services.calls["post_beef"] == 1

    async def test_what_failed_leaves_the_key_free(self, world: World, alice: OpenWallet) -> None:
        signable, coin = await two_step(world, alice)
        with pytest.raises(WERR_INVALID_PARAMETER):
            await alice.sign_action(
                {"reference": signable["reference"], "spends": {0: {"unlockingScript": "51"}}}, idempotency_key="s"
            )
        await alice.sign_action(signing(signable, coin), idempotency_key="s")
