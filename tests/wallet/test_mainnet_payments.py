"""Five real payments of main net: taken in against their real Merkle root, then spent."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from main_network import RecordedMainNet

from bsv_wallet_toolbox.errors import WERR_INVALID_MERKLE_ROOT, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.seams import ManualClock, SeededEntropy
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.script_vm import verify_input
from bsv_wallet_toolbox.transactions.spv import needed_roots, verify_beef
from wallet_file import rows

pytestmark = pytest.mark.anyio

SCRIPT = "76a914" + "11" * 20 + "88ac"


@dataclass(frozen=True)
class Recorded:
    root_key: bytes
    roots: dict[int, str]
    payments: list[dict[str, Any]]

    @property
    def txids(self) -> list[str]:
        return [payment["txid"] for payment in self.payments]


@pytest.fixture(scope="module")
def recorded(test_data: Path) -> Recorded:
    found = json.loads((test_data / "data" / "mainnet_payments.json").read_text())
    roots = {int(height): root for height, root in found["merkleRoots"].items()}
    return Recorded(bytes.fromhex(found["rootKey"]), roots, found["payments"])


class RecordedEntropy:
    """Gives the bytes of a recorded action from the moment it is told to; what came before was not recorded."""

    def __init__(self) -> None:
        self._stream = SeededEntropy("before the recording")

    def start(self, seed: str) -> None:
        self._stream = SeededEntropy(seed)

    def bytes(self, count: int) -> bytes:
        return self._stream.bytes(count)

    def fraction(self) -> float:
        return self._stream.fraction()


@pytest.fixture
async def wallet(recorded: Recorded, tmp_path: Path) -> AsyncIterator[OpenWallet]:
    async with open_wallet(
        tmp_path / "main.sqlite",
        StaticKey(recorded.root_key),
        RecordedMainNet(recorded.roots, recorded.txids),
        create=True,
        monitor=False,
        clock=ManualClock(1_757_000_000_000),
        entropy=SeededEntropy("main"),
    ) as opened:
        yield opened


def internalize_args(payment: dict[str, Any], **changed: str) -> dict[str, Any]:
    remittance = {name: payment[name] for name in ("derivationPrefix", "derivationSuffix", "senderIdentityKey")}
    return {
        "tx": bytes.fromhex(payment["atomicBeef"]),
        "description": "a real payment",
        "outputs": [
            {
                "outputIndex": payment["outputIndex"],
                "protocol": "wallet payment",
                "paymentRemittance": remittance | changed,
            }
        ],
    }


async def take_all(wallet: OpenWallet, recorded: Recorded) -> None:
    for payment in recorded.payments:
        result = await wallet.internalize_action(internalize_args(payment))
        assert result == {
            "accepted": True,
            "isMerge": False,
            "txid": payment["txid"],
            "satoshis": payment["satoshis"],
        }


async def test_all_five_are_taken_in_as_known_to_the_network(wallet: OpenWallet, recorded: Recorded) -> None:
    await take_all(wallet, recorded)
    assert await wallet.balance() == 5 * 973
    actions = await wallet.list_actions({"labels": []})
    assert [action["status"] for action in actions["actions"]] == ["unproven"] * 5
    assert [action["txid"] for action in actions["actions"]] == recorded.txids


async def test_a_payment_of_a_thousand_satoshis_passes_the_script_machine(
    wallet: OpenWallet, recorded: Recorded
) -> None:
    await take_all(wallet, recorded)
    created = await wallet.create_action(
        {
            "description": "pay from real coins",
            "outputs": [{"lockingScript": SCRIPT, "satoshis": 1000, "outputDescription": "a thousand"}],
        }
    )

    beef = Beef.parse(created["tx"])
    assert beef.subject == created["txid"]
    spent = beef.view(created["txid"])
    assert spent is not None
    sources = []
    for vin, each in enumerate(spent.inputs):
        parent = beef.view(each.txid)
        assert parent is not None
        source = parent.outputs[each.vout]
        assert verify_input(spent, vin, source.satoshis, source.locking_script) is None
        sources.append(source.satoshis)
    assert set(sources) == {973}
    assert 1000 in [output.satoshis for output in spent.outputs]

    fee = sum(sources) - sum(output.satoshis for output in spent.outputs)
    assert 100 * len(spent.raw) <= fee * 1000 <= 100 * (len(spent.raw) + 10 * len(sources)) + 1000
    assert await wallet.balance() == 5 * 973 - 1000 - fee

    assert needed_roots(beef, created["txid"]) == [(root, height) for height, root in recorded.roots.items()]
    verify_beef(beef, [created["txid"]], lambda root, height: recorded.roots.get(height) == root)


async def test_one_flipped_signature_bit_does_not_pass(wallet: OpenWallet, recorded: Recorded) -> None:
    await take_all(wallet, recorded)
    created = await wallet.create_action(
        {
            "description": "pay from real coins",
            "outputs": [{"lockingScript": SCRIPT, "satoshis": 1000, "outputDescription": "a thousand"}],
        }
    )
    beef = Beef.parse(created["tx"])
    spent = beef.view(created["txid"])
    assert spent is not None
    signature = spent.inputs[0].unlocking_script
    bent = signature[:20] + bytes([signature[20] ^ 1]) + signature[21:]
    forged = Beef.parse(beef.to_bytes().replace(signature, bent))
    txid = next(txid for txid in forged.transactions if txid not in beef)
    with pytest.raises(WERR_INVALID_PARAMETER):
        verify_beef(forged, [txid], lambda root, height: recorded.roots.get(height) == root)


async def test_the_wrong_sender_or_key_is_refused(wallet: OpenWallet, recorded: Recorded) -> None:
    payment, other = recorded.payments[:2]
    for changed in (
        {"senderIdentityKey": other["senderIdentityKey"]},
        {"derivationPrefix": other["derivationPrefix"]},
        {"derivationSuffix": other["derivationSuffix"]},
    ):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await wallet.internalize_action(internalize_args(payment, **changed))
        assert refused.value.parameter == "paymentRemittance"
    assert await wallet.balance() == 0


async def test_headers_with_another_root_refuse_it(recorded: Recorded, tmp_path: Path) -> None:
    lies = RecordedMainNet(dict.fromkeys(recorded.roots, "ab" * 32), recorded.txids)
    async with open_wallet(
        tmp_path / "lied.sqlite", StaticKey(recorded.root_key), lies, create=True, monitor=False
    ) as wallet:
        with pytest.raises(WERR_INVALID_MERKLE_ROOT):
            await wallet.internalize_action(internalize_args(recorded.payments[0]))
        assert await wallet.balance() == 0


async def test_the_recorded_action_spends_the_same_coins_in_the_same_order_to_the_same_change(
    recorded: Recorded, tmp_path: Path
) -> None:
    """Another toolbox recorded this action on main net, with a change basket that asks for no coins.

    The script that it paid was not handed down, so its txid can't be compared; all that the wallet itself chose is.
    """
    path, entropy = tmp_path / "main.sqlite", RecordedEntropy()
    key, services = StaticKey(recorded.root_key), RecordedMainNet(recorded.roots, recorded.txids)
    async with open_wallet(path, key, services, create=True, monitor=False, entropy=entropy) as opened:
        await take_all(opened, recorded)
    file = apsw.Connection(str(path))
    file.execute("UPDATE output_baskets SET numberOfDesiredUTXOs = 0, minimumDesiredUTXOValue = 0")
    file.close()

    async with open_wallet(path, key, services, monitor=False, entropy=entropy, derive_from_key=False) as opened:
        entropy.start("wallet.brc100.createaction-funded.1")
        created = await opened.create_action(
            {
                "description": "a recorded action",
                "outputs": [{"lockingScript": SCRIPT, "satoshis": 1000, "outputDescription": "a thousand"}],
                "options": {"randomizeOutputs": False},
            }
        )

    spent = Beef.parse(created["tx"]).view(created["txid"])
    assert spent is not None
    assert [(each.txid[:8], each.vout) for each in spent.inputs] == [("298c56a5", 0), ("39c475da", 0)]
    assert [(each.satoshis, each.locking_script.hex()) for each in spent.outputs] == [
        (1000, SCRIPT),
        (908, "76a914d7be415bf5f4d4a41d49c6a44ad5eea51bd2ac7288ac"),
    ]
    assert 2 * 973 - sum(each.satoshis for each in spent.outputs) == 38
    change = "SELECT derivationPrefix, derivationSuffix FROM outputs WHERE txid = ? AND vout = 1"
    assert rows(path, change, created["txid"]) == [("v0L5q+NNboCjsmtUEE82mg==", "1+dPrCwRh4UQMPFKGEk/cg==")]
    (reference,) = rows(path, "SELECT reference FROM transactions WHERE txid = ?", created["txid"])
    assert b64decode(reference)[:8].hex() == "485c789b7eaf370c"
