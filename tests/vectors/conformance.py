"""The conformance vectors of BRC-100 wallets: files of calls and what they must answer."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bsv_wallet_toolbox.opening import OpenWallet

__all__ = ["DATA", "WITHOUT_DATA", "Vector", "answers", "load"]

DATA = os.environ.get("BSV_WALLET_TEST_DATA")
WITHOUT_DATA = "BSV_WALLET_TEST_DATA is not set: the conformance vectors are not at hand"

_METHODS = {
    "abortaction": "abortAction",
    "internalizeaction": "internalizeAction",
    "listoutputs": "listOutputs",
    "relinquishoutput": "relinquishOutput",
}


@dataclass(frozen=True)
class Vector:
    """One call. ``runs`` is false for those that their authors could not run on an empty wallet."""

    id: str
    method: str
    root_key: bytes
    args: dict[str, Any]
    originator: str | None
    expected: dict[str, Any]
    runs: bool

    def __str__(self) -> str:
        return self.id

    @property
    def must_fail(self) -> bool:
        return "error" in self.expected

    async def call(self, wallet: OpenWallet, args: dict[str, Any] | None = None) -> Any:
        """Make the call, with other arguments where the recorded ones are placeholders."""
        name = re.sub(r"(?=[A-Z])", "_", self.method).lower()
        return await getattr(wallet, name)(self.args if args is None else args, self.originator)


def load(category: str) -> list[Vector]:
    """The vectors of one file; none where the data is not at hand."""
    if not DATA:
        return []
    body = json.loads((Path(DATA) / "vectors" / "conformance" / f"{category}.json").read_text())
    assert body["id"].rsplit(".", 1)[-1] == category
    return [_vector(category, each, body["parity_class"]) for each in body["vectors"]]


def _vector(category: str, body: dict[str, Any], parity_class: str) -> Vector:
    given = body["input"]
    return Vector(
        id=body["id"],
        method=_METHODS[category],
        root_key=bytes.fromhex(given.get("root_key", "").zfill(64)) if "root_key" in given else bytes(31) + b"\x01",
        args=given["args"],
        originator=given.get("originator"),
        expected=body["expected"],
        runs=not body.get("skip") and body.get("parity_class", parity_class) != "intended",
    )


def answers(result: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether ``result`` says all that is expected; it may say more."""
    return {key: result.get(key) for key in expected} == expected
