"""A store in memory with two users, and actions written straight into its tables, for tests of the listings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import bindparam, text, update

from bsv_wallet_toolbox.brc100.actions import validate_list_actions
from bsv_wallet_toolbox.brc100.outputs import validate_list_outputs
from bsv_wallet_toolbox.database.sqlite_connection import MEMORY, SqliteConnection
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.statuses import ENDED
from bsv_wallet_toolbox.seams import ManualClock
from bsv_wallet_toolbox.storage.ancestry import AncestryCache
from bsv_wallet_toolbox.storage.listing.list_actions import ActionPage, list_actions
from bsv_wallet_toolbox.storage.listing.list_outputs import OutputPage, list_outputs
from bsv_wallet_toolbox.storage.migrations import MIGRATIONS
from bsv_wallet_toolbox.storage.names import label_transaction, tag_outputs
from bsv_wallet_toolbox.storage.schema import metadata
from bsv_wallet_toolbox.storage.statements import actions, coins, proofs, users
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import UserScope, find_or_insert_baskets
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import InputSpec, OutputSpec, build_transaction, parse_transaction

LOCK = bytes.fromhex("76a914" + "11" * 20 + "88ac")
LONG_LOCK = b"\x00\x6a" + bytes(range(250)) * 8
MAX_OUTPUT_SCRIPT = 1024

_o = metadata.tables["outputs"]
_DESCRIBE_SPENDING = Statement(
    update(_o).where(_o.c.outputId == bindparam("of")).values(spendingDescription=bindparam("words")), "describe"
)


def sql(words: str) -> Statement:
    return Statement(text(words), words)


@dataclass(frozen=True)
class Out:
    """An output to write; ``basket`` None is no basket."""

    satoshis: int
    basket: str | None = "pg"
    tags: tuple[str, ...] = ()
    lock: bytes = LOCK
    instructions: str | None = None
    change: bool = False
    spendable: bool = True
    description: str = "an output"


@dataclass(frozen=True)
class Stored:
    """A written action; ``raw`` are the signed bytes whether or not the store was given them."""

    transaction_id: int
    txid: str
    raw: bytes
    outputs: tuple[int, ...]


@dataclass
class World:
    tx: Transaction
    user: UserScope
    other: UserScope
    clock: ManualClock
    cache: AncestryCache = field(default_factory=AncestryCache)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def action(
        self,
        *outputs: Out,
        status: str = "completed",
        user: UserScope | None = None,
        labels: Sequence[str] = (),
        spends: Sequence[tuple[Stored, int]] = (),
        req: str | None = None,
        known: bool = True,
        foreign: bool = True,
        satoshis: int = 0,
        incoming: bool = False,
    ) -> Stored:
        """Write an action at the clock's time. ``spends``: own outputs (action, position); a foreign input comes first
        unless ``foreign`` is false.

        Completed ones are proven, others have a req in status ``req`` (``unmined``); with ``known`` false the store has
        no raw transaction. Unsigned ones have no txid, ended ones no spendable output.
        """
        number = next(self._numbers)
        owner = user or self.user
        inputs = [InputSpec(f"{number:064x}", 0, b"\x51", 7)] if foreign else []
        inputs += [InputSpec(source.txid, vout, b"\x52\x53", 9 + vout) for source, vout in spends]
        specs = [OutputSpec(out.satoshis, out.lock) for out in outputs] or [OutputSpec(1, LOCK)]
        raw = build_transaction(inputs, specs, version=2, lock_time=number)
        view = parse_transaction(raw)
        txid = None if status == "unsigned" else view.txid
        transaction_id = self.tx.insert(
            actions.INSERT_TRANSACTION,
            now=self.now,
            user_id=owner.user_id,
            proven_tx_id=None,
            status=status,
            reference=f"reference {number}",
            is_outgoing=int(not incoming),
            satoshis=satoshis,
            version=2,
            lock_time=number,
            description=f"action {number}",
            txid=txid,
            input_beef=None,
        )
        if known and txid is not None:
            self._keep(txid, raw, status, req)
        made = [replace(out, spendable=out.spendable and status not in ENDED) for out in outputs]
        ids = tuple(self._output(owner, transaction_id, txid, raw, vout, out) for vout, out in enumerate(made))
        tag_outputs(self.tx, owner, {id_: out.tags for id_, out in zip(ids, outputs, strict=True) if out.tags})
        label_transaction(self.tx, owner, transaction_id, labels)
        if spends:
            spent = [source.outputs[vout] for source, vout in spends]
            self.tx.execute(coins.CLAIM_COINS, ids=spent, transaction_id=transaction_id, now=self.now)
            for id_ in spent:
                self.tx.execute(_DESCRIBE_SPENDING, of=id_, words=f"spending {id_}")
        return Stored(transaction_id, view.txid, raw, ids)

    @property
    def now(self) -> str:
        return iso(self.clock.now())

    def _keep(self, txid: str, raw: bytes, status: str, req: str | None) -> None:
        if status == "completed":
            self.tx.insert(
                proofs.INSERT_PROVEN,
                now=self.now,
                txid=txid,
                height=100,
                index_in_block=1,
                merkle_path=MerklePath.build(100, ["00" * 32, txid], [txid]).raw,
                raw_tx=raw,
                block_hash="00" * 32,
                merkle_root="00" * 32,
            )
            return
        self.tx.insert(
            proofs.INSERT_REQ,
            now=self.now,
            proven_tx_id=None,
            status=req or "unmined",
            txid=txid,
            notify="{}",
            raw_tx=raw,
            input_beef=None,
            was_broadcast=1,
        )

    def _output(self, owner: UserScope, transaction_id: int, txid: str | None, raw: bytes, vout: int, out: Out) -> int:
        view = parse_transaction(raw).outputs[vout]
        baskets = find_or_insert_baskets(self.tx, owner, [] if out.basket is None else [out.basket])
        return self.tx.insert(
            actions.INSERT_OUTPUT,
            now=self.now,
            user_id=owner.user_id,
            transaction_id=transaction_id,
            basket_id=baskets.get(out.basket or ""),
            spendable=out.spendable,
            change=out.change,
            vout=vout,
            satoshis=out.satoshis,
            provided_by="storage" if out.change else "you",
            purpose="change" if out.change else "",
            type="P2PKH" if out.change else "custom",
            output_description=out.description,
            txid=txid,
            sender_identity_key=None,
            derivation_prefix="cHJlZml4" if out.change else None,
            derivation_suffix="c3VmZml4" if out.change else None,
            custom_instructions=out.instructions,
            spent_by=None,
            script_length=view.script_length,
            script_offset=view.script_offset,
            locking_script=None if view.script_length > MAX_OUTPUT_SCRIPT else view.locking_script,
        )

    def list_outputs(self, user: UserScope | None = None, **args: object) -> OutputPage:
        return list_outputs(self.tx, user or self.user, validate_list_outputs({"basket": "pg", **args}), self.cache)

    def list_actions(self, *labels: str, user: UserScope | None = None, **args: object) -> ActionPage:
        valid = validate_list_actions({"labels": list(labels), **args})
        return list_actions(self.tx, user or self.user, valid)


@contextmanager
def new_world(path: str = MEMORY) -> Iterator[World]:
    clock = ManualClock()
    connection = SqliteConnection(path, read_only=False, busy_timeout_ms=1000, synchronous="NORMAL", vfs=None)
    try:
        connection.run("BEGIN")
        tx = connection.operation(clock.now, read_only=False)
        for migration in MIGRATIONS:
            migration.apply(tx)
        yield World(tx, _new_user(tx, "02" * 33, clock), _new_user(tx, "03" * 33, clock), clock)
        connection.run("COMMIT")
    finally:
        connection.close()


def _new_user(tx: Transaction, identity_key: str, clock: ManualClock) -> UserScope:
    now = iso(clock.now())
    columns = {"created_at": now, "updated_at": now}
    user_id = tx.insert(users.INSERT_USER, identity_key=identity_key, active_storage="here", **columns)
    scope = UserScope(user_id, identity_key)
    find_or_insert_baskets(tx, scope, ["default"])
    return scope
