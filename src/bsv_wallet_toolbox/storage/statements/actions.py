"""Transactions of a user and their outputs, labels and tags."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, select, update

from bsv_wallet_toolbox.database.statements import Statement, unindexed, values_of
from bsv_wallet_toolbox.storage.schema import BWT, metadata
from bsv_wallet_toolbox.storage.timestamps import touched

_t = metadata.tables["transactions"]
_o = metadata.tables["outputs"]
_labels = metadata.tables["tx_labels"]
_labels_map = metadata.tables["tx_labels_map"]
_tags = metadata.tables["output_tags"]
_tags_map = metadata.tables["output_tags_map"]

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
        inputBEEF=None,
        rawTx=None,
        updated_at=touched(_t),
    ),
    "set transaction signed",
)

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
        _t.c.txid.is_(None),
        BWT.actions.c.abandonAt < bindparam("now"),
        _t.c.transactionId > bindparam("after"),
    )
    .order_by(_t.c.transactionId)
    .limit(bindparam("count")),
    "abandoned transactions",
)

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

CONVERT_OUTPUT = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"))
    .values(
        basketId=bindparam("basket_id"),
        change=bindparam("change"),
        type=bindparam("type"),
        providedBy=bindparam("provided_by"),
        purpose=bindparam("purpose"),
        senderIdentityKey=bindparam("sender_identity_key"),
        derivationPrefix=bindparam("derivation_prefix"),
        derivationSuffix=bindparam("derivation_suffix"),
        customInstructions=bindparam("custom_instructions"),
        updated_at=touched(_o),
    ),
    "convert output",
)

FIND_LABELS = Statement(
    select(_labels.c.label, _labels.c.txLabelId, _labels.c.isDeleted).where(
        _labels.c.userId == bindparam("user_id"), _labels.c.label.in_(values_of("names"))
    ),
    "find labels",
)

INSERT_LABEL = Statement(
    insert(_labels).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        userId=bindparam("user_id"),
        label=bindparam("name"),
        isDeleted=0,
    ),
    "insert label",
)

REVIVE_LABEL = Statement(
    update(_labels).where(_labels.c.txLabelId == bindparam("id")).values(isDeleted=0, updated_at=touched(_labels)),
    "revive label",
)

FIND_LABEL_MAP = Statement(
    select(_labels_map.c.isDeleted).where(
        _labels_map.c.txLabelId == bindparam("id"), _labels_map.c.transactionId == bindparam("of")
    ),
    "find label map",
)

INSERT_LABEL_MAP = Statement(
    insert(_labels_map).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        txLabelId=bindparam("id"),
        transactionId=bindparam("of"),
        isDeleted=0,
    ),
    "insert label map",
)

REVIVE_LABEL_MAP = Statement(
    update(_labels_map)
    .where(_labels_map.c.txLabelId == bindparam("id"), _labels_map.c.transactionId == bindparam("of"))
    .values(isDeleted=0, updated_at=touched(_labels_map)),
    "revive label map",
)

FIND_TAGS = Statement(
    select(_tags.c.tag, _tags.c.outputTagId, _tags.c.isDeleted).where(
        _tags.c.userId == bindparam("user_id"), _tags.c.tag.in_(values_of("names"))
    ),
    "find tags",
)

INSERT_TAG = Statement(
    insert(_tags).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        userId=bindparam("user_id"),
        tag=bindparam("name"),
        isDeleted=0,
    ),
    "insert tag",
)

REVIVE_TAG = Statement(
    update(_tags).where(_tags.c.outputTagId == bindparam("id")).values(isDeleted=0, updated_at=touched(_tags)),
    "revive tag",
)

FIND_TAG_MAP = Statement(
    select(_tags_map.c.isDeleted).where(
        _tags_map.c.outputTagId == bindparam("id"), _tags_map.c.outputId == bindparam("of")
    ),
    "find tag map",
)

INSERT_TAG_MAP = Statement(
    insert(_tags_map).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        outputTagId=bindparam("id"),
        outputId=bindparam("of"),
        isDeleted=0,
    ),
    "insert tag map",
)

REVIVE_TAG_MAP = Statement(
    update(_tags_map)
    .where(_tags_map.c.outputTagId == bindparam("id"), _tags_map.c.outputId == bindparam("of"))
    .values(isDeleted=0, updated_at=touched(_tags_map)),
    "revive tag map",
)
