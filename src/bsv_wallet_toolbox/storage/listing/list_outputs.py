"""listOutputs in storage (BRC-100), and the balances that are asked for through it (BRC-112).

The two baskets that stand for maintenance are no listings and never come here: see ``provider.change_review``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bsv_wallet_toolbox.brc100.originator import (
    BALANCE_ID,
    BALANCE_PREFIX,
    CHANGE_BASKET,
)
from bsv_wallet_toolbox.brc100.outputs import ValidListOutputs
from bsv_wallet_toolbox.brc100.types_actions import ListOutputsResult, WalletOutput
from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.storage.ancestry import AncestryCache, beef_of, name_known
from bsv_wallet_toolbox.storage.listing.balance import balance_of_basket
from bsv_wallet_toolbox.storage.listing.names import labels_of, tags_of
from bsv_wallet_toolbox.storage.listing.scripts import locking_scripts
from bsv_wallet_toolbox.storage.listing.selection import OutputSelection, select_outputs
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.beef import Beef

__all__ = ["ListedOutput", "OutputPage", "list_outputs", "page_of_outputs"]


@dataclass(frozen=True, slots=True)
class ListedOutput:
    """An output; None where something was not asked for or, with scripts and instructions, is not there."""

    txid: str
    vout: int
    satoshis: int
    locking_script: bytes | None
    custom_instructions: str | None
    tags: tuple[str, ...] | None
    labels: tuple[str, ...] | None
    is_spendable: bool = True

    @property
    def outpoint(self) -> str:
        return f"{self.txid}.{self.vout}"

    def to_result(self) -> WalletOutput:
        result: WalletOutput = {
            "satoshis": self.satoshis,
            "spendable": self.is_spendable,
            "outpoint": self.outpoint,
        }
        if self.custom_instructions:
            result["customInstructions"] = self.custom_instructions
        if self.labels is not None:
            result["labels"] = list(self.labels)
        if self.tags is not None:
            result["tags"] = list(self.tags)
        if self.locking_script is not None:
            result["lockingScript"] = self.locking_script.hex()
        return result


@dataclass(frozen=True, slots=True)
class OutputPage:
    """``total`` counts all matches, wherever the page lies; of a balance it is the satoshis, and nothing is listed."""

    total: int
    outputs: tuple[ListedOutput, ...] = ()
    beef: Beef | None = None

    def to_result(self) -> ListOutputsResult:
        """The BRC-100 object; ``BEEF`` are bytes, absent when not asked for or nothing is listed."""
        result: ListOutputsResult = {
            "totalOutputs": self.total,
            "outputs": [output.to_result() for output in self.outputs],
        }
        if self.beef is not None:
            result["BEEF"] = self.beef.to_bytes()
        return result


def list_outputs(tx: Transaction, scope: UserScope, args: ValidListOutputs, cache: AncestryCache) -> OutputPage:
    """A page of the user's spendable outputs in a basket. Writes nothing.

    Who may ask for reserved baskets was decided when the arguments were validated. WERR_INVALID_PARAMETER when
    ``include`` asks for transactions that cannot be proven within the limits of a BEEF.
    """
    summed = _summed_basket(args)
    if summed is not None:
        tags = [tag for tag in args.tags if tag != BALANCE_ID]
        return OutputPage(balance_of_basket(tx, scope, summed, tags, args.tag_query_mode))
    selection = select_outputs(tx, scope, args.basket, args.tags, args.tag_query_mode)
    if selection is None:
        return OutputPage(0)
    total = int(tx.scalar(selection.statements.total, **selection.where))
    return page_of_outputs(tx, scope, args, total, _page(tx, selection, args, total), cache)


def page_of_outputs(
    tx: Transaction,
    scope: UserScope,
    args: ValidListOutputs,
    total: int,
    rows: Sequence[Row],
    cache: AncestryCache,
) -> OutputPage:
    """The page that shows ``rows`` (of a page statement of ``statements.listing``) with what ``args`` include."""
    beef = None
    if args.include_transactions and rows:
        txids = dict.fromkeys(row[2] for row in rows)
        beef = beef_of(tx, txids, cache)
        name_known(beef, args.known_txids, txids)
    return OutputPage(total, _listed(tx, scope, args, rows), beef)


def _summed_basket(args: ValidListOutputs) -> str | None:
    """The basket whose balance is asked for, in any of the three ways; None for an ordinary listing."""
    if args.basket == BALANCE_ID:
        return CHANGE_BASKET
    if args.basket.startswith(BALANCE_PREFIX):
        return args.basket.removeprefix(BALANCE_PREFIX)
    return args.basket if BALANCE_ID in args.tags else None


def _page(tx: Transaction, selection: OutputSelection, args: ValidListOutputs, total: int) -> list[Row]:
    newest_first = args.offset < 0
    skip = -args.offset - 1 if newest_first else args.offset
    if skip >= total:
        return []
    statements = selection.statements
    statement = statements.newest_first if newest_first else statements.oldest_first
    return tx.rows(statement, count=args.limit, skip=skip, **selection.where)


def _listed(tx: Transaction, scope: UserScope, args: ValidListOutputs, rows: Sequence[Row]) -> tuple[ListedOutput, ...]:
    output_ids = [row[0] for row in rows]
    scripts: Mapping[int, bytes] = locking_scripts(tx, output_ids) if args.include_locking_scripts else {}
    tags = tags_of(tx, scope, output_ids) if args.include_tags else None
    labels = labels_of(tx, scope, {row[1] for row in rows}) if args.include_labels else None
    return tuple(
        [
            ListedOutput(
                txid=txid,
                vout=vout,
                satoshis=satoshis,
                locking_script=scripts.get(output_id),
                custom_instructions=custom_instructions if args.include_custom_instructions else None,
                tags=None if tags is None else tags.get(output_id, ()),
                labels=None if labels is None else labels.get(transaction_id, ()),
            )
            for output_id, transaction_id, txid, vout, satoshis, custom_instructions in rows
        ]
    )
