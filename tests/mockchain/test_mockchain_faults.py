"""Faults of the mock services: what is answered, what the chain really did, and when the fault ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from mockchain_coins import open_script, pay, spend

from bsv_wallet_toolbox.errors import WERR_BROADCAST_UNAVAILABLE, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import PostOutcome, RejectReason, UtxoStatus
from bsv_wallet_toolbox.mockchain import Fault, Faults, MockChain, MockServices
from bsv_wallet_toolbox.mockchain.consensus import OP_TRUE
from bsv_wallet_toolbox.seams import SeededEntropy
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.hashes import txid_of

pytestmark = pytest.mark.anyio

OUTAGES = [Fault.UNAVAILABLE, Fault.TIMEOUT, Fault.HTTP_STATUS, Fault.RATE_LIMITED]


@pytest.fixture
def posted(services: MockServices) -> tuple[bytes, str]:
    """A BEEF ready to be posted and the txid to post."""
    raw_tx = spend([(services.fund(open_script(0), 1000).txid, 0)], [(OP_TRUE, 900)])
    beef = Beef()
    beef.merge_transaction(raw_tx)
    return beef.to_bytes(), txid_of(raw_tx)


@pytest.mark.parametrize("fault", OUTAGES)
async def test_an_outage_is_never_an_answer(services: MockServices, posted: tuple[bytes, str], fault: Fault) -> None:
    beef, txid = posted
    funded = services.fund(open_script(7), 1000)
    for method in ("post_beef", "get_raw_tx", "get_merkle_path", "get_status_for_txids"):
        services.faults.set(method, fault)
    for method in ("get_utxo_status", "is_utxo", "get_script_hash_history"):
        services.faults.set(method, fault)
    (answer,) = await services.post_beef(beef, [txid])
    assert (answer.outcome, answer.txid) == (PostOutcome.UNAVAILABLE, txid)
    assert answer.code == {Fault.HTTP_STATUS: 503, Fault.RATE_LIMITED: 429}.get(fault)
    assert services.mock.confirmations(txid) is None
    assert (await services.get_raw_tx(funded.txid)).error
    path = await services.get_merkle_path(funded.txid)
    assert path.error
    assert path.merkle_path is None
    assert (await services.get_status_for_txids([funded.txid])).statuses is None
    assert (await services.get_utxo_status(open_script(7).hex())).status is UtxoStatus.UNKNOWN
    assert await services.is_utxo(funded.txid, 0, open_script(7)) is UtxoStatus.UNKNOWN
    assert (await services.get_script_hash_history(txid)).history is None


async def test_methods_that_answer_values_raise_when_struck(services: MockServices) -> None:
    tracker = services.get_chain_tracker()
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "get_height": services.get_height,
        "get_header_for_height": lambda: services.get_header_for_height(0),
        "hash_to_header": lambda: services.hash_to_header("ab" * 32),
        "n_lock_time_is_final": lambda: services.n_lock_time_is_final(0),
        "get_beef_for_txid": lambda: services.get_beef_for_txid("ab" * 32),
        "get_bsv_exchange_rate": services.get_bsv_exchange_rate,
        "get_fiat_exchange_rate": lambda: services.get_fiat_exchange_rate("EUR"),
        "current_height": tracker.current_height,
        "is_valid_root_for_height": lambda: tracker.is_valid_root_for_height("ab" * 32, 0),
        "find_tip": tracker.find_tip,
        "find_header_for_height": lambda: tracker.find_header_for_height(0),
        "find_header_for_block_hash": lambda: tracker.find_header_for_block_hash("ab" * 32),
    }
    for method, call in calls.items():
        services.faults.set(method, Fault.HTTP_STATUS, status=502, times=1)
        with pytest.raises(WERR_BROADCAST_UNAVAILABLE, match="502"):
            await call()
        assert services.faults.strike(method) is None


async def test_a_fault_ends_after_its_times_and_the_next_one_follows(
    services: MockServices, posted: tuple[bytes, str]
) -> None:
    beef, txid = posted
    services.faults.set("post_beef", Fault.UNAVAILABLE, times=2)
    services.faults.set("post_beef", Fault.REJECTED, times=1)
    outcomes = [(await services.post_beef(beef, [txid]))[0].outcome for _ in range(5)]
    assert outcomes == [
        PostOutcome.UNAVAILABLE,
        PostOutcome.UNAVAILABLE,
        PostOutcome.REJECTED,
        PostOutcome.ACCEPTED_SEEN,
        PostOutcome.ALREADY_KNOWN,
    ]


@pytest.mark.parametrize(
    ("fault", "outcome", "on_chain"),
    [
        (Fault.FORGET, PostOutcome.ACCEPTED_SEEN, False),
        (Fault.REPLY_LOST, PostOutcome.UNAVAILABLE, True),
        (Fault.REJECTED, PostOutcome.REJECTED, False),
        (Fault.FEE_TOO_LOW, PostOutcome.REJECTED, False),
        (Fault.DOUBLE_SPEND_CLAIM, PostOutcome.DOUBLE_SPEND, False),
    ],
)
async def test_an_answer_to_a_post_can_differ_from_what_the_chain_did(
    services: MockServices, posted: tuple[bytes, str], fault: Fault, outcome: PostOutcome, on_chain: bool
) -> None:
    beef, txid = posted
    services.faults.set("post_beef", fault, times=1)
    (answer,) = await services.post_beef(beef, [txid])
    assert (answer.outcome, answer.txid) == (outcome, txid)
    assert answer.competing_raw_txs == ()
    assert answer.reason == (RejectReason.FEE_TOO_LOW if fault is Fault.FEE_TOO_LOW else RejectReason.UNSTATED)
    assert (services.mock.confirmations(txid) == 0) is on_chain
    (again,) = await services.post_beef(beef, [txid])
    assert again.outcome == (PostOutcome.ALREADY_KNOWN if on_chain else PostOutcome.ACCEPTED_SEEN)


async def test_a_wrong_txid_is_about_a_transaction_nobody_has(
    services: MockServices, posted: tuple[bytes, str]
) -> None:
    beef, txid = posted
    services.faults.set("post_beef", Fault.WRONG_TXID, times=1)
    services.faults.set("get_raw_tx", Fault.WRONG_TXID, times=1)
    (answer,) = await services.post_beef(beef, [txid])
    assert answer.txid != txid
    assert services.mock.confirmations(answer.txid) is None
    raw = await services.get_raw_tx(txid)
    assert (raw.txid, raw.raw_tx) == (txid, None)
    assert raw.error is not None
    assert f"doesn't match requested value {txid}" in raw.error
    assert (await services.get_raw_tx(txid)).raw_tx is not None


async def test_a_stale_proof_is_consistent_and_denied_by_the_tracker(services: MockServices, chain: MockChain) -> None:
    txid = pay(chain, (services.fund(open_script(0), 1000).txid, 0), 1, 900)
    chain.mine()
    services.faults.set("get_merkle_path", Fault.STALE_PROOF, times=1)
    stale = await services.get_merkle_path(txid)
    assert stale.merkle_path is not None
    assert stale.header is not None
    root = stale.merkle_path.compute_root(txid)
    assert root == stale.header.merkle_root
    assert not await services.get_chain_tracker().is_valid_root_for_height(root, stale.header.height)
    good = await services.get_merkle_path(txid)
    assert good.header == chain.tip


async def test_a_proof_can_come_blocks_late(services: MockServices, chain: MockChain) -> None:
    txid = services.fund(open_script(0), 1000).txid
    services.faults.set("get_merkle_path", Fault.NO_PROOF, blocks=2)
    seen = []
    for _ in range(4):
        answer = await services.get_merkle_path(txid)
        assert answer.error is None
        seen.append(answer.merkle_path is not None)
        chain.mine()
    assert seen == [False, False, True, True]


async def test_faults_belong_to_one_services_object_and_can_be_cleared(
    services: MockServices, chain: MockChain
) -> None:
    other = MockServices(chain)
    for method in ("get_height", "find_tip"):
        services.faults.set(method, Fault.TIMEOUT)
    assert await other.get_height() == 100
    services.faults.clear("get_height")
    assert await services.get_height() == 100
    with pytest.raises(WERR_BROADCAST_UNAVAILABLE):
        await services.get_chain_tracker().find_tip()
    services.faults.clear()
    assert await services.get_chain_tracker().find_tip() == chain.tip


def test_chance_repeats_with_its_seed() -> None:
    def strikes(seed: str) -> list[bool]:
        faults = Faults(SeededEntropy(seed))
        faults.set("post_beef", Fault.UNAVAILABLE, probability=0.1)
        return [faults.strike("post_beef") is not None for _ in range(1000)]

    assert strikes("a") == strikes("a")
    assert strikes("a") != strikes("b")
    assert 60 < sum(strikes("a")) < 140


@pytest.mark.parametrize(
    ("method", "fault", "times"),
    [
        ("post_bef", Fault.UNAVAILABLE, 1),
        ("get_raw_tx", Fault.STALE_PROOF, 1),
        ("get_height", Fault.FORGET, None),
        ("post_beef", Fault.FORGET, 0),
    ],
)
def test_a_fault_that_could_never_strike_is_refused(method: str, fault: Fault, times: int | None) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        Faults().set(method, fault, times=times)
