"""Argument objects in, frozen dataclasses out: the validators of BRC-100 methods, gathered under one name.

A validator takes whatever came as ``args`` and, where names may be reserved, the normalised originator (None is the
wallet's owner). It raises WERR_INVALID_PARAMETER or WERR_MISSING_PARAMETER and nothing else; members that the method
does not know are ignored. Nothing here looks at keys, storage or the inside of transactions.
"""

from __future__ import annotations

from bsv_wallet_toolbox.brc100.actions import (
    QueryMode,
    ValidAbortAction,
    ValidBasketInsertion,
    ValidInternalizeAction,
    ValidListActions,
    ValidSignAction,
    ValidSignActionOptions,
    ValidSpend,
    ValidWalletPayment,
    validate_abort_action,
    validate_internalize_action,
    validate_list_actions,
    validate_sign_action,
)
from bsv_wallet_toolbox.brc100.chain import validate_get_header_for_height
from bsv_wallet_toolbox.brc100.create_action import (
    ValidCreateAction,
    ValidCreateActionInput,
    ValidCreateActionOptions,
    ValidCreateActionOutput,
    validate_create_action,
)
from bsv_wallet_toolbox.brc100.originator import validate_originator
from bsv_wallet_toolbox.brc100.outpoint import Outpoint
from bsv_wallet_toolbox.brc100.outputs import (
    ValidListOutputs,
    ValidRelinquishOutput,
    validate_list_outputs,
    validate_relinquish_output,
)

__all__ = [
    "Outpoint",
    "QueryMode",
    "ValidAbortAction",
    "ValidBasketInsertion",
    "ValidCreateAction",
    "ValidCreateActionInput",
    "ValidCreateActionOptions",
    "ValidCreateActionOutput",
    "ValidInternalizeAction",
    "ValidListActions",
    "ValidListOutputs",
    "ValidRelinquishOutput",
    "ValidSignAction",
    "ValidSignActionOptions",
    "ValidSpend",
    "ValidWalletPayment",
    "validate_abort_action",
    "validate_create_action",
    "validate_get_header_for_height",
    "validate_internalize_action",
    "validate_list_actions",
    "validate_list_outputs",
    "validate_originator",
    "validate_relinquish_output",
    "validate_sign_action",
]
