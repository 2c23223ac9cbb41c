"""A transaction that is built but not signed, with what is needed to finish it: it can wait in a table for a signature.

Scripts and transactions are bytes, txids display-order hex; the JSON form writes bytes as hex. No key is in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from bsv_wallet_toolbox.brc100.create_action import ValidCreateActionOptions
from bsv_wallet_toolbox.brc100.outpoint import Outpoint
from bsv_wallet_toolbox.transactions.tx import Draft, InputSpec, OutputSpec, TransactionView, parse_transaction

__all__ = ["PreparedAction", "PreparedInput"]


class PreparedInput(NamedTuple):
    """An input with the output that it spends.

    The caller gives the unlocking script of its own inputs, now or with signAction; the derivation (base64 texts, as
    BRC-29 key ids use them) is that of an input which the wallet signs.
    """

    txid: str
    vout: int
    sequence: int
    satoshis: int
    locking_script: bytes
    unlocking_script: bytes | None
    unlocking_script_length: int
    derivation_prefix: str | None = None
    derivation_suffix: str | None = None
    sender_identity_key: str | None = None

    @property
    def is_the_wallets(self) -> bool:
        return self.derivation_prefix is not None


class PreparedAction(NamedTuple):
    version: int
    lock_time: int
    inputs: tuple[PreparedInput, ...]
    outputs: tuple[OutputSpec, ...]

    @property
    def unsigned(self) -> TransactionView:
        """The transaction with the scripts that the caller gave, and empty ones elsewhere."""
        specs = [InputSpec(each.txid, each.vout, b"", each.sequence) for each in self.inputs]
        draft = Draft(specs, self.outputs, self.version, self.lock_time)
        return parse_transaction(draft.unlocked([each.unlocking_script or b"" for each in self.inputs]))

    def to_json(self, options: ValidCreateActionOptions) -> str:
        """With the options of createAction, which signAction inherits."""
        body = {
            "version": self.version,
            "lockTime": self.lock_time,
            "inputs": [each._asdict() for each in self.inputs],
            "outputs": [list(each) for each in self.outputs],
            "options": options.to_json(),
        }
        return orjson.dumps(body, default=bytes.hex).decode()

    @classmethod
    def from_json(cls, text: str) -> tuple[PreparedAction, ValidCreateActionOptions]:
        body = orjson.loads(text)
        prepared = cls(
            version=body["version"],
            lock_time=body["lockTime"],
            inputs=tuple(_input(each) for each in body["inputs"]),
            outputs=tuple(OutputSpec(satoshis, bytes.fromhex(script)) for satoshis, script in body["outputs"]),
        )
        return prepared, _options(body["options"])


def _input(body: dict[str, Any]) -> PreparedInput:
    unlocking = body["unlocking_script"]
    return PreparedInput(
        **{
            **body,
            "locking_script": bytes.fromhex(body["locking_script"]),
            "unlocking_script": None if unlocking is None else bytes.fromhex(unlocking),
        }
    )


def _options(body: dict[str, Any]) -> ValidCreateActionOptions:
    return ValidCreateActionOptions(
        sign_and_process=body["signAndProcess"],
        accept_delayed_broadcast=body["acceptDelayedBroadcast"],
        trust_self=body.get("trustSelf"),
        known_txids=tuple(body["knownTxids"]),
        return_txid_only=body["returnTXIDOnly"],
        no_send=body["noSend"],
        no_send_change=tuple(Outpoint(each["txid"], each["vout"]) for each in body["noSendChange"]),
        send_with=tuple(body["sendWith"]),
        randomize_outputs=body["randomizeOutputs"],
    )
