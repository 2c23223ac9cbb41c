"""Verification of a payment from its BEEF alone and the Merkle roots that are believed (BRC-67).

Nothing here asks the network: the caller looks up :func:`needed_roots` first and answers from what it found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from bsv_wallet_toolbox.errors import WERR_INVALID_MERKLE_ROOT, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.script_vm import verify_input
from bsv_wallet_toolbox.transactions.tx import MAX_SATOSHIS, OutputView, TransactionView

__all__ = ["needed_roots", "verify_beef"]

RootCheck = Callable[[str, int], bool]
"""(Merkle root in display hex, height) to whether the active header at that height has this root."""


def needed_roots(beef: Beef, txid: str | None = None) -> list[tuple[str, int]]:
    """(Merkle root in display hex, height) that :func:`verify_beef` will ask about, lowest height first.

    Without ``txid``: those of every proof that the BEEF uses.
    """
    if txid is None:
        roots = {(root, height) for height, root in beef.roots()}
    else:
        paths = [beef.merkle_path(ancestor) for ancestor in beef.ancestors(txid)]
        roots = {(path.root, path.block_height) for path in paths if path is not None}
    return sorted(roots, key=lambda pair: (pair[1], pair[0]))


def verify_beef(
    beef: Beef,
    txids: Collection[str],
    is_valid_root: RootCheck,
    *,
    allow_txid_only: bool = False,
    run_scripts: bool = True,
    parameter: str = "tx",
) -> None:
    """Return if ``txids`` and all they rest on in ``beef`` is valid; each ancestor is looked at once.

    A transaction with a proof is valid if the proof's root is: WERR_INVALID_MERKLE_ROOT otherwise (its block hash is
    empty, it is not known). Any other must spend existing outputs of valid transactions, each once, with scripts that
    run (unless ``run_scripts`` is false), and must not pay out more than it takes in: WERR_INVALID_PARAMETER naming
    ``parameter`` otherwise. With ``allow_txid_only`` the receiver vouches for transactions given by txid only; what
    depends on their outputs (amounts, scripts) is then not checked.
    """
    for txid in txids:
        if txid not in beef:
            raise WERR_INVALID_PARAMETER(parameter, f"a BEEF that holds {txid}")
    checked: dict[tuple[str, int], bool] = {}
    for ancestor in beef.ancestors(*txids):
        view = beef.view(ancestor)
        if view is None:
            if not allow_txid_only:
                raise WERR_INVALID_PARAMETER(parameter, f"a BEEF that holds {ancestor} in full, not by txid only")
            continue
        path = beef.merkle_path(ancestor)
        if path is None:
            _verify_unproven(beef, view, allow_txid_only, run_scripts, parameter)
            continue
        root = path.root, path.block_height
        if root not in checked:
            checked[root] = is_valid_root(*root)
        if not checked[root]:
            message = f"Invalid merkleRoot {path.root} at height {path.block_height} for txid {ancestor}."
            raise WERR_INVALID_MERKLE_ROOT("", path.block_height, path.root, ancestor, message=message)


def _verify_unproven(
    beef: Beef, view: TransactionView, allow_txid_only: bool, run_scripts: bool, parameter: str
) -> None:
    outpoints = view.outpoints
    if len(set(outpoints)) != len(outpoints):
        raise WERR_INVALID_PARAMETER(parameter, f"a BEEF whose transaction {view.txid} spends no output twice")
    paid_out = sum(output.satoshis for output in view.outputs)
    taken_in = 0
    all_known = True
    for vin in range(len(outpoints)):
        source = _source_output(beef, view, vin, allow_txid_only, parameter)
        if source is None:
            all_known = False
            continue
        taken_in += source.satoshis
        if run_scripts:
            _verify_script(view, vin, source, parameter)
    if paid_out > (taken_in if all_known else MAX_SATOSHIS):
        limit = f"the {taken_in} it takes in" if all_known else f"{MAX_SATOSHIS}"
        raise WERR_INVALID_PARAMETER(
            parameter, f"a BEEF whose transaction {view.txid} pays out at most {limit}, not {paid_out} satoshis"
        )


def _source_output(
    beef: Beef, view: TransactionView, vin: int, allow_txid_only: bool, parameter: str
) -> OutputView | None:
    """The output that an input spends, None when its transaction is vouched for by the receiver."""
    spent = view.inputs[vin]
    source = beef.view(spent.txid)
    if source is None:
        if allow_txid_only and beef.is_txid_only(spent.txid):
            return None
        raise WERR_INVALID_PARAMETER(
            parameter, f"a BEEF that proves {view.txid} or holds {spent.txid}, which its input {vin} spends"
        )
    if spent.vout >= source.output_count:
        raise WERR_INVALID_PARAMETER(
            parameter, f"a BEEF whose transaction {view.txid} spends existing outputs, not {spent.txid}.{spent.vout}"
        )
    return source.outputs[spent.vout]


def _verify_script(view: TransactionView, vin: int, source: OutputView, parameter: str) -> None:
    reason = verify_input(view, vin, source.satoshis, source.locking_script)
    if reason is None:
        return
    if not view.inputs[vin].unlocking_script:
        raise WERR_INVALID_PARAMETER(
            parameter, f"a BEEF whose transaction {view.txid} has an unlocking script on input {vin}"
        )
    raise WERR_INVALID_PARAMETER(
        parameter, f"a BEEF whose transaction {view.txid} unlocks what its input {vin} spends: {reason}"
    )
