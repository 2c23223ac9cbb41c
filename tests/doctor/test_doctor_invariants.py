"""Every rule of the doctor: a healthy file passes, and a file broken in exactly that way gives exactly that finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from breaches import BREACHES, COIN, NOW, STRANGE, Breach, change
from hypothesis import given
from hypothesis import strategies as st

from bsv_wallet_toolbox.doctor import Finding, Invariant, Report, examine
from bsv_wallet_toolbox.doctor.report import MAX_FINDINGS, FindingLog
from bsv_wallet_toolbox.storage.schema import PEER_TABLES
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.tx import InputSpec, OutputSpec, build_transaction
from wallet_world import World


def found(report: Report) -> list[tuple[str, str, str]]:
    return sorted((each.invariant.value, each.entity, each.id) for each in report.findings)


def test_healthy_wallets_have_no_findings(past: World) -> None:
    past.assert_sound("alice", "bob")
    report = examine(past.path("alice"))
    assert report.findings == report.warnings == ()
    assert set(report.checked) == set(Invariant)


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.name)
def test_a_breach_is_found_and_nothing_else(alice: Path, breach: Breach) -> None:
    change(alice, breach.sql)
    report = examine(alice)
    assert found(report) == breach.findings
    assert sum(report.found.values()) == len(breach.findings)
    assert all("{" not in each.text for each in report.findings)


def test_every_reference_is_followed(alice: Path) -> None:
    date = f"'{NOW}', '{NOW}'"
    change(
        alice,
        f"""INSERT INTO certificates VALUES ({date}, 1, 99, 's', 't', 'c', 'u', NULL, 'r', 's', 0);
            INSERT INTO certificate_fields VALUES ({date}, 99, 99, 'f', 'v', '');
            INSERT INTO commissions VALUES ({date}, 1, 99, 99, 1, 'k', 0, x'51');
            INSERT INTO sync_states (created_at, updated_at, userId, storageName, refNum, syncMap)
            VALUES ({date}, 99, 'n', 'r', '{{}}');
            INSERT INTO bwt_suspects VALUES (99, '{STRANGE}', 1, 0, '{NOW}');
            INSERT INTO bwt_requests VALUES (99, 'app', 'key', x'00', 99, '{{}}', '{NOW}');
            INSERT INTO bwt_notes (transactionId, "when", what, details) VALUES (99, '{NOW}', 'x', '{{}}');
            INSERT INTO bwt_actions VALUES (99, 1, 1, 'app', NULL);
            UPDATE bwt_counters SET userId = 99;
            UPDATE bwt_jobs SET provenTxReqId = 99 WHERE provenTxReqId = (SELECT max(provenTxReqId) FROM bwt_jobs);
            UPDATE bwt_holds SET outputId = 99, transactionId = 99;
            UPDATE output_baskets SET userId = 99 WHERE name = 'tokens';
            UPDATE output_tags SET userId = 99;
            UPDATE tx_labels SET userId = 99;
            UPDATE output_tags_map SET outputId = 99, outputTagId = 99;
            UPDATE tx_labels_map SET transactionId = 99, txLabelId = 99;
            UPDATE proven_tx_reqs SET provenTxId = 99 WHERE provenTxReqId = 1;
            UPDATE transactions SET userId = 99, provenTxId = 99 WHERE transactionId = 2;
            UPDATE outputs SET userId = 99, basketId = 99, transactionId = 99, spentBy = 99 WHERE outputId = 1""",
    )
    said = {(each.entity, each.text) for each in examine(alice).findings}
    expected = {
        (table.name, f"{column.name} 99 refers to no row of {key.column.table.name}")
        for table in PEER_TABLES
        for column in table.columns
        for key in column.foreign_keys
    } | {
        ("bwt_counters", "userId 99 refers to no row of users"),
        ("bwt_requests", "userId 99 refers to no row of users"),
        ("bwt_requests", "transactionId 99 refers to no row of transactions"),
        ("bwt_actions", "transactionId 99 refers to no row of transactions"),
        ("bwt_jobs", "provenTxReqId 99 refers to no row of proven_tx_reqs"),
        ("bwt_holds", "outputId 99 refers to no row of outputs"),
        ("bwt_holds", "transactionId 99 refers to no row of transactions"),
        ("bwt_suspects", "provenTxId 99 refers to no row of proven_txs"),
        ("bwt_notes", "transactionId 99 refers to no row of transactions"),
    }
    assert expected <= said


def test_what_was_seen_spent_may_be_written_off(alice: Path) -> None:
    change(
        alice,
        f"""UPDATE outputs SET spendable = 0 WHERE outputId = {COIN};
            INSERT INTO bwt_evidence (txid, vout, kind, source, "when", details)
            SELECT txid, vout, 'spent', 'isUtxo', '{NOW}', '{{}}' FROM outputs WHERE outputId = {COIN}""",
    )
    assert examine(alice).is_healthy


def store_action(path: Path, raw_tx: bytes, status: str = "nosend") -> str:
    """A transaction of somebody else that the wallet looks after."""
    txid = txid_of(raw_tx)
    change(
        path,
        f"""INSERT INTO proven_tx_reqs (created_at, updated_at, status, txid, rawTx)
            VALUES ('{NOW}', '{NOW}', 'nosend', '{txid}', x'{raw_tx.hex()}');
            INSERT INTO transactions (created_at, updated_at, userId, status, reference, isOutgoing, txid)
            VALUES ('{NOW}', '{NOW}', 1, '{status}', '{txid}', 0, '{txid}')""",
    )
    return txid


def spending(vout: int, satoshis: int) -> bytes:
    return build_transaction([InputSpec(STRANGE, 7), InputSpec(STRANGE, vout)], [OutputSpec(satoshis, b"\x51")])


def test_two_living_transactions_with_an_input_in_common_are_found_by_their_bytes(alice: Path) -> None:
    first, second = (store_action(alice, spending(vout, 1)) for vout in (1, 2))
    report = examine(alice)
    assert [(each.invariant, each.entity) for each in report.findings] == [(Invariant.I2, "transactions")]
    assert f"{STRANGE}.7" in report.findings[0].text
    assert first in report.findings[0].text
    assert second in report.findings[0].text


def test_a_failed_transaction_may_have_spent_the_same(alice: Path) -> None:
    store_action(alice, spending(1, 1))
    failed = store_action(alice, spending(2, 1), "failed")
    change(
        alice,
        f"""INSERT INTO bwt_evidence (txid, kind, source, "when", details)
            VALUES ('{failed}', 'rejected', 'x', '{NOW}', '{{}}')""",
    )
    assert examine(alice).is_healthy


def test_proofs_are_compared_with_headers_when_there_are_some(past: World, alice: Path) -> None:
    tip = past.chain.tip
    assert tip is not None

    def root(height: int) -> str | None:
        header = past.chain.header_at(height)
        return None if header is None else header.merkle_root

    assert examine(alice, root).is_healthy
    rewritten = examine(alice, lambda height: STRANGE if height == tip.height else root(height))
    assert found(rewritten) == [("I4", "proven_txs", "2")]
    shorter = examine(alice, lambda height: None if height == tip.height else root(height))
    assert found(shorter) == [("I4", "proven_txs", "2")]
    assert examine(alice).is_healthy


def test_a_doubted_proof_is_a_warning(alice: Path) -> None:
    change(alice, f"INSERT INTO bwt_suspects VALUES (2, '{STRANGE}', 102, 0, '{NOW}')")
    report = examine(alice, lambda _height: None)
    assert found(report) == [("I4", "proven_txs", "1")]
    assert [(each.invariant, each.entity, each.id) for each in report.warnings] == [(Invariant.I4, "proven_txs", "2")]


def test_an_index_that_disagrees_with_its_table_is_found(alice: Path) -> None:
    change(
        alice,
        """PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(sql, '(txid)', '(height)') WHERE name = 'proven_txs_txid_unique'""",
    )
    assert ("structure", "file", "") in found(examine(alice))


def test_many_findings_are_counted_and_some_kept() -> None:
    log = FindingLog()
    for number in range(MAX_FINDINGS + 5):
        log.find(Invariant.I3, "outputs", number, "spendable and spent")
    report = log.report(headers=False)
    assert len(report.findings) == MAX_FINDINGS
    assert report.found == {Invariant.I3: MAX_FINDINGS + 5}
    assert not report.is_healthy


@given(st.lists(st.tuples(st.sampled_from(Invariant), st.text(max_size=5)), max_size=20))
def test_findings_come_in_the_order_of_the_invariants(findings: list[tuple[Invariant, str]]) -> None:
    log = FindingLog()
    for invariant, text in findings:
        log.find(invariant, "outputs", "1", text)
    kept = log.report(headers=True).findings
    order = list(Invariant)
    assert sorted(kept, key=lambda each: order.index(each.invariant)) == list(kept)
    assert {(each.invariant, each.text) for each in kept} == set(findings)
    assert all(isinstance(each, Finding) for each in kept)
