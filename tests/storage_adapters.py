"""Storages that stand between a wallet and a real one: a remote one's two commits, and a hostile one."""

from __future__ import annotations

from collections.abc import Callable

from bsv_wallet_toolbox.brc100.actions import ValidInternalizeAction, ValidListActions
from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.brc100.outputs import ValidListOutputs
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.storage import (
    ActionProposal,
    CreatedAction,
    InternalizeResult,
    ProcessActionArgs,
    ResultPage,
    SignAction,
)
from bsv_wallet_toolbox.provider.user_storage import UserStorage
from bsv_wallet_toolbox.transactions.tx import TransactionView


class Delegate:
    """A WalletStorage that passes everything on."""

    def __init__(self, real: UserStorage) -> None:
        self.real = real

    @property
    def identity_key(self) -> str:
        return self.real.identity_key

    async def create_signed_action(
        self,
        args: ValidCreateAction,
        sign: SignAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedAction:
        return await self.real.create_signed_action(args, sign, originator, idempotency_key)

    async def internalized_before(
        self, args: ValidInternalizeAction, originator: str | None, idempotency_key: str
    ) -> InternalizeResult | None:
        return await self.real.internalized_before(args, originator, idempotency_key)

    async def verify_incoming(self, raw: bytes) -> Incoming:
        return await self.real.verify_incoming(raw)

    async def internalize_action(
        self,
        args: ValidInternalizeAction,
        incoming: Incoming,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> InternalizeResult:
        return await self.real.internalize_action(args, incoming, originator, idempotency_key)

    async def list_outputs(self, args: ValidListOutputs) -> ResultPage:
        return await self.real.list_outputs(args)

    async def list_actions(self, args: ValidListActions) -> ResultPage:
        return await self.real.list_actions(args)

    async def balance(self) -> int:
        return await self.real.balance()


class TwoCommits(Delegate):
    """Creates, signs outside and processes, as a wallet does whose storage is far away."""

    async def create_signed_action(
        self,
        args: ValidCreateAction,
        sign: SignAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedAction:
        proposal = await self.real.create_action(args, originator)
        signed = sign(proposal)
        processed = await self.real.process_action(
            ProcessActionArgs(proposal.reference, signed.txid, signed.raw, args.is_delayed)
        )
        return CreatedAction(signed.txid, signed, proposal.input_beef, processed)


class Hostile(Delegate):
    """Shows the wallet another proposal than the honest one, and keeps what the wallet signs."""

    def __init__(self, real: UserStorage, tamper: Callable[[ActionProposal], ActionProposal]) -> None:
        super().__init__(real)
        self.signed: list[TransactionView] = []
        self._tamper = tamper

    async def create_signed_action(
        self,
        args: ValidCreateAction,
        sign: SignAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedAction:
        def sign_another(proposal: ActionProposal) -> TransactionView:
            signed = sign(self._tamper(proposal))
            self.signed.append(signed)
            return signed

        return await self.real.create_signed_action(args, sign_another, originator, idempotency_key)
