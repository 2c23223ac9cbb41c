"""Both stores undo what fails; the file survives, is shared, and is refused when it is something else."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest
from mockchain_coins import fingerprint, open_script, pay, spend

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import PostOutcome
from bsv_wallet_toolbox.mockchain import ChainStore, MemoryStore, MockChain, SqliteStore
from bsv_wallet_toolbox.mockchain.consensus import OP_TRUE
from bsv_wallet_toolbox.seams import ManualClock, SeededEntropy
from bsv_wallet_toolbox.transactions.tx import OutputSpec


class Stopped(Exception):
    pass


def test_a_failed_change_is_undone_completely(store: ChainStore, clock: ManualClock) -> None:
    chain = MockChain(store, clock=clock, entropy=SeededEntropy("chain"), premine=True)
    txid = pay(chain, (chain.fund(open_script(0), 1000).txid, 0), 1, 900)
    chain.mine()
    waiting = pay(chain, (txid, 0), 2, 800)
    before, height = fingerprint(chain), chain.height
    (coinbase, _) = store.block_txids(height)
    tip = chain.tip
    assert tip is not None

    def change_everything() -> None:
        with store.transaction():
            store.remove_transaction(waiting)
            store.place(txid, None, None)
            store.remove_transaction(txid)
            store.remove_transaction(coinbase)
            store.remove_tip()
            store.add_transaction("aa" * 32, b"x", store.outputs_of("bb" * 32), height, 0)
            store.append_header(tip, "aa" * 32)
            raise Stopped

    with pytest.raises(Stopped):
        change_everything()
    assert fingerprint(chain) == before
    assert store.outputs_spent_by(waiting)[0].txid == txid
    assert store.mempool()[0].txid == waiting
    chain.mine()
    assert chain.confirmations(waiting) == 1


def test_the_order_of_acceptance_outlives_a_reorg(chain: MockChain) -> None:
    funded = chain.fund_many([OutputSpec(1000, open_script(tag)) for tag in range(20)])
    txids = [pay(chain, (funded[0].txid, tag), 100 + tag, 900) for tag in range(20)]
    chain.mine()
    chain.reorg(chain.height, 1)
    assert chain.mempool() == txids


def test_threads_share_one_chain(chain: MockChain) -> None:
    funded = chain.fund_many([OutputSpec(1000, open_script(tag)) for tag in range(40)])

    def work(part: int) -> None:
        for tag in range(part, 40, 4):
            pay(chain, (funded[0].txid, tag), 100 + tag, 900)
            chain.mine()

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert chain.mempool() == []
    assert all(len(chain.utxos_of(open_script(100 + tag))) == 1 for tag in range(40))


def test_a_file_is_the_same_chain_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    chain = MockChain(SqliteStore(path), premine=True)
    funded = chain.fund(open_script(0), 1000)
    pay(chain, (funded.txid, 0), 1, 900)
    before = fingerprint(chain)
    chain.close()
    again = MockChain(SqliteStore(path))
    assert fingerprint(again) == before
    again.mine()
    assert again.confirmations(funded.txid) == 2
    again.close()


def test_two_chains_on_one_file_see_each_others_changes(tmp_path: Path) -> None:
    one = MockChain(SqliteStore(tmp_path / "chain.sqlite"), premine=True)
    other = MockChain(SqliteStore(tmp_path / "chain.sqlite"))
    funded = one.fund(open_script(0), 1000)
    winner = pay(other, (funded.txid, 0), 1, 900)
    assert one.accept(spend([(funded.txid, 0)], [(OP_TRUE, 1)])).competing_txids == (winner,)
    assert one.mine()[0] == other.tip
    one.close()
    other.close()


def test_what_was_accepted_survives_a_process_that_dies(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    program = (
        "import os, sys\n"
        "from bsv_wallet_toolbox.mockchain import MockChain, SqliteStore\n"
        "chain = MockChain(SqliteStore(sys.argv[1]), premine=True)\n"
        "print(chain.fund(b'\\x51', 1000).txid, flush=True)\n"
        "os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr
    chain = MockChain(SqliteStore(path))
    assert chain.confirmations(done.stdout.strip()) == 1
    assert chain.accept(spend([(done.stdout.strip(), 0)], [(OP_TRUE, 1)])).outcome == PostOutcome.ACCEPTED_SEEN
    chain.close()


def test_the_file_has_the_tables_and_the_migration_of_the_npm_mock_chain(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    MockChain(SqliteStore(path)).close()
    connection = apsw.Connection(str(path))
    columns = {
        table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'mock%'")
    }
    assert columns == {
        "mockchain_block_headers": [
            *("height", "hash", "previousHash", "merkleRoot", "version", "time", "bits", "nonce"),
            *("coinbaseTxid", "created_at"),
        ],
        "mockchain_transactions": ["txid", "rawTx", "blockHeight", "blockIndex", "created_at"],
        "mockchain_utxos": [
            *("id", "txid", "vout", "lockingScript", "satoshis", "scriptHash", "spentByTxid", "isCoinbase"),
            *("blockHeight", "created_at"),
        ],
    }
    assert connection.execute("SELECT name, batch FROM knex_migrations_mockchain").fetchall() == [
        ("2026-01-01-001 initial mockchain tables", 1)
    ]
    assert connection.execute('SELECT "index", is_locked FROM knex_migrations_mockchain_lock').fetchall() == [(1, 0)]
    (script_hash,) = connection.execute("SELECT DISTINCT scriptHash FROM mockchain_utxos").fetchone()
    assert script_hash == "4ae81572f06e1b88fd5ced7a1a000945432e83e1551e6f721ee9c00b8cc33260"
    connection.close()


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(b"this is not a database, it is a sentence of more than a hundred bytes" * 30)
    with pytest.raises(WERR_INVALID_PARAMETER):
        SqliteStore(text)
    wallet = tmp_path / "wallet.sqlite"
    connection = apsw.Connection(str(wallet))
    connection.execute("CREATE TABLE users (userId INTEGER)")
    connection.close()
    before = wallet.read_bytes()
    with pytest.raises(WERR_INVALID_PARAMETER):
        SqliteStore(wallet)
    assert wallet.read_bytes() == before
    newer = tmp_path / "newer.sqlite"
    SqliteStore(newer).close()
    connection = apsw.Connection(str(newer))
    connection.execute("INSERT INTO knex_migrations_mockchain (name, batch) VALUES ('2027-01-01-001 more', 2)")
    connection.close()
    with pytest.raises(WERR_INVALID_PARAMETER):
        SqliteStore(newer)


def test_a_missing_directory_and_a_closed_store_are_our_errors(tmp_path: Path) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        SqliteStore(tmp_path / "absent" / "chain.sqlite")
    store = SqliteStore(tmp_path / "chain.sqlite")
    store.close()
    with pytest.raises(WERR_INTERNAL):
        store.tip()


def test_transactions_of_a_memory_store_do_not_nest() -> None:
    store = MemoryStore()
    with store.transaction(), pytest.raises(AssertionError), store.transaction():
        pass
