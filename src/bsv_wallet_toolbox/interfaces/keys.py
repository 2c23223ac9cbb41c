"""Where a wallet's root key comes from."""

from __future__ import annotations

from typing import Protocol

__all__ = ["KeySource"]


class KeySource(Protocol):
    """Hands out the root key of a wallet when it is opened.

    The contract: the answer is the 32 bytes of a secp256k1 private key, big-endian. It is asked once per opening, on
    the event loop, and may wait for a person; a source that can answer only once raises WERR_INVALID_OPERATION the
    second time. Neither the key nor anything it can be computed from stands in the source's repr, in an error or in a
    log.
    """

    async def root_key(self) -> bytes:
        """The key. Raises WERR_INVALID_PARAMETER when the source holds something that is no private key."""
