"""listActions in storage (BRC-100): which actions, how many, and what is shown of each.

What the labels ask to be done to the listed actions is done by ``provider.action_review``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bsv_wallet_toolbox.brc100.actions import ValidListActions
from bsv_wallet_toolbox.brc100.originator import FAILED_ACTIONS_ID, NO_SEND_ACTIONS_ID
from bsv_wallet_toolbox.brc100.types_actions import (
    ListActionsResult,
    WalletAction,
    WalletActionInput,
    WalletActionOutput,
)
from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.storage.listing.action_time import ActionTime, split_action_time
from bsv_wallet_toolbox.storage.listing.names import label_ids, labels_of, tags_of
from bsv_wallet_toolbox.storage.listing.scripts import locking_scripts, raw_transactions
from bsv_wallet_toolbox.storage.statements import listing as statements
from bsv_wallet_toolbox.storage.statements.parents import is_listed_parent
from bsv_wallet_toolbox.storage.timestamps import from_iso
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.tx import parse_transaction

__all__ = [
    "ActionChange",
    "ActionPage",
    "ListedAction",
    "ListedActionInput",
    "ListedActionOutput",
    "changes_asked_for",
    "list_actions",
]

_SHOWN = frozenset(TransactionStatus) - {TransactionStatus.FAILED, TransactionStatus.UNFAIL}


class ActionChange(StrEnum):
    """What is asked to be done to the actions of a page, by a label beside a magic one."""

    ABORT = "abort"
    UNFAIL = "unfail"


_MAGIC = {
    NO_SEND_ACTIONS_ID: (TransactionStatus.NOSEND, ActionChange.ABORT),
    FAILED_ACTIONS_ID: (TransactionStatus.FAILED, ActionChange.UNFAIL),
}
"""By magic label: the status it selects, and the label beside it that asks for a change."""


@dataclass(frozen=True, slots=True)
class ListedActionInput:
    """An output of the wallet that the action spends. ``sequence`` is 0 while the raw transaction is not known."""

    source_txid: str
    source_vout: int
    source_satoshis: int
    description: str
    sequence: int
    source_locking_script: bytes | None
    unlocking_script: bytes | None

    def to_result(self) -> WalletActionInput:
        result: WalletActionInput = {
            "sourceOutpoint": f"{self.source_txid}.{self.source_vout}",
            "sourceSatoshis": self.source_satoshis,
            "inputDescription": self.description,
            "sequenceNumber": self.sequence,
        }
        if self.source_locking_script is not None:
            result["sourceLockingScript"] = self.source_locking_script.hex()
        if self.unlocking_script is not None:
            result["unlockingScript"] = self.unlocking_script.hex()
        return result


@dataclass(frozen=True, slots=True)
class ListedActionOutput:
    """An output of the action that the wallet tracks. ``basket`` is "" for one in no basket.

    ``is_spendable`` is false while the action itself is in no state to be built on, as listOutputs has it.
    """

    vout: int
    satoshis: int
    is_spendable: bool
    description: str
    basket: str
    tags: tuple[str, ...]
    locking_script: bytes | None

    def to_result(self) -> WalletActionOutput:
        result: WalletActionOutput = {
            "outputIndex": self.vout,
            "satoshis": self.satoshis,
            "spendable": self.is_spendable,
            "tags": list(self.tags),
            "outputDescription": self.description,
            "basket": self.basket,
        }
        if self.locking_script is not None:
            result["lockingScript"] = self.locking_script.hex()
        return result


@dataclass(frozen=True, slots=True)
class ListedAction:
    """``txid`` is "" until the action is signed; labels, inputs and outputs are None unless they were asked for."""

    txid: str
    satoshis: int
    status: TransactionStatus
    is_outgoing: bool
    description: str
    version: int
    lock_time: int
    labels: tuple[str, ...] | None
    inputs: tuple[ListedActionInput, ...] | None
    outputs: tuple[ListedActionOutput, ...] | None
    reference: str
    """The handle by which the wallet finds it; not shown."""

    def to_result(self) -> WalletAction:
        result: WalletAction = {
            "txid": self.txid,
            "satoshis": self.satoshis,
            "status": self.status.value,
            "isOutgoing": self.is_outgoing,
            "description": self.description,
            "version": self.version,
            "lockTime": self.lock_time,
        }
        if self.labels is not None:
            result["labels"] = list(self.labels)
        if self.inputs is not None:
            result["inputs"] = [each.to_result() for each in self.inputs]
        if self.outputs is not None:
            result["outputs"] = [each.to_result() for each in self.outputs]
        return result


@dataclass(frozen=True, slots=True)
class ActionPage:
    """``total`` counts all matches, wherever the page lies."""

    total: int
    actions: tuple[ListedAction, ...] = ()

    def to_result(self) -> ListActionsResult:
        return {"totalActions": self.total, "actions": [action.to_result() for action in self.actions]}


@dataclass(frozen=True, slots=True)
class _Query:
    """What the labels ask for: actions in these statuses, created in this time, with these labels."""

    statuses: frozenset[TransactionStatus]
    time: ActionTime | None
    labels: tuple[str, ...]


def list_actions(tx: Transaction, scope: UserScope, args: ValidListActions) -> ActionPage:
    """A page of the user's actions, oldest first. Writes nothing.

    Failed actions are shown only to who asks for them by their magic label. WERR_INVALID_PARAMETER for malformed time
    labels (BRC-114).
    """
    query = _query(args.labels)
    ids = label_ids(tx, scope, query.labels, args.label_query_mode)
    if ids is None:
        return ActionPage(0)
    kind = _statements(ids, args)
    where: dict[str, Any] = {"user_id": scope.user_id, "statuses": sorted(query.statuses)}
    if ids:
        where |= {"name_ids": ids, "name_id": ids[0], "name_count": len(ids)}
    page, total = kind.page, kind.total
    if query.time is not None:
        where |= query.time.parameters()
        page, total = kind.page_in_time, kind.total_in_time
    count = int(tx.scalar(total, **where))
    rows = tx.rows(page, count=args.limit, skip=args.offset, **where) if args.offset < count else []
    return ActionPage(count, _listed(tx, scope, args, rows, show_time=query.time is not None))


def changes_asked_for(labels: Collection[str]) -> frozenset[ActionChange]:
    """What ``labels`` ask to be done; without its magic label ``abort`` or ``unfail`` is a label like any other."""
    return frozenset(change for magic, (_, change) in _MAGIC.items() if magic in labels and change in labels)


def _query(labels: tuple[str, ...]) -> _Query:
    time, others = split_action_time(labels)
    statuses = frozenset(status for magic, (status, _) in _MAGIC.items() if magic in others)
    changes = changes_asked_for(others)
    ordinary = tuple(label for label in others if label not in _MAGIC and label not in changes)
    return _Query(statuses or _SHOWN, time, ordinary)


def _statements(ids: list[int], args: ValidListActions) -> statements.ActionStatements:
    if not ids:
        return statements.EVERY_ACTION
    if len(ids) == 1:
        return statements.WITH_LABEL
    return statements.WITH_ALL_LABELS if args.label_query_mode == "all" else statements.WITH_ANY_LABEL


def _listed(
    tx: Transaction, scope: UserScope, args: ValidListActions, rows: list[Row], *, show_time: bool
) -> tuple[ListedAction, ...]:
    ids = [row[0] for row in rows]
    labels = labels_of(tx, scope, ids) if args.include_labels else None
    inputs = _inputs(tx, scope, args, {row[0]: row[1] for row in rows}) if args.include_inputs else None
    listed = {row[0]: is_listed_parent(row[3], bool(row[4])) for row in rows}
    outputs = _outputs(tx, scope, args, listed) if args.include_outputs else None
    actions = []
    for id_, txid, satoshis, status, is_outgoing, description, version, lock_time, created_at, reference in rows:
        names = None
        if labels is not None:
            names = labels.get(id_, ())
            if show_time:
                names = tuple(dict.fromkeys((*names, f"action time {from_iso(created_at)}")))
        actions.append(
            ListedAction(
                txid=txid or "",
                satoshis=satoshis or 0,
                status=TransactionStatus(status),
                is_outgoing=bool(is_outgoing),
                description=description or "",
                version=version or 0,
                lock_time=lock_time or 0,
                labels=names,
                inputs=None if inputs is None else tuple(inputs.get(id_, ())),
                outputs=None if outputs is None else tuple(outputs.get(id_, ())),
                reference=reference,
            )
        )
    return tuple(actions)


def _outputs(
    tx: Transaction, scope: UserScope, args: ValidListActions, listed: Mapping[int, bool]
) -> dict[int, list[ListedActionOutput]]:
    """Outputs by transaction id, in the order in which they were stored; ``listed``: whether listOutputs has them."""
    rows = tx.rows(statements.ACTION_OUTPUTS, ids=list(listed), user_id=scope.user_id) if listed else []
    output_ids = [row[1] for row in rows]
    tags = tags_of(tx, scope, output_ids)
    scripts: Mapping[int, bytes] = locking_scripts(tx, output_ids) if args.include_output_locking_scripts else {}
    outputs: dict[int, list[ListedActionOutput]] = {}
    for transaction_id, output_id, vout, satoshis, spendable, description, basket in rows:
        outputs.setdefault(transaction_id, []).append(
            ListedActionOutput(
                vout=vout,
                satoshis=satoshis,
                is_spendable=bool(spendable) and listed[transaction_id],
                description=description or "",
                basket=basket or "",
                tags=tags.get(output_id, ()),
                locking_script=scripts.get(output_id),
            )
        )
    return outputs


def _inputs(
    tx: Transaction, scope: UserScope, args: ValidListActions, txids: Mapping[int, str | None]
) -> dict[int, list[ListedActionInput]]:
    """Own inputs by transaction id; what others put in is not known to storage and never shown."""
    rows = tx.rows(statements.ACTION_INPUTS, ids=list(txids), user_id=scope.user_id) if txids else []
    signed = _signed_inputs(tx, {txid for row in rows if (txid := txids[row[0]]) is not None})
    scripts: Mapping[int, bytes] = {}
    if args.include_input_source_locking_scripts:
        scripts = locking_scripts(tx, [row[1] for row in rows])
    inputs: dict[int, list[ListedActionInput]] = {}
    for transaction_id, output_id, source_txid, source_vout, satoshis, description in rows:
        sequence, unlocking_script = signed.get((txids[transaction_id], source_txid, source_vout), (0, None))
        inputs.setdefault(transaction_id, []).append(
            ListedActionInput(
                source_txid=source_txid or "",
                source_vout=source_vout,
                source_satoshis=satoshis,
                description=description or "",
                sequence=sequence,
                source_locking_script=scripts.get(output_id),
                unlocking_script=unlocking_script if args.include_input_unlocking_scripts else None,
            )
        )
    return inputs


def _signed_inputs(
    tx: Transaction, txids: set[str]
) -> dict[tuple[str | None, str | None, int], tuple[int, bytes | None]]:
    """Sequence number and unlocking script by (txid, source txid, source vout), of the transactions known here."""
    return {
        (txid, each.txid, each.vout): (each.sequence, each.unlocking_script)
        for txid, raw_tx in raw_transactions(tx, txids)
        for each in parse_transaction(raw_tx).inputs
    }
