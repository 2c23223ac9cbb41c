"""Arguments of getHeaderForHeight, validated."""

from __future__ import annotations

from bsv_wallet_toolbox.brc100.primitives import MAX_UINT32, integer, members

__all__ = ["validate_get_header_for_height"]


def validate_get_header_for_height(args: object) -> int:
    """Check getHeaderForHeight arguments (BRC-100) and return the height; 0 is the genesis block."""
    return integer(members(args, "args").get("height"), "height", None, 0, MAX_UINT32)
