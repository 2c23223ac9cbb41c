"""The world of the regression tests: a network whose posts are kept, and whose answers a test may replace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bsv_wallet_toolbox.interfaces.services import PostAnswer
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import MockChain, MockServices
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.seams import SeededEntropy
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import TransactionView
from wallet_world import World, key_of

MINUTE, HOUR = 60_000, 3_600_000

TOKEN = "5187"
"""A lock that only a push of 1 opens."""
OPENS = "51"
FAILS = "52"

PostRule = Callable[[Sequence[str]], list[PostAnswer]]


@dataclass(frozen=True)
class Post:
    txids: tuple[str, ...]
    beef: Beef


class ObservedServices(MockServices):
    """``posts``: every BEEF that was sent, as it left.

    ``answer`` replaces the chain's answers, which then sees nothing. ``after_post`` runs before the caller is told.
    """

    def __init__(self, mock: MockChain) -> None:
        super().__init__(mock)
        self.posts: list[Post] = []
        self.answer: PostRule | None = None
        self.after_post: Callable[[], Awaitable[None]] | None = None

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        self.posts.append(Post(tuple(txids), Beef.parse(beef)))
        answers = await super().post_beef(beef, txids) if self.answer is None else self.answer(txids)
        if self.after_post is not None:
            await self.after_post()
        return answers

    @property
    def posted(self) -> list[str]:
        """Every txid that was to be sent, in order."""
        return [txid for post in self.posts for txid in post.txids]


class ObservedWorld(World):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.services: ObservedServices = ObservedServices(self.chain)

    def copy_of(self, owner: str, name: str) -> AbstractAsyncContextManager[OpenWallet]:
        """The wallet of ``owner`` in another file, a copy of the first: the same key with other plans."""
        services, key = MockServices(self.chain), StaticKey(key_of(owner))
        entropy = SeededEntropy(f"copy {name}")
        return open_wallet(self.path(name), key, services, monitor=False, clock=self.clock, entropy=entropy)

    async def idle(self, wallet: OpenWallet, *, later: int = 0) -> None:
        """Let the clock go on by ``later`` and the monitor do what is due."""
        self.clock.advance(later)
        await wallet.monitor.run_until_idle()


async def token(wallet: OpenWallet, satoshis: int = 500, lock: str = TOKEN) -> str:
    """Make an output in the basket ``tokens`` and send it; its outpoint."""
    created = await wallet.create_action(
        {
            "description": "make a token",
            "outputs": [
                {"lockingScript": lock, "satoshis": satoshis, "outputDescription": "the token", "basket": "tokens"}
            ],
            "options": {"randomizeOutputs": False, "acceptDelayedBroadcast": False},
        }
    )
    return f"{created['txid']}.0"


def spending(outpoint: str, unlock: str | None = OPENS, **extra: Any) -> dict[str, Any]:
    """createAction arguments that spend one output; ``unlock`` None leaves its script to signAction."""
    script = {"unlockingScript": unlock} if unlock is not None else {"unlockingScriptLength": len(OPENS) // 2}
    return {
        "description": "spend the token",
        "inputs": [{"outpoint": outpoint, "inputDescription": "the token is spent", **script}],
        **extra,
    }


def view_of(created: Any) -> TransactionView:
    """The transaction of a createAction or signAction result."""
    view = Beef.parse(created["tx"]).view(created["txid"])
    assert view is not None
    return view
