"""The signer: checks what storage proposes, builds the transaction, signs it, runs every script. Plain functions.

Storage may be remote and hostile. Nothing is derived or signed before the proposal was compared with what the caller
asked for, and the transaction that leaves here is made of the compared values only.
"""

from __future__ import annotations

from dataclasses import dataclass

from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.storage import (
    ActionInput,
    ActionOutput,
    ActionProposal,
    OutputPurpose,
    ProvidedBy,
)
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.templates import brc29, p2pkh
from bsv_wallet_toolbox.transactions.funding import MAX_POSSIBLE_SATOSHIS
from bsv_wallet_toolbox.transactions.script_vm import verify_input
from bsv_wallet_toolbox.transactions.sizes import transaction_size
from bsv_wallet_toolbox.transactions.tx import Draft, InputSpec, OutputSpec, TransactionView, parse_transaction

__all__ = ["SigningLimits", "check_proposal", "sign_proposal"]


@dataclass(frozen=True, slots=True)
class SigningLimits:
    """The most the wallet will sign for: a fee rate in satoshis per 1000 bytes, and a fee that is always allowed."""

    max_fee_rate: int = 10_000
    always_allowed_fee: int = 1_000


def check_proposal(args: ValidCreateAction, proposal: ActionProposal, limits: SigningLimits) -> None:
    """Compare a proposal with the caller's request; WERR_INVALID_PARAMETER names the first thing that differs."""
    if (proposal.version, proposal.lock_time) != (args.version, args.lock_time):
        raise WERR_INVALID_PARAMETER("storage version, lockTime", "those of the action")
    _check_outputs(args, proposal.outputs)
    outpoints = {(each.source_txid, each.source_vout) for each in proposal.inputs}
    if len(outpoints) != len(proposal.inputs):
        raise WERR_INVALID_PARAMETER("storage inputs", "unique outpoints")
    if sorted(each.vin for each in proposal.inputs) != list(range(len(proposal.inputs))):
        raise WERR_INVALID_PARAMETER("input.vin", "sequential.")
    for each in proposal.inputs:
        if each.type != "P2PKH":
            raise WERR_INVALID_PARAMETER(
                "type", f'vin {each.vin}, "{each.type}" is not a supported unlocking script type.'
            )
    _check_fee(proposal, limits)


def _check_outputs(args: ValidCreateAction, outputs: tuple[ActionOutput, ...]) -> None:
    if len(outputs) < len(args.outputs):
        raise WERR_INVALID_PARAMETER("storage outputs", "all outputs of the action")
    vouts = sorted(output.vout for output in outputs)
    if vouts != list(range(len(outputs))):
        missing = next(vout for vout in range(len(outputs)) if vout not in vouts)
        raise WERR_INVALID_PARAMETER("output.vout", f"sequential. {missing} is missing")
    for place, (asked, proposed) in enumerate(zip(args.outputs, outputs, strict=False)):
        if proposed.provided_by is ProvidedBy.STORAGE or proposed.purpose is not OutputPurpose.NONE:
            raise WERR_INVALID_PARAMETER("output.providedBy", "that of the action")
        if proposed.locking_script != asked.locking_script:
            raise WERR_INVALID_PARAMETER("output.lockingScript", "that of the action")
        may_shrink = asked.satoshis == MAX_POSSIBLE_SATOSHIS and 0 <= proposed.satoshis <= asked.satoshis
        if proposed.satoshis != asked.satoshis and not may_shrink:
            raise WERR_INVALID_PARAMETER("output.satoshis", "those of the action")
        if not args.options.randomize_outputs and proposed.vout != place:
            raise WERR_INVALID_PARAMETER("output.vout", "in the order of the action, which is not to be shuffled")
    for extra in outputs[len(args.outputs) :]:
        if extra.purpose is not OutputPurpose.CHANGE or extra.provided_by is not ProvidedBy.STORAGE:
            raise WERR_INVALID_PARAMETER("storage outputs", "those of the action and change")


def _check_fee(proposal: ActionProposal, limits: SigningLimits) -> None:
    fee = sum(each.source_satoshis for each in proposal.inputs) - sum(each.satoshis for each in proposal.outputs)
    script_lengths = [len(each.locking_script) or p2pkh.LOCK_LENGTH for each in proposal.outputs]
    size = transaction_size([each.unlocking_script_length for each in proposal.inputs], script_lengths)
    if fee < 0:
        raise WERR_INVALID_PARAMETER("storage inputs", "worth at least the outputs")
    if fee > max(limits.always_allowed_fee, limits.max_fee_rate * size // 1000):
        raise WERR_INVALID_PARAMETER("storage fee", f"at most {limits.max_fee_rate} satoshis per 1000 bytes, not {fee}")


def sign_proposal(deriver: KeyDeriver, proposal: ActionProposal) -> TransactionView:
    """Build and sign a checked proposal, then run the script of every input against the output it spends."""
    outputs = [_output(deriver, proposal, each) for each in sorted(proposal.outputs, key=lambda each: each.vout)]
    inputs = sorted(proposal.inputs, key=lambda each: each.vin)
    specs = [InputSpec(each.source_txid, each.source_vout) for each in inputs]
    draft = Draft(specs, outputs, proposal.version, proposal.lock_time)
    own = [_own_output(deriver, proposal, each) for each in inputs]
    scripts = [_unlock(deriver, draft, each, output) for each, output in zip(inputs, own, strict=True)]
    signed = parse_transaction(draft.unlocked(scripts))
    for each, output in zip(inputs, own, strict=True):
        reason = verify_input(signed, each.vin, each.source_satoshis, output.locking_script)
        if reason is not None:
            raise WERR_INVALID_PARAMETER(f"inputs[{each.vin}].unlockScript", f"valid. {reason}")
    return signed


def _output(deriver: KeyDeriver, proposal: ActionProposal, output: ActionOutput) -> OutputSpec:
    if output.purpose is not OutputPurpose.CHANGE:
        return OutputSpec(output.satoshis, output.locking_script)
    if output.derivation_suffix is None:
        raise WERR_INVALID_PARAMETER("output.derivationSuffix", "given for change")
    return OutputSpec(
        output.satoshis, brc29.lock_for_self(deriver, proposal.derivation_prefix, output.derivation_suffix)
    )


@dataclass(frozen=True, slots=True)
class _OwnOutput:
    """An output that our keys unlock: its script and the public key it pays to."""

    locking_script: bytes
    public_key: bytes


def _unlock(deriver: KeyDeriver, draft: Draft, each: ActionInput, output: _OwnOutput) -> bytes:
    private_key = brc29.unlocking_key(
        deriver, each.sender_identity_key, each.derivation_prefix or "", each.derivation_suffix or ""
    )
    digest = draft.signature_hash(each.vin, each.source_satoshis, output.locking_script)
    return p2pkh.unlock(digest, private_key, output.public_key)


def _own_output(deriver: KeyDeriver, proposal: ActionProposal, each: ActionInput) -> _OwnOutput:
    """The output that our keys give for an input; what storage and the source transaction say must be the same."""
    public_key = brc29.unlocking_public_key(
        deriver, each.sender_identity_key, each.derivation_prefix or "", each.derivation_suffix or ""
    )
    output = _OwnOutput(p2pkh.lock_to_public_key(public_key), public_key)
    if each.source_locking_script not in (b"", output.locking_script):
        raise WERR_INVALID_PARAMETER(f"inputs[{each.vin}].sourceLockingScript", "locked to this wallet by BRC-29")
    view = proposal.input_beef.view(each.source_txid) if proposal.input_beef is not None else None
    if view is None:
        return output
    if each.source_vout >= view.output_count:
        raise WERR_INVALID_PARAMETER(f"{each.source_txid}.{each.source_vout}", "valid outpoint")
    source = view.outputs[each.source_vout]
    if (source.satoshis, source.locking_script) != (each.source_satoshis, output.locking_script):
        raise WERR_INVALID_PARAMETER(f"inputs[{each.vin}].sourceSatoshis", "those of the source transaction")
    return output
