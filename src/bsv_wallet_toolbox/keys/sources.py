"""Key sources: ways to hand a root key to a wallet without writing it into a program, a URL or a command line."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio.to_thread

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.keys.derivation import checked_root_key

__all__ = ["CallbackKey", "EnvironmentKey", "FileDescriptorKey", "StaticKey"]

_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
_LONGEST_TEXT = 66
"""64 digits and a line end."""


@dataclass(frozen=True, slots=True, eq=False)
class StaticKey:
    """A key that stands in the program's memory already: for tests and the mock chain."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        checked_root_key(self.key)

    async def root_key(self) -> bytes:
        return bytes(self.key)


@dataclass(frozen=True, slots=True, eq=False)
class CallbackKey:
    """Asks the host program: ``callback`` answers the 32 bytes, at once or as an awaitable. What it raises goes
    through.
    """

    callback: Callable[[], bytes | Awaitable[bytes]] = field(repr=False)

    async def root_key(self) -> bytes:
        answer = self.callback()
        return checked_root_key(await answer if inspect.isawaitable(answer) else answer)


class FileDescriptorKey:
    """Reads 64 hex digits (a line end may follow) from a descriptor that the parent process opened, once, and closes
    it.
    """

    __slots__ = ("_descriptor", "_spent")

    def __init__(self, descriptor: int) -> None:
        if type(descriptor) is not int or descriptor < 0:
            raise WERR_INVALID_PARAMETER("descriptor", "an open file descriptor")
        self._descriptor = descriptor
        self._spent = False

    def __repr__(self) -> str:
        return f"FileDescriptorKey({self._descriptor})"

    async def root_key(self) -> bytes:
        """Raises WERR_INVALID_OPERATION when it was read before or cannot be read."""
        if self._spent:
            raise WERR_INVALID_OPERATION(f"The root key was already read from file descriptor {self._descriptor}.")
        self._spent = True
        return await anyio.to_thread.run_sync(self._read, abandon_on_cancel=True)

    def _read(self) -> bytes:
        try:
            with os.fdopen(self._descriptor, "rb", buffering=0) as file:
                data = b""
                while len(data) <= _LONGEST_TEXT and not data.endswith(b"\n"):
                    part = file.read(_LONGEST_TEXT + 1 - len(data))
                    if not part:
                        break
                    data += part
        except OSError as error:
            raise WERR_INVALID_OPERATION(
                f"The root key cannot be read from file descriptor {self._descriptor}: {error.strerror}."
            ) from None
        return _parse(data.decode("latin-1"))


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """Reads 64 hex digits from an environment variable. Not on the main net: other processes can read the environment.

    Raises WERR_INVALID_OPERATION for ``Chain.MAIN`` and when the variable is not set.
    """

    variable: str
    chain: Chain

    def __post_init__(self) -> None:
        if self.chain == Chain.MAIN:
            raise WERR_INVALID_OPERATION("A root key of the main net is not taken from an environment variable.")

    async def root_key(self) -> bytes:
        text = os.environ.get(self.variable)
        if text is None:
            raise WERR_INVALID_OPERATION(f"The environment variable {self.variable} with the root key is not set.")
        return _parse(text)


def _parse(text: str) -> bytes:
    digits = text.removesuffix("\n").removesuffix("\r")
    if _HEX_KEY.fullmatch(digits) is None:
        raise WERR_INVALID_PARAMETER("rootKey", "64 hexadecimal digits")
    return checked_root_key(bytes.fromhex(digits))
