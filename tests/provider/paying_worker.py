"""A process of its own that pays from a wallet file that others pay from too. Run by test_concurrency.

Arguments: wallet file, mock chain file, how many payments at once, satoshis, ``delayed`` or ``immediate``, and ``one``
or ``two`` commits. Waits for a line on its input, pays, and prints a JSON object: txids and the names of errors.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import MockChain, MockServices, SqliteStore
from bsv_wallet_toolbox.opening import open_wallet
from bsv_wallet_toolbox.wallet.wallet import Wallet
from storage_adapters import TwoCommits
from wallet_world import NOWHERE, key_of, payment_to


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def pay(
    path: str, chain: str, count: int, satoshis: int, delayed: bool, two_commits: bool
) -> dict[str, list[str]]:
    services = MockServices(MockChain(SqliteStore(chain), deterministic=True))
    async with open_wallet(path, StaticKey(key_of("alice")), services, monitor=False) as opened:
        wallet: Wallet = opened
        if two_commits:
            scope = await opened.provider.find_user(opened.identity_key)
            storage = TwoCommits(opened.provider.for_user(scope))
            wallet = Wallet(KeyDeriver(key_of("alice")), storage, services)
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        args = payment_to(NOWHERE, satoshis, delayed=delayed)
        results = await asyncio.gather(*(wallet.create_action(args) for _ in range(count)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, WalletError):
            raise result
    return {
        "txids": [str(each["txid"]) for each in results if not isinstance(each, BaseException)],
        "errors": [type(each).__name__ for each in results if isinstance(each, BaseException)],
    }


if __name__ == "__main__":
    path, chain, count, satoshis, mode, commits = sys.argv[1:]
    answer = asyncio.run(pay(path, chain, int(count), int(satoshis), mode == "delayed", commits == "two"))
    say(json.dumps(answer))
