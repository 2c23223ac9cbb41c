"""The signer: checks what storage proposes, builds the transaction, signs it, runs every script. Plain functions.

Storage may be remote and hostile. Nothing is derived or signed before the proposal was compared with what the caller
asked for, and the transaction that leaves here is made of the compared values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bsv_wallet_toolbox.brc100.actions import ValidSpend
from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.prepared import PreparedAction, PreparedInput
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

__all__ = ["SigningLimits", "check_proposal", "check_spends", "prepare", "sign"]

_FINAL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class SigningLimits:
    """The most the wallet will sign for.

    A fee rate in satoshis per 1000 bytes, a fee that is always allowed, and what a storage service may charge for an
    action (satoshis): nothing, unless its user agreed to it.
    """

    max_fee_rate: int = 10_000
    always_allowed_fee: int = 1_000
    max_service_charge: int = 0


def check_proposal(args: ValidCreateAction, proposal: ActionProposal, limits: SigningLimits) -> None:
    """Compare a proposal with the caller's request; WERR_INVALID_PARAMETER names the first thing that differs."""
    if (proposal.version, proposal.lock_time) != (args.version, args.lock_time):
        raise WERR_INVALID_PARAMETER("storage version, lockTime", "those of the action")
    _check_outputs(args, proposal.outputs, limits)
    _check_inputs(args, proposal.inputs)
    _check_fee(proposal, limits)


def _check_inputs(args: ValidCreateAction, inputs: tuple[ActionInput, ...]) -> None:
    """The caller's inputs in their places, then coins of the wallet; no outpoint twice."""
    if len({(each.source_txid, each.source_vout) for each in inputs}) != len(inputs):
        raise WERR_INVALID_PARAMETER("storage inputs", "unique outpoints")
    by_vin = {each.vin: each for each in inputs}
    if sorted(by_vin) != list(range(len(inputs))):
        raise WERR_INVALID_PARAMETER("input.vin", "sequential.")
    for vin, asked in enumerate(args.inputs):
        proposed = by_vin.get(vin)
        outpoint = asked.outpoint.txid, asked.outpoint.vout
        if proposed is None or (proposed.source_txid, proposed.source_vout) != outpoint:
            raise WERR_INVALID_PARAMETER("storage inputs", "those of the action, in its order, and coins of the wallet")
        if proposed.provided_by is ProvidedBy.STORAGE:
            raise WERR_INVALID_PARAMETER("input.providedBy", "that of the action")
    for vin in range(len(args.inputs), len(inputs)):
        each = by_vin[vin]
        if each.type != "P2PKH":
            raise WERR_INVALID_PARAMETER("type", f'vin {vin}, "{each.type}" is not a supported unlocking script type.')


def _check_outputs(args: ValidCreateAction, outputs: tuple[ActionOutput, ...], limits: SigningLimits) -> None:
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
    _check_extra_outputs(outputs[len(args.outputs) :], limits)


def _check_extra_outputs(outputs: tuple[ActionOutput, ...], limits: SigningLimits) -> None:
    """Change, and at most one charge of the storage service."""
    charges = [output for output in outputs if output.purpose is OutputPurpose.COMMISSION]
    for output in outputs:
        if output.purpose is OutputPurpose.NONE or output.provided_by is not ProvidedBy.STORAGE:
            raise WERR_INVALID_PARAMETER("storage outputs", "those of the action and change")
    if len(charges) > 1:
        raise WERR_INVALID_PARAMETER("storage outputs", "charged for once at most")
    if any(charge.satoshis > limits.max_service_charge for charge in charges):
        raise WERR_INVALID_PARAMETER("storage service charge", f"at most {limits.max_service_charge} satoshis")


def _check_fee(proposal: ActionProposal, limits: SigningLimits) -> None:
    fee = sum(each.source_satoshis for each in proposal.inputs) - sum(each.satoshis for each in proposal.outputs)
    script_lengths = [len(each.locking_script) or p2pkh.LOCK_LENGTH for each in proposal.outputs]
    size = transaction_size([each.unlocking_script_length for each in proposal.inputs], script_lengths)
    if fee < 0:
        raise WERR_INVALID_PARAMETER("storage inputs", "worth at least the outputs")
    most = max(limits.always_allowed_fee, limits.max_fee_rate * size // 1000)
    if fee > most:
        raise WERR_INVALID_PARAMETER("storage fee", f"at most {most} satoshis for {size} bytes, not {fee}")


def prepare(deriver: KeyDeriver, args: ValidCreateAction, proposal: ActionProposal) -> PreparedAction:
    """Build the transaction of a checked proposal, unsigned."""
    outputs = tuple(_output(deriver, proposal, each) for each in sorted(proposal.outputs, key=lambda each: each.vout))
    inputs = []
    for each in sorted(proposal.inputs, key=lambda each: each.vin):
        if each.vin < len(args.inputs):
            inputs.append(_callers_input(args, proposal, each))
        else:
            inputs.append(_wallets_input(deriver, proposal, each))
    return PreparedAction(proposal.version, proposal.lock_time, tuple(inputs), outputs)


def _output(deriver: KeyDeriver, proposal: ActionProposal, output: ActionOutput) -> OutputSpec:
    if output.purpose is not OutputPurpose.CHANGE:
        return OutputSpec(output.satoshis, output.locking_script)
    if output.derivation_suffix is None:
        raise WERR_INVALID_PARAMETER("output.derivationSuffix", "given for change")
    return OutputSpec(
        output.satoshis, brc29.lock_for_self(deriver, proposal.derivation_prefix, output.derivation_suffix)
    )


def _callers_input(args: ValidCreateAction, proposal: ActionProposal, each: ActionInput) -> PreparedInput:
    """An input that the caller unlocks."""
    asked = args.inputs[each.vin]
    _check_source(proposal, each, each.source_locking_script)
    return PreparedInput(
        txid=each.source_txid,
        vout=each.source_vout,
        sequence=asked.sequence_number,
        satoshis=each.source_satoshis,
        locking_script=each.source_locking_script,
        unlocking_script=asked.unlocking_script,
        unlocking_script_length=asked.unlocking_script_length,
    )


def _wallets_input(deriver: KeyDeriver, proposal: ActionProposal, each: ActionInput) -> PreparedInput:
    """An input that our keys unlock; what storage and the source transaction say must be what our keys give."""
    prefix, suffix = each.derivation_prefix or "", each.derivation_suffix or ""
    public_key = brc29.unlocking_public_key(deriver, each.sender_identity_key, prefix, suffix)
    locking_script = p2pkh.lock_to_public_key(public_key)
    if each.source_locking_script not in (b"", locking_script):
        raise WERR_INVALID_PARAMETER(f"inputs[{each.vin}].sourceLockingScript", "locked to this wallet by BRC-29")
    _check_source(proposal, each, locking_script)
    return PreparedInput(
        txid=each.source_txid,
        vout=each.source_vout,
        sequence=_FINAL,
        satoshis=each.source_satoshis,
        locking_script=locking_script,
        unlocking_script=None,
        unlocking_script_length=each.unlocking_script_length,
        derivation_prefix=prefix,
        derivation_suffix=suffix,
        sender_identity_key=each.sender_identity_key,
    )


def _check_source(proposal: ActionProposal, each: ActionInput, locking_script: bytes) -> None:
    view = proposal.input_beef.view(each.source_txid) if proposal.input_beef is not None else None
    if view is None:
        return
    if each.source_vout >= view.output_count:
        raise WERR_INVALID_PARAMETER(f"{each.source_txid}.{each.source_vout}", "valid outpoint")
    source = view.outputs[each.source_vout]
    if (source.satoshis, source.locking_script) != (each.source_satoshis, locking_script):
        raise WERR_INVALID_PARAMETER(f"inputs[{each.vin}].sourceSatoshis", "those of the source transaction")


def check_spends(prepared: PreparedAction, spends: Mapping[int, ValidSpend]) -> None:
    """Each spend must unlock an input that was left to signAction, within the bytes that were promised for it.

    WERR_INVALID_PARAMETER also when an input that was left open is not among them.
    """
    for vin, spend in spends.items():
        each = prepared.inputs[vin] if vin < len(prepared.inputs) else None
        if each is None or each.is_the_wallets or each.unlocking_script is not None:
            raise WERR_INVALID_PARAMETER(
                "args", "spend does not correspond to prior input with valid unlockingScriptLength."
            )
        if len(spend.unlocking_script) > each.unlocking_script_length:
            raise WERR_INVALID_PARAMETER(
                "args",
                f"spend unlockingScript length {len(spend.unlocking_script)} exceeds expected length "
                f"{each.unlocking_script_length}",
            )
    for vin, each in enumerate(prepared.inputs):
        if vin not in spends and not each.is_the_wallets and each.unlocking_script is None:
            raise WERR_INVALID_PARAMETER("spends", f"given for input {vin}, which has no unlockingScript yet")


def sign(
    deriver: KeyDeriver, prepared: PreparedAction, spends: Mapping[int, ValidSpend] | None = None
) -> TransactionView:
    """Sign the wallet's inputs, put the caller's scripts in, then run the script of every input."""
    spends = spends or {}
    specs = [
        InputSpec(each.txid, each.vout, b"", _sequence(each, spends.get(vin)))
        for vin, each in enumerate(prepared.inputs)
    ]
    draft = Draft(specs, prepared.outputs, prepared.version, prepared.lock_time)
    scripts = [_unlock(deriver, draft, vin, each, spends.get(vin)) for vin, each in enumerate(prepared.inputs)]
    signed = parse_transaction(draft.unlocked(scripts))
    for vin, each in enumerate(prepared.inputs):
        reason = verify_input(signed, vin, each.satoshis, each.locking_script)
        if reason is not None:
            raise WERR_INVALID_PARAMETER(f"inputs[{vin}].unlockScript", f"valid. {reason}")
    return signed


def _sequence(each: PreparedInput, spend: ValidSpend | None) -> int:
    return each.sequence if spend is None or spend.sequence_number is None else spend.sequence_number


def _unlock(deriver: KeyDeriver, draft: Draft, vin: int, each: PreparedInput, spend: ValidSpend | None) -> bytes:
    if spend is not None:
        return spend.unlocking_script
    if not each.is_the_wallets:
        return each.unlocking_script or b""
    party, prefix, suffix = each.sender_identity_key, each.derivation_prefix or "", each.derivation_suffix or ""
    digest = draft.signature_hash(vin, each.satoshis, each.locking_script)
    return p2pkh.unlock(
        digest,
        brc29.unlocking_key(deriver, party, prefix, suffix),
        brc29.unlocking_public_key(deriver, party, prefix, suffix),
    )
