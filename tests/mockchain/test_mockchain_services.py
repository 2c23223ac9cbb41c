"""The answers of MockServices and of its chain tracker when nothing goes wrong."""

from __future__ import annotations

import hashlib

import pytest
from mockchain_coins import coinbase_txid, key_script, open_script, pay, signed_spend, spend

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_MERKLE_ROOT, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import ChainEvents, PostOutcome, RejectReason, TxNetworkStatus, UtxoStatus
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.mockchain import MockChain, MockServices
from bsv_wallet_toolbox.mockchain.consensus import OP_TRUE
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import OutputSpec

pytestmark = pytest.mark.anyio

ABSENT = "ab" * 32


def assert_verifies(chain: MockChain, beef: bytes, txid: str) -> None:
    def is_valid_root(root: str, height: int) -> bool:
        header = chain.header_at(height)
        return header is not None and header.merkle_root == root

    verify_beef(Beef.parse(beef), [txid], is_valid_root)


def beef_of(*raw_txs: bytes) -> bytes:
    beef = Beef()
    for raw_tx in raw_txs:
        beef.merge_transaction(raw_tx)
    return beef.to_bytes()


async def test_a_funding_is_an_atomic_beef_that_verifies(services: MockServices, chain: MockChain) -> None:
    funded = services.fund(key_script(), 5000)
    beef = Beef.parse(funded.beef)
    assert (beef.subject, funded.vout) == (funded.txid, 0)
    view = beef.view(funded.txid)
    assert view is not None
    assert (view.outputs[0].satoshis, view.outputs[0].locking_script) == (5000, key_script())
    assert_verifies(chain, funded.beef, funded.txid)
    many = services.fund_many([OutputSpec(tag, open_script(tag)) for tag in range(50)])
    assert [result.vout for result in many] == list(range(50))
    assert len({result.txid for result in many}) == 1
    assert_verifies(chain, many[0].beef, many[0].txid)


async def test_ancestors_in_the_beef_are_accepted_with_the_transaction_asked_for(services: MockServices) -> None:
    funded = services.fund(open_script(0), 1000)
    parent = spend([(funded.txid, 0)], [(open_script(1), 900)])
    child = spend([(txid_of(parent), 0)], [(open_script(2), 800)])
    stranger = spend([(ABSENT, 0)], [(OP_TRUE, 1)])
    answers = await services.post_beef(beef_of(child, stranger, parent), [txid_of(child)])
    assert [(answer.txid, answer.outcome) for answer in answers] == [(txid_of(child), PostOutcome.ACCEPTED_SEEN)]
    assert services.mock.mempool() == [txid_of(parent), txid_of(child)]


async def test_each_txid_has_its_own_answer(services: MockServices) -> None:
    funded = services.fund_many([OutputSpec(1000, open_script(tag)) for tag in range(3)])
    winner = spend([(funded[0].txid, 0)], [(open_script(5), 900)])
    loser = spend([(funded[0].txid, 0), (funded[0].txid, 1)], [(open_script(6), 900)])
    orphan = spend([(txid_of(loser), 0)], [(open_script(7), 800)])
    greedy = spend([(funded[0].txid, 2)], [(open_script(8), 1001)])
    await services.post_beef(beef_of(winner), [txid_of(winner)])
    posted = [txid_of(raw_tx) for raw_tx in (winner, loser, orphan, greedy)]
    answers = await services.post_beef(beef_of(winner, loser, orphan, greedy), [*posted, ABSENT])
    assert [answer.txid for answer in answers] == [*posted, ABSENT]
    assert [answer.outcome for answer in answers] == [
        PostOutcome.ALREADY_KNOWN,
        PostOutcome.DOUBLE_SPEND,
        PostOutcome.MISSING_PARENTS,
        PostOutcome.REJECTED,
        PostOutcome.UNAVAILABLE,
    ]
    assert answers[1].competing_txids == (txid_of(winner),)
    assert answers[1].competing_raw_txs == (winner,)
    assert (answers[3].code, answers[3].reason) == (464, RejectReason.RULE)
    assert answers[4].text == f"The txid parameter must be present in provided BEEF. txid: {ABSENT}"


async def test_a_known_txid_without_bytes_is_already_known(services: MockServices) -> None:
    funded = services.fund(open_script(0), 1000)
    beef = Beef()
    beef.merge_txid_only(funded.txid)
    (answer,) = await services.post_beef(beef.to_bytes(), [funded.txid])
    assert answer.outcome == PostOutcome.ALREADY_KNOWN


async def test_a_beef_that_cannot_be_read_is_the_callers_error(services: MockServices) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        await services.post_beef(b"\x01\x02", [ABSENT])
    assert caught.value.parameter == "beef"


async def test_statuses_and_depths(services: MockServices, chain: MockChain) -> None:
    funded = services.fund(open_script(0), 1000)
    waiting = pay(chain, (funded.txid, 0), 1, 900)
    chain.mine(2, only=[])
    answer = await services.get_status_for_txids([waiting, ABSENT, funded.txid])
    assert answer.statuses == {
        waiting: TxNetworkStatus.KNOWN,
        ABSENT: TxNetworkStatus.UNKNOWN,
        funded.txid: TxNetworkStatus.MINED,
    }
    assert answer.depths == {funded.txid: 3}


async def test_raw_transactions_are_found_and_absence_is_no_error(services: MockServices) -> None:
    funded = services.fund(open_script(0), 1000)
    found = await services.get_raw_tx(funded.txid)
    assert found.raw_tx is not None
    assert txid_of(found.raw_tx) == funded.txid
    absent = await services.get_raw_tx(ABSENT)
    assert (absent.raw_tx, absent.error) == (None, None)


async def test_merkle_paths_lead_to_the_active_header(services: MockServices, chain: MockChain) -> None:
    funded = services.fund(open_script(0), 1000)
    waiting = pay(chain, (funded.txid, 0), 1, 900)
    answer = await services.get_merkle_path(funded.txid)
    assert answer.merkle_path is not None
    assert answer.header == chain.tip
    assert answer.header is not None
    assert answer.merkle_path.compute_root(funded.txid) == answer.header.merkle_root
    for txid in (waiting, ABSENT):
        empty = await services.get_merkle_path(txid)
        assert (empty.provider, empty.merkle_path, empty.header, empty.error) == ("MockServices", None, None, None)


async def test_a_utxo_is_unspent_then_spent_and_unknown_if_never_seen(services: MockServices, chain: MockChain) -> None:
    script = open_script(0)
    funded = services.fund(script, 1000)
    assert await services.is_utxo(funded.txid, 0, script) is UtxoStatus.UNSPENT
    spender = pay(chain, (funded.txid, 0), 1, 900)
    assert await services.is_utxo(funded.txid, 0, script) is UtxoStatus.SPENT
    assert await services.is_utxo(spender, 0, script) is UtxoStatus.UNKNOWN, "another script"
    assert await services.is_utxo(ABSENT, 0, script) is UtxoStatus.UNKNOWN
    assert await services.is_utxo(funded.txid, 9, script) is UtxoStatus.UNKNOWN
    answer = await services.get_utxo_status(services.hash_output_script(script.hex()), None, f"{funded.txid}.0")
    assert (answer.status, answer.spent_by, answer.entries) == (UtxoStatus.SPENT, spender, ())


async def test_the_three_forms_of_a_script_find_the_same_outputs(services: MockServices, chain: MockChain) -> None:
    script = open_script(0)
    funded = services.fund_many([OutputSpec(700, script), OutputSpec(800, script)])
    digest = hashlib.sha256(script).digest()
    forms = [(digest.hex(), None), (digest.hex(), "hashLE"), (digest[::-1].hex(), "hashBE"), (script.hex(), None)]
    for output, output_format in [*forms, (script.hex(), "script")]:
        answer = await services.get_utxo_status(output, output_format)  # type: ignore[arg-type]
        assert answer.status is UtxoStatus.UNSPENT
        assert [(entry.vout, entry.satoshis, entry.height) for entry in answer.entries] == [
            (0, 700, chain.height),
            (1, 800, chain.height),
        ]
    pay(chain, (funded[0].txid, 0), 1, 700)
    one_left = await services.get_utxo_status(script.hex(), "script", f"{funded[0].txid}.1")
    assert (one_left.status, len(one_left.entries)) == (UtxoStatus.UNSPENT, 1)
    gone = await services.get_utxo_status(script.hex(), "script", f"{funded[0].txid}.0")
    assert (gone.status, len(gone.entries)) == (UtxoStatus.SPENT, 1)
    assert (await services.get_utxo_status(open_script(99).hex())).status is UtxoStatus.UNKNOWN


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        (("51", "hash"), "outputFormat"),
        (("5", "script"), "output"),
        (("51", "script", "ab.0"), "outpoint"),
        (("51", "script", f"{ABSENT}.-1"), "outpoint"),
    ],
)
async def test_malformed_questions_about_utxos_are_refused(
    services: MockServices, arguments: tuple[str, ...], parameter: str
) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        await services.get_utxo_status(*arguments)  # type: ignore[arg-type]
    assert caught.value.parameter == parameter


async def test_the_script_history_holds_creators_and_spenders(services: MockServices, chain: MockChain) -> None:
    script = open_script(0)
    first = services.fund(script, 1000)
    second = services.fund(script, 1000)
    mined = pay(chain, (second.txid, 0), 1, 900)
    chain.mine()
    waiting = pay(chain, (first.txid, 0), 2, 900)
    answer = await services.get_script_hash_history(services.hash_output_script(script.hex()))
    assert answer.history is not None
    assert [(entry.txid, entry.height) for entry in answer.history] == [
        (first.txid, 101),
        (second.txid, 102),
        (mined, 103),
        (waiting, None),
    ]
    empty = await services.get_script_hash_history(ABSENT)
    assert (empty.history, empty.error) == ((), None)


def test_script_hashes_are_the_recorded_ones(services: MockServices) -> None:
    assert services.hash_output_script("51") == "4ae81572f06e1b88fd5ced7a1a000945432e83e1551e6f721ee9c00b8cc33260"
    zero_key = services.hash_output_script("76a914" + "00" * 20 + "88ac")
    assert bytes.fromhex(zero_key)[::-1].hex() == "acb87996319dca2c2e2afd6c0f7514b18e72e204069718976e1abdc8fcf5de75"
    with pytest.raises(WERR_INVALID_PARAMETER):
        services.hash_output_script("5")


async def test_headers_are_served_by_height_and_by_hash(services: MockServices, chain: MockChain) -> None:
    tip = chain.tip
    assert tip is not None
    assert await services.get_height() == tip.height == 100
    assert await services.get_header_for_height(100) == tip.raw
    assert await services.hash_to_header(tip.hash) == tip
    with pytest.raises(WERR_INVALID_PARAMETER) as by_height:
        await services.get_header_for_height(101)
    assert by_height.value.message == "The hash parameter must be valid height '101' on mined chain mock"
    with pytest.raises(WERR_INVALID_PARAMETER) as by_hash:
        await services.hash_to_header(ABSENT)
    assert by_hash.value.message == f"The hash parameter must be valid blockhash '{ABSENT}' on mined chain mock"


async def test_the_tracker_follows_the_active_chain(services: MockServices, chain: MockChain) -> None:
    tracker = services.get_chain_tracker()
    assert isinstance(tracker, ChainEvents)
    chain.fund(OP_TRUE, 1)
    tip = chain.tip
    assert tip is not None
    assert await tracker.current_height() == 101
    assert await tracker.find_tip() == await tracker.find_header_for_height(101) == tip
    assert await tracker.find_header_for_block_hash(tip.hash) == tip
    assert await tracker.is_valid_root_for_height(tip.merkle_root, 101)
    chain.reorg(101, 1)
    assert not await tracker.is_valid_root_for_height(tip.merkle_root, 101)
    assert not await tracker.is_valid_root_for_height(tip.merkle_root, 100)
    assert not await tracker.is_valid_root_for_height(tip.merkle_root, 102)
    assert await tracker.find_header_for_height(102) is None
    assert await tracker.find_header_for_height(-1) is None
    assert await tracker.find_header_for_block_hash(tip.hash) is None
    chain.reorg(0, 0, allow_shorter=True)
    assert (await tracker.current_height(), await tracker.find_tip()) == (-1, None)


async def test_the_tracker_tells_of_headers_and_reorgs(services: MockServices, chain: MockChain) -> None:
    told: list[int] = []
    unsubscribe = services.get_chain_tracker().subscribe(
        lambda header: told.append(header.height), lambda deactivated, tip: told.append(-tip.height)
    )
    services.mine()
    chain.reorg(101, 1)
    unsubscribe()
    services.mine()
    assert told == [101, -101, 101]


async def test_the_beef_of_a_txid_verifies_mined_and_unmined(services: MockServices, chain: MockChain) -> None:
    txid = services.fund(key_script(), 10_000).txid
    source = chain.output(txid, 0)
    assert source is not None
    raw_tx = signed_spend(source, [(open_script(1), 6000), (open_script(2), 3000)])
    chain.accept(raw_tx)
    middle = [pay(chain, (txid_of(raw_tx), vout), 3 + vout, 2000) for vout in (0, 1)]
    top = spend([(middle[0], 0), (middle[1], 0)], [(OP_TRUE, 3500)])
    chain.accept(top)
    unmined = await services.get_beef_for_txid(txid_of(top))
    assert set(Beef.parse(unmined).transactions) == {txid, txid_of(raw_tx), *middle, txid_of(top)}
    assert_verifies(chain, unmined, txid_of(top))
    chain.mine()
    mined = await services.get_beef_for_txid(txid_of(top))
    assert set(Beef.parse(mined).transactions) == {txid_of(top)}
    assert_verifies(chain, mined, txid_of(top))
    coinbase = coinbase_txid(chain, 5)
    assert_verifies(chain, await services.get_beef_for_txid(coinbase), coinbase)
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        await services.get_beef_for_txid(ABSENT)
    assert caught.value.message == f"The txid {ABSENT} parameter must be valid transaction on chain mock"


async def test_a_beef_made_before_a_reorg_is_made_anew_after_it(services: MockServices, chain: MockChain) -> None:
    txid = pay(chain, (services.fund(open_script(0), 1000).txid, 0), 1, 900)
    chain.mine()
    height = chain.height
    before = await services.get_beef_for_txid(txid)
    chain.reorg(height, 2)
    between = await services.get_beef_for_txid(txid)
    assert_verifies(chain, between, txid)
    chain.mine()
    assert_verifies(chain, await services.get_beef_for_txid(txid), txid)
    with pytest.raises(WERR_INVALID_MERKLE_ROOT):
        assert_verifies(chain, before, txid)


@pytest.mark.parametrize(
    ("lock_time", "final"),
    [(0, True), (99, True), (100, False), (101, False), (499_999_999, False), (500_000_000, True)],
)
async def test_lock_times_are_final_below_the_tip(services: MockServices, lock_time: int, final: bool) -> None:
    assert await services.n_lock_time_is_final(lock_time) is final


async def test_lock_times_of_transactions_and_of_times(services: MockServices, chain: MockChain) -> None:
    assert not await services.n_lock_time_is_final(chain.median_time_past)
    assert await services.n_lock_time_is_final(chain.median_time_past - 1)
    locked = spend([(ABSENT, 0)], [(OP_TRUE, 1)], lock_time=500, sequence=0)
    by_sequence = spend([(ABSENT, 0)], [(OP_TRUE, 1)], lock_time=500)
    for raw_tx, final in ((locked, False), (by_sequence, True)):
        assert await services.n_lock_time_is_final(raw_tx) is final
        assert await services.n_lock_time_is_final(raw_tx.hex()) is final
    with pytest.raises(WERR_INTERNAL):
        await services.n_lock_time_is_final(None)  # type: ignore[arg-type]
    for malformed in (-1, 2**32, "zz", b""):
        with pytest.raises(WERR_INVALID_PARAMETER):
            await services.n_lock_time_is_final(malformed)


async def test_exchange_rates_are_constant(services: MockServices) -> None:
    assert await services.get_bsv_exchange_rate() == 50
    assert await services.get_fiat_exchange_rate("EUR") == 0.92
    assert await services.get_fiat_exchange_rate("USD", "GBP") == 1 / 0.79
    for currency, base, parameter in (("XXX", "USD", "currency"), ("USD", "XXX", "base")):
        with pytest.raises(WERR_INVALID_PARAMETER) as caught:
            await services.get_fiat_exchange_rate(currency, base)
        assert caught.value.parameter == parameter


async def test_the_call_history_has_seven_empty_parts_and_calls_are_counted(services: MockServices) -> None:
    await services.get_raw_tx(ABSENT)
    await services.get_raw_tx(ABSENT)
    history = services.get_services_call_history(reset=True)
    assert history.pop("version") == 2
    assert {name: part["serviceName"] for name, part in history.items()} == {
        "getMerklePath": "getMerklePath",
        "getRawTx": "getRawTx",
        "postBeef": "postBeef",
        "getUtxoStatus": "getUtxoStatus",
        "getStatusForTxids": "getStatusForTxids",
        "getScriptHashHistory": "getScriptHashHistory",
        "updateFiatExchangeRates": "updateFiatExchangeRate",
    }
    assert all(part["historyByProvider"] == {} for part in history.values())
    assert services.calls == {"get_raw_tx": 2}
    assert services.chain is Chain.MOCK
