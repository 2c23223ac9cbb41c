"""What two wallets must own, worked out from the bytes that their calls answered and from nothing else.

The model holds every transaction that a call gave out. Which of its outputs are change follows from what the caller
asked for: all that it did not ask for. No row, no status and no sum of a wallet is ever looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.funding import MAX_POSSIBLE_SATOSHIS
from bsv_wallet_toolbox.transactions.tx import OutputView, TransactionView

Outpoint = tuple[str, int]


class Fate(StrEnum):
    """What the caller was told last."""

    SENT = "sent"
    HELD = "held"
    ABORTED = "aborted"


class Kind(StrEnum):
    CHANGE = "change"
    TOKEN = "token"
    KEPT = "kept"
    """A payment that its owner put into a basket."""


@dataclass
class Coin:
    owner: str
    kind: Kind
    satoshis: int


@dataclass
class Made:
    """A transaction of ``maker`` (of nobody here, when it is a stranger's). ``beef`` is what its caller got.

    ``given``: others have seen it, so that it may reach the network whatever its maker does. ``may_fail``: a provider
    said of it, or of what it builds on, that it can never be mined.
    """

    maker: str
    view: TransactionView
    beef: bytes
    fate: Fate
    given: bool = False
    may_fail: bool = False

    @property
    def txid(self) -> str:
        return self.view.txid

    def spends(self) -> Iterator[Outpoint]:
        return ((each.txid, each.vout) for each in self.view.inputs)


@dataclass
class Unsigned:
    """An action that waits for signAction."""

    maker: str
    reference: str
    view: TransactionView
    wanted: Sequence[Wanted]
    until: int
    """Milliseconds: from then on the monitor may give it up."""
    is_held: bool = False
    scripts: dict[str, dict[str, str]] = field(default_factory=dict)
    """What signAction is given, by input."""

    def spends(self) -> Iterator[Outpoint]:
        return ((each.txid, each.vout) for each in self.view.inputs)


@dataclass(frozen=True)
class Wanted:
    """An output that the caller asked for; ``owner`` None: of nobody here."""

    script: bytes
    satoshis: int
    owner: str | None = None
    kind: Kind = Kind.CHANGE

    def is_met_by(self, output: OutputView) -> bool:
        amounts = (output.satoshis, MAX_POSSIBLE_SATOSHIS)
        return self.script == output.locking_script and self.satoshis in amounts


class CoinModel:
    def __init__(self) -> None:
        self.made: dict[str, Made] = {}
        self.unsigned: dict[str, Unsigned] = {}
        self.coins: dict[Outpoint, Coin] = {}

    # what calls answered

    def funded(self, owner: str, view: TransactionView, beef: bytes, count: int) -> None:
        self.made[view.txid] = Made("", view, beef, Fate.SENT, given=True)
        for vout in range(count):
            self.coins[view.txid, vout] = Coin(owner, Kind.CHANGE, view.outputs[vout].satoshis)

    def created(self, maker: str, beef: bytes, wanted: Sequence[Wanted], fate: Fate) -> Made:
        """A signed transaction. What pays somebody else is theirs once they took it in (:meth:`received`)."""
        view = subject_of(beef)
        made = self.made[view.txid] = Made(maker, view, beef, fate)
        if fate is Fate.SENT:
            self.sent(made)
        left = list(wanted)
        for vout, output in enumerate(view.outputs):
            asked = next((each for each in left if each.is_met_by(output)), None)
            if asked is not None:
                left.remove(asked)
                if asked.owner == maker:
                    self.coins[view.txid, vout] = Coin(maker, asked.kind, output.satoshis)
            elif maker:
                self.coins[view.txid, vout] = Coin(maker, Kind.CHANGE, output.satoshis)
        assert not left, "an output that was asked for is not in the transaction"
        return made

    def received(self, owner: str, txid: str, vout: int, kind: Kind = Kind.CHANGE) -> None:
        self.give(self.made[txid])
        self.coins[txid, vout] = Coin(owner, kind, self.made[txid].view.outputs[vout].satoshis)

    def give(self, made: Made) -> None:
        """Others have seen it, with what it builds on."""
        if not made.given:
            made.given = True
            for txid in made.view.source_txids:
                if txid in self.made:
                    self.give(self.made[txid])

    def sent(self, made: Made) -> None:
        """It goes to the network, and what was held back below it with it; that of others without their knowing."""
        made.fate = Fate.SENT
        for txid in made.view.source_txids:
            parent = self.made.get(txid)
            if parent is None or parent.fate is not Fate.HELD:
                continue
            if parent.maker == made.maker:
                self.sent(parent)
            else:
                self.give(parent)

    def give_up_unsigned(self, maker: str, now: int) -> None:
        """What nobody signed in time is given up by the monitor of its maker."""
        self.unsigned = {
            reference: each for reference, each in self.unsigned.items() if each.maker != maker or now < each.until
        }

    # what follows

    def held(self, owner: str) -> list[Made]:
        return [made for made in self.made.values() if made.maker == owner and made.fate is Fate.HELD]

    def builds_on_aborted(self, made: Made) -> bool:
        parents = [self.made[txid] for txid in made.view.source_txids if txid in self.made]
        return made.fate is Fate.ABORTED or any(map(self.builds_on_aborted, parents))

    def living(self) -> list[Made]:
        return [made for made in self.made.values() if made.fate is not Fate.ABORTED]

    def spenders(self, owner: str | None = None) -> dict[Outpoint, Made | Unsigned]:
        """By outpoint, what alive spends it; of ``owner`` only, when given."""
        spent: dict[Outpoint, Made | Unsigned] = {}
        for each in (*self.living(), *self.unsigned.values()):
            if owner is None or each.maker == owner:
                spent.update(dict.fromkeys(each.spends(), each))
        return spent

    def children(self, made: Made) -> list[Made | Unsigned]:
        """What alive of its maker spends its outputs."""
        return [each for (txid, _), each in self.spenders(made.maker).items() if txid == made.txid]

    def unspent(self, owner: str, kind: Kind, *, by: str | None = None) -> dict[Outpoint, Coin]:
        """Coins in living transactions that nothing alive spends, as far as ``by`` (all, when None) did it."""
        spent = self.spenders(by)
        return {
            outpoint: coin
            for outpoint, coin in self.coins.items()
            if coin.owner == owner
            and coin.kind is kind
            and outpoint not in spent
            and self.made[outpoint[0]].fate is not Fate.ABORTED
        }

    def balance(self, owner: str) -> int:
        return sum(coin.satoshis for coin in self.unspent(owner, Kind.CHANGE).values())

    def lies_told(self, is_mined: Callable[[str], bool]) -> None:
        """A provider says from now on that fees are too low: what is not mined yet may be believed lost."""
        for made in self.living():
            if not is_mined(made.txid):
                made.may_fail = True

    # what the chain says in the end

    def settle(self, is_mined: Callable[[str], bool]) -> set[str]:
        """Compare with the chain when nothing is on the way any more; txids that came to nothing.

        What was sent must be mined unless something that was seen excuses it: a provider's lie about fees, a rival that
        spends the same, a parent that came to nothing.
        """
        lost: set[str] = set()
        mined_spends = {
            outpoint: made.txid for made in self.made.values() if is_mined(made.txid) for outpoint in made.spends()
        }
        for made in self._parents_first():
            if is_mined(made.txid):
                assert made.fate is not Fate.ABORTED or made.given, (
                    f"{made.txid} was aborted, shown to nobody and mined"
                )
                assert made.fate is not Fate.HELD or made.given, f"{made.txid} is held back and mined"
                made.fate = Fate.SENT
            elif made.fate is Fate.SENT:
                has_rival = any(outpoint in mined_spends for outpoint in made.spends())
                is_orphan = any(txid in lost for txid in made.view.source_txids)
                assert made.may_fail or has_rival or is_orphan, f"{made.txid} of {made.maker} was not mined"
                lost.add(made.txid)
                made.fate = Fate.ABORTED
            elif made.fate is Fate.ABORTED:
                lost.add(made.txid)
        return lost

    def _parents_first(self) -> list[Made]:
        """Transactions in the order in which they were made: none is older than its parents."""
        return list(self.made.values())


def subject_of(beef: bytes) -> TransactionView:
    parsed = Beef.parse(beef)
    view = parsed.view(str(parsed.subject))
    assert view is not None
    return view
