"""Two wallets in files and everything that can be done with them, beside the model of what they must own.

Each method is one step. What it does is given by its arguments; nothing is drawn here.
"""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coin_model import CoinModel, Fate, Kind, Made, Unsigned, Wanted, subject_of

from bsv_wallet_toolbox.brc100.originator import FAILED_ACTIONS_ID, NO_SEND_ACTIONS_ID
from bsv_wallet_toolbox.errors import (
    WERR_BROADCAST_UNAVAILABLE,
    WERR_INSUFFICIENT_FUNDS,
    WERR_INVALID_MERKLE_ROOT,
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WERR_REVIEW_ACTIONS,
    WalletError,
)
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.monitor.monitor import Monitor, MonitorOptions
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.seams import SeededEntropy
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.tx import parse_transaction
from bsv_wallet_toolbox.wallet.signer import SigningLimits
from wallet_world import NOWHERE, World, key_of, remittance

NAMES = ("alice", "bob")
MINUTE = 60_000
DAY = 24 * 60 * MINUTE
TOKEN = bytes.fromhex("7551")
"""Drops what it is given, and is content."""
UNLOCK, NO_UNLOCK = {"unlockingScript": "00"}, {"unlockingScript": ""}
EVERYTHING = 2_099_999_999_999_999
FEE_SIGNED_FOR = SigningLimits().always_allowed_fee
_ONE_AT_A_TIME = replace(MonitorOptions.for_chain(Chain.MOCK), send_concurrency=1, proof_concurrency=1)
"""So that a fault that strikes once strikes the same transaction in every replay."""


@dataclass
class Payment:
    """What the payee needs to take a payment in."""

    payee: str
    txid: str
    vout: int
    remittance: dict[str, str]
    is_taken: bool = False


class Walk:
    def __init__(self, directory: Path) -> None:
        self.world = World(directory)
        self.model = CoinModel()
        self.wallets: dict[str, OpenWallet] = {}
        self.payments: list[Payment] = []
        self.is_calm = True
        """No fault, orphaned block or rival so far: every call must succeed and every balance be exact at once."""
        self._is_reorg_unseen = False
        """Proofs lead into orphaned blocks until the monitors have looked."""
        self._is_tracker_out = False
        self._fees_are_lies = False
        self._stacks: dict[str, AsyncExitStack] = {}
        self._monitors: dict[str, Monitor] = {}
        self._counted = 0

    # opening

    async def open(self, name: str) -> None:
        self._stacks[name] = AsyncExitStack()
        entropy = SeededEntropy(f"opening {self._count()}")
        wallet = await self._stacks[name].enter_async_context(self.world.wallet(name, entropy=entropy))
        self.wallets[name] = wallet
        self._monitors[name] = Monitor(wallet.provider, options=_ONE_AT_A_TIME)

    async def close(self, name: str) -> None:
        await self._stacks.pop(name).aclose()

    async def close_all(self) -> None:
        for name in list(self._stacks):
            await self.close(name)

    async def restart(self, name: str) -> None:
        await self.close(name)
        await self.open(name)

    # what the world does

    async def fund(self, name: str, satoshis: int, count: int) -> None:
        for method in ("is_valid_root_for_height", "current_height", "find_header_for_height", "find_tip"):
            self.world.services.faults.clear(method)
        txid = await self.world.fund(self.wallets[name], satoshis, count=count)
        row = self.world.chain.transaction_of(txid)
        assert row is not None
        self.model.funded(name, parse_transaction(row.raw_tx), self.world.chain.beef_of(txid).to_atomic(txid), count)

    async def mine(self, count: int) -> None:
        self.world.chain.mine(count)
        self.world.clock.advance(count * 10 * MINUTE)

    async def reorganise(self, depth: int) -> None:
        self.is_calm = False
        self._is_reorg_unseen = True
        self.world.chain.reorg(self.world.chain.height - depth + 1, depth + 1)

    async def fail(self, method: str, fault: Fault, times: int | None) -> None:
        self.is_calm = False
        self.world.services.faults.set(method, fault, times=times)
        if fault is Fault.FEE_TOO_LOW:
            self._fees_are_lies = True
            self.model.lies_told(self.is_mined)

    async def recover(self) -> None:
        self.world.services.faults.clear()
        self._fees_are_lies = self._is_tracker_out = False

    async def lose_sight_of_the_chain(self, method: str, times: int | None) -> None:
        self._is_tracker_out = True
        await self.fail(method, Fault.UNAVAILABLE, times)

    async def wait(self, milliseconds: int) -> None:
        self.world.clock.advance(milliseconds)

    async def watch(self, *names: str) -> None:
        for name in names or NAMES:
            await self._monitors[name].run_until_idle()
            if self.is_calm:
                self.model.give_up_unsigned(name, self.world.clock.now())
        if set(names or NAMES) == set(NAMES) and not self._is_tracker_out:
            self._is_reorg_unseen = False

    def is_mined(self, txid: str) -> bool:
        return bool(self.world.chain.confirmations(txid))

    # payments

    async def pay_other(self, payer: str, satoshis: int, options: Mapping[str, Any]) -> Payment | None:
        payee = other(payer)
        prefix, suffix = b64encode(f"prefix {self._count()}".encode()).decode(), "c3VmZml4"
        sender = KeyDeriver(key_of(payer))
        script = brc29.lock_to(sender, self.wallets[payee].identity_key, prefix, suffix)
        made = await self.create(payer, [Wanted(script, satoshis, payee)], options)
        if made is None:
            return None
        vout = next(vout for vout, output in enumerate(made.view.outputs) if output.locking_script == script)
        payment = Payment(payee, made.txid, vout, remittance(sender, prefix, suffix))
        self.payments.append(payment)
        return payment

    async def take(self, payment: Payment, kind: Kind) -> bool:
        """The payee takes a payment in, for the first time or again, as change or into a basket; False if refused."""
        made = self.model.made[payment.txid]
        coin = self.model.coins.get((payment.txid, payment.vout))
        is_spent = (payment.txid, payment.vout) in self.model.spenders(payment.payee)
        entry: dict[str, Any] = {"outputIndex": payment.vout}
        if kind is Kind.CHANGE:
            entry |= {"protocol": "wallet payment", "paymentRemittance": payment.remittance}
        else:
            entry |= {"protocol": "basket insertion", "insertionRemittance": {"basket": "kept"}}
        args: Any = {"tx": self._shown(made), "description": "from the other", "outputs": [entry]}
        if self.model.builds_on_aborted(made):
            self.is_calm = False  # given up by its maker, and now brought to the network by its payee
        before = await self.wallets[payment.payee].balance()
        try:
            answer = await self.wallets[payment.payee].internalize_action(args)
            assert answer["accepted"]
        except WERR_REVIEW_ACTIONS:  # taken in, and refused by the network for now
            assert not self.is_calm
        except (WERR_INVALID_PARAMETER, WERR_INVALID_MERKLE_ROOT, WERR_BROADCAST_UNAVAILABLE):
            # spent and to become something else; of a lost transaction; with a proof into an orphaned block; an outage
            assert not self.is_calm or (is_spent and coin is not None and coin.kind is not kind)
            assert await self.wallets[payment.payee].balance() == before
            return False
        payment.is_taken = True
        self.model.received(payment.payee, payment.txid, payment.vout, kind)
        return True

    def _shown(self, made: Made) -> bytes:
        """With proofs of today when the chain has it, else as its maker got it."""
        if self.world.chain.transaction_of(made.txid) is not None:
            return self.world.chain.beef_of(made.txid).to_atomic(made.txid)
        return made.beef

    async def pay_nowhere(self, name: str, satoshis: int, options: Mapping[str, Any]) -> Made | None:
        return await self.create(name, [Wanted(bytes.fromhex(NOWHERE), satoshis)], options)

    async def sweep(self, name: str) -> Made | None:
        """Everything to nowhere, at once; in another way when that very transaction has come to nothing before."""
        everything = Wanted(bytes.fromhex(NOWHERE), EVERYTHING)
        options = {"acceptDelayedBroadcast": False}
        try:
            return await self.create(name, [everything], options)
        except WERR_INVALID_OPERATION as refused:
            txid = next((made.txid for made in self.model.made.values() if made.txid in refused.message), None)
            if txid is None:
                raise
            assert self.model.made[txid].maker == name
        distinct = Wanted(TOKEN[:1] * self._count() + TOKEN[1:], 1)
        return await self.create(name, [everything, distinct], options)

    async def remix(self, name: str, options: Mapping[str, Any]) -> Made | None:
        return await self.create(name, [], options)

    # tokens

    async def make_tokens(self, name: str, amounts: Sequence[int], options: Mapping[str, Any]) -> Made | None:
        return await self.create(name, [Wanted(TOKEN, each, name, Kind.TOKEN) for each in amounts], options)

    async def spend_tokens(
        self,
        name: str,
        tokens: Sequence[tuple[str, int]],
        amounts: Sequence[int],
        options: Mapping[str, Any],
        *,
        two_steps: bool = False,
    ) -> Made | Unsigned | None:
        """Tokens of one's own, or of the other (shown by their BEEF), become tokens of ``amounts``."""
        unlock: dict[str, Any] = {"unlockingScriptLength": 1} if two_steps else UNLOCK
        inputs = [{"outpoint": f"{txid}.{vout}", "inputDescription": "a token", **unlock} for txid, vout in tokens]
        extra: dict[str, Any] = {"inputs": inputs}
        foreign = [txid for txid, vout in tokens if self.model.coins[txid, vout].owner != name]
        if foreign:
            assert len(tokens) == 1
            extra["inputBEEF"] = self._shown(self.model.made[foreign[0]])
        spenders = self.model.spenders()
        if any(token in spenders for token in tokens):
            self.is_calm = False  # a double spend, unless it is refused
        amounts = [*amounts, *self._too_much_for_a_fee(tokens, amounts)]
        wanted = [Wanted(TOKEN, each, name, Kind.TOKEN) for each in amounts]
        if not wanted and foreign:
            wanted = [Wanted(bytes.fromhex(NOWHERE), 1)]
        if two_steps:
            return await self.create_unsigned(name, wanted, options, extra)
        made = await self.create(name, wanted, options, extra)
        if made is not None and foreign:
            self.model.give(self.model.made[foreign[0]])
        return made

    def _too_much_for_a_fee(self, tokens: Sequence[tuple[str, int]], amounts: Sequence[int]) -> list[int]:
        """What a whole transaction would leave to the miner beyond what a wallet signs for: it becomes a token too."""
        left = sum(self.model.coins[token].satoshis for token in tokens) - sum(amounts)
        return [left - FEE_SIGNED_FOR] if amounts and left > FEE_SIGNED_FOR else []

    async def list_tokens(self, name: str) -> None:
        args: Any = {"basket": "tokens", "limit": 1_000, "include": "entire transactions"}
        try:
            listed = await self.wallets[name].list_outputs(args)
        except WERR_INVALID_PARAMETER as refused:
            self._must_be_excused(refused)
            return
        outpoints = {each["outpoint"] for each in listed["outputs"]}
        own = self.model.unspent(name, Kind.TOKEN, by=name)
        known = {f"{txid}.{vout}" for txid, vout in own}
        if self.is_calm:
            assert outpoints == known

    # held back, sent together

    async def send(
        self, name: str, txids: Sequence[str], delayed: bool, wanted: Sequence[Wanted] = ()
    ) -> Mapping[str, str] | None:
        """What was held back goes to the network, with a payment when something is wanted; statuses by txid."""
        options = {"sendWith": list(txids), "acceptDelayedBroadcast": delayed}
        call = self.wallets[name].create_action(_args(wanted, options, {}))
        answer = await self._attempt(name, call)
        if answer is None:
            return None
        if wanted:
            self._record(name, answer, wanted, Fate.SENT)
        results = {each["txid"]: each["status"] for each in answer["sendWithResults"]}
        assert list(results)[: len(txids)] == list(dict.fromkeys(txids))
        for txid in txids:
            made = self.model.made[txid]
            if made.fate is Fate.ABORTED:
                assert results[txid] == "failed" or not self.is_calm
                continue
            self.model.sent(made)
            if self.is_calm:
                assert results[txid] in ({"sending", "unproven"} if delayed else {"unproven"})
        return results

    async def abort_held(self, name: str, made: Made) -> bool:
        children = self.model.children(made)
        is_known = self.world.chain.transaction_of(made.txid) is not None
        try:
            await self.wallets[name].abort_action({"reference": made.txid})
        except WERR_INVALID_OPERATION:
            assert children or is_known
            if is_known and not children:
                self.model.sent(made)
            return False
        except (WERR_BROADCAST_UNAVAILABLE, WERR_INVALID_PARAMETER) as refused:
            # nobody could say; or the wallet has learnt from the network already that others sent it
            if not made.given:
                self._must_be_excused(refused)
            return False
        assert not children or not self.is_calm
        assert not is_known or not self.is_calm
        made.fate = Fate.ABORTED
        if any(map(self.model.builds_on_aborted, self.model.living())):
            self.is_calm = False  # somebody who was shown it will bring it to the network all the same
        return True

    # in two steps

    async def create_unsigned(
        self, name: str, wanted: Sequence[Wanted], options: Mapping[str, Any], extra: Mapping[str, Any]
    ) -> Unsigned | None:
        answer = await self._attempt(name, self.wallets[name].create_action(_args(wanted, options, extra)))
        if answer is None:
            return None
        signable = answer["signableTransaction"]
        view = subject_of(signable["tx"])
        until = self.world.clock.now() + DAY
        unsigned = Unsigned(name, signable["reference"], view, wanted, until)
        unsigned.scripts = {str(vin): UNLOCK for vin in range(len(extra.get("inputs", ())))}
        unsigned.is_held = bool(options.get("noSend"))
        self.model.unsigned[unsigned.reference] = unsigned
        return unsigned

    async def sign(self, unsigned: Unsigned, options: Mapping[str, Any], *, wrongly_first: bool) -> Made | None:
        wallet = self.wallets[unsigned.maker]
        if wrongly_first and unsigned.scripts:
            before = await wallet.balance()
            args: Any = {
                "reference": unsigned.reference,
                "spends": dict.fromkeys(unsigned.scripts, NO_UNLOCK),
            }
            try:
                await wallet.sign_action(args)
                raise AssertionError("a script that does not unlock was taken")
            except (WERR_INVALID_PARAMETER, WERR_INVALID_OPERATION):
                assert await wallet.balance() == before
        args = {"reference": unsigned.reference, "spends": unsigned.scripts, "options": dict(options)}
        try:
            answer = await self._attempt(unsigned.maker, wallet.sign_action(args))
        except WERR_INVALID_OPERATION:  # given up meanwhile
            assert self.world.clock.now() >= unsigned.until
            del self.model.unsigned[unsigned.reference]
            return None
        if answer is None:
            return None
        del self.model.unsigned[unsigned.reference]
        is_held = options.get("noSend", unsigned.is_held)
        for txid in unsigned.view.source_txids:
            if txid in self.model.made and self.model.made[txid].maker != unsigned.maker:
                self.model.give(self.model.made[txid])
        return self._record(unsigned.maker, answer, unsigned.wanted, Fate.HELD if is_held else Fate.SENT)

    async def abort_unsigned(self, unsigned: Unsigned) -> None:
        try:
            await self.wallets[unsigned.maker].abort_action({"reference": unsigned.reference})
        except WERR_INVALID_PARAMETER:
            assert self.world.clock.now() >= unsigned.until
        del self.model.unsigned[unsigned.reference]

    # what must not work

    async def misuse(self, name: str, which: int) -> None:
        wallet = self.wallets[name]
        before = await wallet.balance(), await self._action_count(name)
        bad = _MISUSES[which % len(_MISUSES)]
        try:
            await wallet.create_action(bad)
            raise AssertionError(f"{bad} was carried out")
        except (WERR_INVALID_PARAMETER, WERR_INSUFFICIENT_FUNDS):
            pass
        assert (await wallet.balance(), await self._action_count(name)) == before

    async def _action_count(self, name: str) -> int:
        return int((await self.wallets[name].list_actions({"labels": [], "limit": 1}))["totalActions"])

    async def spend_on_second_device(self, name: str, satoshis: int) -> None:
        """A copy of the file spends coins that this one still believes in; trying to spend them tells it."""
        await self.recover()
        await self.close(name)
        copy = self.world.directory / f"copy {self._count()}.sqlite"
        shutil.copyfile(self.world.path(name), copy)
        device = open_wallet(
            copy,
            StaticKey(key_of(name)),
            self.world.services,
            monitor=False,
            clock=self.world.clock,
            entropy=SeededEntropy(str(copy.name)),
            derive_from_key=False,
        )
        options = {"acceptDelayedBroadcast": False}
        stolen: bytes | None = None
        async with device as second:
            with suppress(WERR_INSUFFICIENT_FUNDS, WERR_INVALID_PARAMETER):
                stolen = (await second.create_action(_args([Wanted(bytes.fromhex(NOWHERE), satoshis)], options, {})))[
                    "tx"
                ]
        await self.open(name)
        if stolen is None:
            return
        self.is_calm = False
        self.model.created("", bytes(stolen), [], Fate.SENT)
        await self.mine(1)
        assert await self.sweep(name) is not None

    # calls

    async def create(
        self, name: str, wanted: Sequence[Wanted], options: Mapping[str, Any], extra: Mapping[str, Any] | None = None
    ) -> Made | None:
        answer = await self._attempt(name, self.wallets[name].create_action(_args(wanted, options, extra or {})))
        if answer is None:
            return None
        return self._record(name, answer, wanted, Fate.HELD if options.get("noSend") else Fate.SENT)

    def _record(self, name: str, answer: Mapping[str, Any], wanted: Sequence[Wanted], fate: Fate) -> Made:
        made = self.model.created(name, bytes(answer["tx"]), wanted, fate)
        made.may_fail = self._fees_are_lies
        assert made.txid == answer["txid"]
        if fate is Fate.HELD:
            assert {tuple(each.split(".")) for each in answer["noSendChange"]} == {
                (txid, str(vout))
                for (txid, vout), coin in self.model.coins.items()
                if txid == made.txid and coin.kind is Kind.CHANGE
            }
        return made

    async def _attempt(self, name: str, call: Awaitable[Any]) -> Mapping[str, Any] | None:
        """What a call answered; None when it could not be carried out, and then nothing has changed."""
        before = await self.wallets[name].balance()
        try:
            return dict(await call)
        except WERR_REVIEW_ACTIONS as told:
            self._must_be_excused(told)
            if told.txid is not None:
                return {
                    "txid": told.txid,
                    "tx": told.tx,
                    "sendWithResults": told.send_with_results,
                    "noSendChange": told.no_send_change,
                }
            if told.send_with_results:
                return {"sendWithResults": told.send_with_results}
        except WERR_INSUFFICIENT_FUNDS:
            pass
        except (WERR_INVALID_PARAMETER, WERR_INVALID_MERKLE_ROOT, WERR_BROADCAST_UNAVAILABLE) as refused:
            self._must_be_excused(refused)
        assert await self.wallets[name].balance() == before
        return None

    def _must_be_excused(self, refused: WalletError) -> None:
        if self.is_calm:
            raise refused

    def _count(self) -> int:
        self._counted += 1
        return self._counted

    # soundness

    async def check(self) -> None:
        if not self._is_reorg_unseen and not await self._is_revived():
            self.world.assert_sound(*NAMES)
        if self.is_calm:
            for name, wallet in self.wallets.items():
                assert await wallet.balance() == self.model.balance(name), name
                held_back = await wallet.list_actions({"labels": [NO_SEND_ACTIONS_ID], "limit": 10_000})
                assert {each["txid"] for each in held_back["actions"]} <= {made.txid for made in self.model.held(name)}

    async def _is_revived(self) -> bool:
        """Whether the network has what a wallet believes lost: given up or refused, and then sent by its payee."""
        args: Any = {"labels": [FAILED_ACTIONS_ID], "limit": 10_000}
        for wallet in self.wallets.values():
            failed = await wallet.list_actions(args)
            if any(each["txid"] and self.world.chain.transaction_of(each["txid"]) for each in failed["actions"]):
                return True
        return False


def other(name: str) -> str:
    return NAMES[1 - NAMES.index(name)]


def _args(wanted: Sequence[Wanted], options: Mapping[str, Any], extra: Mapping[str, Any]) -> Any:
    outputs: list[dict[str, Any]] = []
    for each in wanted:
        output = {"lockingScript": each.script.hex(), "satoshis": each.satoshis, "outputDescription": "wanted"}
        if each.kind is Kind.TOKEN:
            output["basket"] = "tokens"
        outputs.append(output)
    args: dict[str, Any] = {"description": "a random step", "options": dict(options), **extra}
    return args | {"outputs": outputs} if outputs else args


_PAID: dict[str, Any] = {"lockingScript": NOWHERE, "satoshis": 1, "outputDescription": "wanted"}
_MISUSES: list[Any] = [
    {"description": "x", "outputs": [_PAID]},
    {"description": "too much", "outputs": [{**_PAID, "satoshis": 10**9}]},
    {"description": "negative", "outputs": [{**_PAID, "satoshis": -1}]},
    {"description": "no script", "outputs": [{**_PAID, "lockingScript": "0"}]},
    {
        "description": "unknown input",
        "inputs": [{"outpoint": "00" * 32 + ".0", "inputDescription": "unknown", **UNLOCK}],
    },
    {
        "description": "unknown change",
        "outputs": [_PAID],
        "options": {"noSend": True, "noSendChange": ["00" * 32 + ".0"]},
    },
    {"description": "held and sent", "outputs": [_PAID], "options": {"noSend": True, "sendWith": ["00" * 32]}},
    {
        "description": "bad proof",
        "outputs": [_PAID],
        "inputBEEF": b"\1\2\3",
        "inputs": [{"outpoint": "00" * 32 + ".0", "inputDescription": "unknown", **UNLOCK}],
    },
]
