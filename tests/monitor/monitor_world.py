"""The world of the monitor's tests: services that remember what they were asked, and looks into the tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.interfaces.services import MerklePathAnswer, PostAnswer, TxNetworkStatus, TxStatusAnswer
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.mockchain import MockChain, MockServices
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.storage.reqs import find_req
from bsv_wallet_toolbox.storage.transactions import transactions_of
from wallet_world import NOWHERE, World, payment_to

TEN_MINUTES = 600_000
HOUR = 3_600_000


class RecordingServices(MockServices):
    """MockServices that remember what they were asked, act after a post, deny knowing the txids in ``lost``, and answer
    the BEEF in ``shown_for`` instead of a true one.
    """

    def __init__(self, mock: MockChain) -> None:
        super().__init__(mock)
        self.posted: list[str] = []
        self.asked: list[int] = []
        self.lost: set[str] = set()
        self.shown_for: dict[str, bytes] = {}
        self.after_post: Callable[[], Awaitable[None]] | None = None

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        answers = await super().post_beef(beef, txids)
        self.posted.extend(txids)
        if self.after_post is not None:
            await self.after_post()
        return answers

    async def get_status_for_txids(self, txids: Sequence[str]) -> TxStatusAnswer:
        self.asked.append(len(txids))
        answer = await super().get_status_for_txids(txids)
        if answer.statuses is None or not self.lost:
            return answer
        denied = dict.fromkeys(self.lost & set(txids), TxNetworkStatus.UNKNOWN)
        return replace(answer, statuses={**answer.statuses, **denied})

    async def get_beef_for_txid(self, txid: str) -> bytes:
        return self.shown_for.get(txid) or await super().get_beef_for_txid(txid)

    async def get_merkle_path(self, txid: str) -> MerklePathAnswer:
        answer = await super().get_merkle_path(txid)
        return MerklePathAnswer(answer.provider) if txid in self.lost else answer


class MonitorWorld(World):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.services: RecordingServices = RecordingServices(self.chain)

    async def pay_nowhere(self, wallet: OpenWallet, satoshis: int = 1000, *, delayed: bool = True) -> str:
        created = await wallet.create_action(payment_to(NOWHERE, satoshis, delayed=delayed))
        txid: str = created["txid"]
        return txid

    async def idle(self, wallet: OpenWallet, *, later: int = 0) -> None:
        """Let the clock go on by ``later`` and the monitor do what is due."""
        self.clock.advance(later)
        await wallet.monitor.run_until_idle()

    async def propose_unsigned(self, wallet: OpenWallet, satoshis: int = 100) -> str:
        """An action of a remote wallet that waits for its signature; its reference."""
        scope = await wallet.provider.find_user(wallet.identity_key)
        args = validate_create_action(payment_to(NOWHERE, satoshis))
        return (await wallet.provider.for_user(scope).create_action(args)).reference


async def raw_of(wallet: OpenWallet, txid: str) -> bytes:
    """The bytes of a transaction that the wallet signed."""
    [(raw_tx,)] = await query(wallet, f"SELECT rawTx FROM proven_tx_reqs WHERE txid = '{txid}'")
    assert isinstance(raw_tx, bytes)
    return raw_tx


async def query(wallet: OpenWallet, sql: str) -> list[tuple[Any, ...]]:
    return await wallet.provider.engine.read(lambda tx: tx.rows(Statement(text(sql), "test")))


async def change(wallet: OpenWallet, sql: str) -> int:
    return await wallet.provider.engine.write(lambda tx: tx.execute(Statement(text(sql), "test")))


async def status_of(wallet: OpenWallet, txid: str) -> tuple[TransactionStatus, ProvenTxReqStatus | None]:
    """Statuses of a transaction (of its only user here) and of its req."""

    def read(tx: Any) -> tuple[TransactionStatus, ProvenTxReqStatus | None]:
        req = find_req(tx, txid)
        return transactions_of(tx, txid)[0].status, req.status if req is not None else None

    return await wallet.provider.engine.read(read)


async def events(wallet: OpenWallet, name: str) -> list[str]:
    found = await NetworkWork(wallet.provider).events_since(0, 10_000)
    return [each.details for each in found if each.event == name]


SENDING = (TransactionStatus.SENDING, ProvenTxReqStatus.UNSENT)
UNPROVEN = (TransactionStatus.UNPROVEN, ProvenTxReqStatus.UNMINED)
COMPLETED = (TransactionStatus.COMPLETED, ProvenTxReqStatus.COMPLETED)
