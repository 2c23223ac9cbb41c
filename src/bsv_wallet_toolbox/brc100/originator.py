"""Who asks: the originator of a call, and the names that only the wallet's owner may use.

The owner is originator None. Names are compared after normalisation, so no spelling of a reserved name passes.
"""

from __future__ import annotations

from bsv_wallet_toolbox.brc100.primitives import identifier
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = [
    "BALANCE_ID",
    "BALANCE_PREFIX",
    "CHANGE_BASKET",
    "FAILED_ACTIONS_ID",
    "INVALID_CHANGE_ID",
    "NO_SEND_ACTIONS_ID",
    "SET_CHANGE_PARAMS_ID",
    "THROW_REVIEW_ACTIONS_ID",
    "check_basket",
    "check_labels",
    "check_listed_basket",
    "check_new_basket",
    "validate_originator",
]

CHANGE_BASKET = "default"
BALANCE_PREFIX = "balance "
"""BRC-112: listOutputs of ``balance X`` sums basket X."""

BALANCE_ID = "893b7646de0e1c9f741bd6e9169b76a8847ae34adef7bef1e6a285371206d2e8"
"""As basket of listOutputs: the sum of all change. As tag: the sum of what basket and other tags select."""
INVALID_CHANGE_ID = "5a76fd430a311f8bc0553859061710a4475c19fed46e2ff95969aa918e612e57"
"""As basket of listOutputs: change that the network does not know as unspent; tag ``release`` writes it off."""
SET_CHANGE_PARAMS_ID = "a4979d28ced8581e9c1c92f1001cc7cb3aabf8ea32e10888ad898f0a509a3929"
"""As basket of listOutputs: set the number and least value of change outputs, given as two tags."""
NO_SEND_ACTIONS_ID = "ac6b20a3bb320adafecd637b25c84b792ad828d3aa510d05dc841481f664277d"
"""As label of listActions: actions that were not sent; label ``abort`` aborts them."""
FAILED_ACTIONS_ID = "97d4eb1e49215e3374cc2c1939a7c43a55e95c7427bf2d45ed63e3b4e0c88153"
"""As label of listActions: failed actions; label ``unfail`` has them looked at again."""
THROW_REVIEW_ACTIONS_ID = "a496e747fc3ad5fabdd4ae8f91184e71f87539bd3d962aa2548942faaaf0047a"
"""As label of createAction or internalizeAction: raise a sample WERR_REVIEW_ACTIONS, for apps to test with."""

_ADMIN_IDS = frozenset({BALANCE_ID, INVALID_CHANGE_ID, SET_CHANGE_PARAMS_ID, NO_SEND_ACTIONS_ID, FAILED_ACTIONS_ID})


def validate_originator(originator: object) -> str | None:
    """The originator trimmed and in lower case: a domain name of 1 to 250 bytes, each part 1 to 63. None passes."""
    if originator is None:
        return None
    name = identifier(originator, "originator", 250)
    for part in name.split("."):
        if not part:
            raise WERR_INVALID_PARAMETER("originator part", "at least 1 length.")
        if len(part.encode()) > 63:
            raise WERR_INVALID_PARAMETER("originator part", "no more than 63 length.")
    return name


def check_basket(basket: str, originator: str | None) -> None:
    """Refuse a reserved basket to everybody but the owner. ``basket`` is normalised."""
    if originator is None:
        return
    if basket == CHANGE_BASKET or basket.startswith("admin") or basket in _ADMIN_IDS:
        raise WERR_INVALID_PARAMETER("basket", message=f"Basket “{basket}” is admin-only.")
    if basket.startswith("p "):
        # BRC-99 gives these names to modules, and this wallet has none.
        raise WERR_INVALID_PARAMETER("basket", message=f"Unsupported P-basket scheme: p {_scheme(basket)}")


def check_new_basket(basket: str, originator: str | None) -> None:
    """A basket that an output is put into. Nobody may add to the change basket: what is in there is spent as change."""
    if basket == CHANGE_BASKET:
        raise WERR_INVALID_PARAMETER("basket", f"not '{CHANGE_BASKET}'")
    check_basket(basket, originator)


def check_listed_basket(basket: str, originator: str | None) -> None:
    """A basket whose outputs are listed, or summed by its ``balance`` form, which reveals no more than listing it."""
    inner = basket.removeprefix(BALANCE_PREFIX)
    if inner != basket and inner.startswith("p "):
        raise WERR_INVALID_PARAMETER("basket", "without a permission module when its balance is asked for (BRC-112)")
    check_basket(inner, originator)


def check_labels(labels: tuple[str, ...], originator: str | None) -> None:
    """Refuse reserved labels to everybody but the owner. ``labels`` are normalised."""
    if originator is None:
        return
    for label in labels:
        if label.startswith("admin") or label in _ADMIN_IDS:
            raise WERR_INVALID_PARAMETER("label", message=f"Label “{label}” is admin-only.")
        if label.startswith("p "):
            raise WERR_INVALID_PARAMETER("label", message=f"Unsupported P-label scheme: p {_scheme(label)}")


def _scheme(name: str) -> str:
    return name.split(" ")[1]
