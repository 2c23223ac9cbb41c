"""Transactions of a user and their outputs, labels and tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, bindparam, delete, insert, or_, select, update

from bsv_wallet_toolbox.database.statements import Statement, unindexed, values_of
from bsv_wallet_toolbox.storage.schema import BWT, metadata
from bsv_wallet_toolbox.storage.timestamps import touched

_t = metadata.tables["transactions"]
_o = metadata.tables["outputs"]

INSERT_TRANSACTION = Statement(
    insert(_t).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        userId=bindparam("user_id"),
        provenTxId=bindparam("proven_tx_id"),
        status=bindparam("status"),
        reference=bindparam("reference"),
        isOutgoing=bindparam("is_outgoing"),
        satoshis=bindparam("satoshis"),
        version=bindparam("version"),
        lockTime=bindparam("lock_time"),
        description=bindparam("description"),
        txid=bindparam("txid"),
        inputBEEF=bindparam("input_beef"),
    ),
    "insert transaction",
)

INSERT_ACTION = Statement(
    insert(BWT.actions).values(
        transactionId=bindparam("transaction_id"),
        feeSatoshis=bindparam("fee"),
        feeRate=bindparam("fee_rate"),
        originator=bindparam("originator"),
        abandonAt=bindparam("abandon_at"),
    ),
    "insert action",
)

_c = metadata.tables["commissions"]

INSERT_COMMISSION = Statement(
    insert(_c).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        userId=bindparam("user_id"),
        transactionId=bindparam("transaction_id"),
        satoshis=bindparam("satoshis"),
        keyOffset=bindparam("key_offset"),
        isRedeemed=0,
        lockingScript=bindparam("locking_script"),
    ),
    "insert commission",
)

INSERT_PENDING = Statement(
    insert(BWT.pending).values(
        transactionId=bindparam("transaction_id"),
        prepared=bindparam("prepared"),
    ),
    "insert pending action",
)

FIND_PENDING = Statement(
    select(BWT.pending.c.prepared).where(BWT.pending.c.transactionId == bindparam("transaction_id")),
    "find pending action",
)

DELETE_PENDING = Statement(
    delete(BWT.pending).where(BWT.pending.c.transactionId == bindparam("transaction_id")), "delete pending action"
)

FIND_ORIGINATOR = Statement(
    select(BWT.actions.c.originator).where(BWT.actions.c.transactionId == bindparam("transaction_id")),
    "find originator of action",
)

_TRANSACTION = (_t.c.transactionId, _t.c.userId, _t.c.status, _t.c.txid, _t.c.reference, _t.c.satoshis, _t.c.isOutgoing)

FIND_BY_REFERENCE = Statement(
    select(*_TRANSACTION, _t.c.inputBEEF, _t.c.lockTime, _t.c.version).where(
        _t.c.userId == bindparam("user_id"), _t.c.reference == bindparam("reference")
    ),
    "find transaction by reference",
)

FIND_BY_TXID = Statement(
    select(*_TRANSACTION).where(unindexed(_t.c.userId) == bindparam("user_id"), _t.c.txid == bindparam("txid")),
    "find transaction by txid",
)

FIND_BY_ID = Statement(
    select(*_TRANSACTION).where(_t.c.transactionId == bindparam("transaction_id")), "find transaction by id"
)

FIND_ALL_OF_TXID = Statement(
    select(*_TRANSACTION).where(_t.c.txid == bindparam("txid")).order_by(_t.c.transactionId),
    "find transactions of txid",
)

SET_COMPLETED = Statement(
    update(_t)
    .where(_t.c.transactionId == bindparam("transaction_id"), _t.c.status == bindparam("old"))
    .values(status=bindparam("new"), provenTxId=bindparam("proven_tx_id"), updated_at=touched(_t)),
    "set transaction completed",
)

SET_SIGNED = Statement(
    update(_t)
    .where(_t.c.transactionId == bindparam("transaction_id"), _t.c.status == bindparam("old"))
    .values(
        status=bindparam("new"),
        txid=bindparam("signed_txid"),
        rawTx=None,
        updated_at=touched(_t),
    ),
    "set transaction signed",
)

SET_PROCESSED = Statement(
    update(_t).where(_t.c.transactionId == bindparam("transaction_id")).values(inputBEEF=None, updated_at=touched(_t)),
    "set transaction processed",
)
"""``inputBEEF`` is what processAction asks for, so it comes only once."""

ADD_SATOSHIS = Statement(
    update(_t)
    .where(_t.c.transactionId == bindparam("transaction_id"))
    .values(
        satoshis=_t.c.satoshis + bindparam("gained"),
        description=bindparam("new_description"),
        updated_at=touched(_t),
    ),
    "add satoshis and describe",
)

TAKE_SATOSHIS = Statement(
    update(_t)
    .where(_t.c.transactionId == bindparam("transaction_id"))
    .values(satoshis=_t.c.satoshis - bindparam("lost"), updated_at=touched(_t)),
    "take satoshis",
)

ABANDONED = Statement(
    select(_t.c.transactionId)
    .select_from(_t)
    .outerjoin(BWT.actions, BWT.actions.c.transactionId == _t.c.transactionId)
    .where(
        _t.c.status.in_(values_of("statuses")),
        unindexed(_t.c.txid).is_(None),  # the index would lead to all that ever failed without a signature
        or_(BWT.actions.c.abandonAt < bindparam("now"), BWT.actions.c.abandonAt > bindparam("latest")),
        _t.c.transactionId > bindparam("after"),
    )
    .order_by(_t.c.transactionId)
    .limit(bindparam("count")),
    "abandoned transactions",
)
"""``latest``: what is to live longer than anything may was made under a clock that was ahead."""

INSERT_OUTPUT = Statement(
    insert(_o).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        userId=bindparam("user_id"),
        transactionId=bindparam("transaction_id"),
        basketId=bindparam("basket_id"),
        spendable=bindparam("spendable"),
        change=bindparam("change"),
        vout=bindparam("vout"),
        satoshis=bindparam("satoshis"),
        providedBy=bindparam("provided_by"),
        purpose=bindparam("purpose"),
        type=bindparam("type"),
        outputDescription=bindparam("output_description"),
        txid=bindparam("txid"),
        senderIdentityKey=bindparam("sender_identity_key"),
        derivationPrefix=bindparam("derivation_prefix"),
        derivationSuffix=bindparam("derivation_suffix"),
        customInstructions=bindparam("custom_instructions"),
        spentBy=bindparam("spent_by"),
        scriptLength=bindparam("script_length"),
        scriptOffset=bindparam("script_offset"),
        lockingScript=bindparam("locking_script"),
    ),
    "insert output",
)

OUTPUTS_OF = Statement(
    select(
        _o.c.outputId,
        _o.c.vout,
        _o.c.satoshis,
        _o.c.lockingScript,
        _o.c.purpose,
        _o.c.change,
        _o.c.basketId,
        _o.c.derivationSuffix,
        _o.c.providedBy,
        _o.c.spentBy,
    )
    .where(_o.c.transactionId == bindparam("transaction_id"), unindexed(_o.c.userId) == bindparam("user_id"))
    .order_by(_o.c.outputId),
    "outputs of transaction",
)

INPUTS_OF = Statement(
    select(_o.c.txid, _o.c.vout).where(
        _o.c.spentBy == bindparam("transaction_id"), unindexed(_o.c.userId) == bindparam("user_id")
    ),
    "inputs of transaction",
)

SET_OUTPUT_SIGNED = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"))
    .values(
        txid=bindparam("signed_txid"),
        spendable=bindparam("spendable"),
        scriptLength=bindparam("script_length"),
        scriptOffset=bindparam("script_offset"),
        lockingScript=bindparam("locking_script"),
        updated_at=touched(_o),
    ),
    "set output signed",
)

_role: dict[str, Any] = {
    "basketId": bindparam("basket_id"),
    "change": bindparam("change"),
    "type": bindparam("type"),
    "providedBy": bindparam("provided_by"),
    "purpose": bindparam("purpose"),
    "customInstructions": bindparam("custom_instructions"),
}
CONVERT_TO_CHANGE = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"))
    .values(
        **_role,
        senderIdentityKey=bindparam("sender_identity_key"),
        derivationPrefix=bindparam("derivation_prefix"),
        derivationSuffix=bindparam("derivation_suffix"),
        updated_at=touched(_o),
    ),
    "convert output to change",
)
CONVERT_TO_CUSTOM = Statement(
    update(_o).where(_o.c.outputId == bindparam("output_id")).values(**_role, updated_at=touched(_o)),
    "convert output to custom",
)
"""The derivation stays: it is the only way to the key of what was change."""


@dataclass(frozen=True, slots=True)
class NameStatements:
    """Names that a user gives: labels to transactions, tags to outputs.

    ``id`` is that of the name, ``of`` that of what is named; the map holds which name is given to what. Names and
    entries of the map are deleted by a mark, which ``revive`` and ``revive_map`` take away.
    """

    find: Statement
    insert: Statement
    revive: Statement
    find_maps: Statement
    """(id of the name, id of what is named, deleted) of many that are named."""
    insert_map: Statement
    revive_map: Statement
    shown: Statement
    """The names of many, deleted ones left out: for the rows of a listed page."""


def _name_statements(kind: str, of: Column[Any], names: Table, maps: Table) -> NameStatements:
    name, named = names.c[kind], maps.c[of.name]
    (name_id,) = names.primary_key
    map_id = maps.c[name_id.name]
    is_entry = and_(map_id == bindparam("id"), named == bindparam("of"))
    fresh = {"created_at": bindparam("now"), "updated_at": bindparam("now"), "isDeleted": 0}

    def revive(table: Table, which: ColumnElement[bool], what: str) -> Statement:
        return Statement(update(table).where(which).values(isDeleted=0, updated_at=touched(table)), f"revive {what}")

    return NameStatements(
        find=Statement(
            select(name, name_id, names.c.isDeleted).where(
                names.c.userId == bindparam("user_id"), name.in_(values_of("names"))
            ),
            f"find {kind}s",
        ),
        insert=Statement(
            insert(names).values({"userId": bindparam("user_id"), kind: bindparam("name"), **fresh}),
            f"insert {kind}",
        ),
        revive=revive(names, name_id == bindparam("id"), kind),
        find_maps=Statement(
            select(map_id, named, maps.c.isDeleted).where(named.in_(values_of("ofs"))), f"find {kind} maps"
        ),
        insert_map=Statement(
            insert(maps).values({name_id.name: bindparam("id"), of.name: bindparam("of"), **fresh}),
            f"insert {kind} map",
        ),
        revive_map=revive(maps, is_entry, f"{kind} map"),
        shown=Statement(
            select(named, name)
            .select_from(maps.join(names, name_id == map_id))
            .where(
                named.in_(values_of("ids")),
                maps.c.isDeleted == 0,
                unindexed(names.c.userId) == bindparam("user_id"),
                names.c.isDeleted == 0,
            ),
            f"{kind}s of {of.table.name}",
        ),
    )


LABELS = _name_statements("label", _t.c.transactionId, metadata.tables["tx_labels"], metadata.tables["tx_labels_map"])
TAGS = _name_statements("tag", _o.c.outputId, metadata.tables["output_tags"], metadata.tables["output_tags_map"])
