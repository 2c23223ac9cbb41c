"""What the answers of broadcast providers mean for a transaction: a pure function, values in and a verdict out.

Unknown is never "spent", an outage is never an answer, acceptance is provisional. A transaction ends on evidence only:
a competitor that is proven or held by two independent providers, or a rule it breaks by a provider's word and by its
own nature. Everything else waits and is asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice, zip_longest

from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome, RejectReason, TxNetworkStatus

__all__ = [
    "MAX_COMPETITORS",
    "Checks",
    "Competitor",
    "Verdict",
    "VerdictKind",
    "competitors_named",
    "decide",
    "lacks_parents",
    "needs_checks",
    "some_refused",
]

MAX_COMPETITORS = 24
"""Providers may name any number; more than these are not looked at in one round."""

_ENOUGH_PROVIDERS = 2


class VerdictKind(StrEnum):
    ACCEPTED = "accepted"
    RETRY = "retry"
    """Nobody could judge: sent again later, nothing else changes."""
    HOLD = "hold"
    """Refused without proof that it is lost: coins stay reserved, it is asked again, the person is told."""
    DOUBLE_SPEND = "doubleSpend"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Competitor:
    """A transaction said to spend our inputs. ``contested``: the outpoints that its bytes, seen, do spend."""

    txid: str
    contested: frozenset[tuple[str, int]]
    proven: bool
    accepted_by: frozenset[str] = frozenset()
    ancestor: str | None = None
    """The unproven ancestor whose inputs it spends, None when they are those of the transaction itself."""

    @property
    def is_certain(self) -> bool:
        """Whether it ends what it competes with. One provider may have made the other competitors up."""
        return bool(self.contested) and (self.proven or len(self.accepted_by) >= _ENOUGH_PROVIDERS)


@dataclass(frozen=True, slots=True)
class Checks:
    """What was found out after the answers: the network's view of the transaction, of its competitors, and our own."""

    network_status: TxNetworkStatus | None
    """None when nobody answered."""
    competitors: tuple[Competitor, ...] = ()
    breaks_rule: str | None = None
    """The rule that our own check finds broken, None when it passes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: VerdictKind
    reason: str
    competing_txids: tuple[str, ...] = ()


_ACCEPTED = frozenset({PostOutcome.ACCEPTED_SEEN, PostOutcome.ACCEPTED_QUEUED, PostOutcome.ALREADY_KNOWN})
_REFUSED = frozenset({PostOutcome.DOUBLE_SPEND, PostOutcome.REJECTED})
_NO_JUDGEMENT = frozenset({PostOutcome.MISSING_PARENTS, PostOutcome.UNAVAILABLE})
_FINAL_REASONS = frozenset({RejectReason.MALFORMED, RejectReason.FEE_TOO_LOW})


def needs_checks(answers: Sequence[PostAnswer]) -> bool:
    """Whether :func:`decide` can only be asked after the network was asked more."""
    outcomes = {answer.outcome for answer in answers}
    return not outcomes & _ACCEPTED and (some_refused(answers) or lacks_parents(answers))


def some_refused(answers: Sequence[PostAnswer]) -> bool:
    return any(answer.outcome in _REFUSED for answer in answers)


def lacks_parents(answers: Sequence[PostAnswer]) -> bool:
    """Whether a provider does not have what the transaction spends: it may never come, or be spent already."""
    return any(answer.outcome is PostOutcome.MISSING_PARENTS for answer in answers)


def competitors_named(answers: Sequence[PostAnswer]) -> tuple[str, ...]:
    """Txids that providers named as competing, at most ``MAX_COMPETITORS``.

    First those that each provider named first, so that none crowds out what the others say.
    """
    rounds = zip_longest(*(answer.competing_txids[:MAX_COMPETITORS] for answer in answers))
    named = dict.fromkeys(txid for txid in chain.from_iterable(rounds) if txid is not None)
    return tuple(islice(named, MAX_COMPETITORS))


def decide(answers: Sequence[PostAnswer], checks: Checks | None = None) -> Verdict:
    """The verdict on one transaction from every provider's answer about it and, if needed, the checks made since."""
    accepted = [answer.provider for answer in answers if answer.outcome in _ACCEPTED]
    if accepted:
        return Verdict(VerdictKind.ACCEPTED, f"accepted by {', '.join(accepted)}")
    refused = [answer for answer in answers if answer.outcome in _REFUSED]
    named = competitors_named(answers)
    if checks is not None and checks.network_status is TxNetworkStatus.UNKNOWN:
        for competitor in checks.competitors:
            if competitor.is_certain:
                return _double_spend(competitor, named)
    if not refused:
        return Verdict(VerdictKind.RETRY, _why_nobody_judged(answers))
    if checks is None or checks.network_status is None:
        return Verdict(VerdictKind.HOLD, "refused, and nobody could say whether the network has it", named)
    if checks.network_status is not TxNetworkStatus.UNKNOWN:
        return Verdict(VerdictKind.ACCEPTED, f"the network has it ({checks.network_status})")
    # Whoever has not the parents can't judge it, and whoever did not answer may have taken it.
    undecided = any(answer.outcome in _NO_JUDGEMENT for answer in answers)
    rejected = [answer for answer in refused if answer.outcome is PostOutcome.REJECTED]
    final = [answer for answer in rejected if answer.reason in _FINAL_REASONS]
    if not undecided and final:
        return Verdict(VerdictKind.INVALID, f"{final[0].provider}: {final[0].reason}")
    if not undecided and rejected and checks.breaks_rule is not None:
        return Verdict(VerdictKind.INVALID, f"{rejected[0].provider} and our own check: {checks.breaks_rule}")
    return Verdict(VerdictKind.HOLD, f"{refused[0].provider}: {refused[0].text or refused[0].outcome}", named)


def _double_spend(competitor: Competitor, named: tuple[str, ...]) -> Verdict:
    spent = "an input" if competitor.ancestor is None else f"an input of its ancestor {competitor.ancestor}"
    how = "is proven" if competitor.proven else "is held by independent providers"
    txids = tuple(dict.fromkeys((competitor.txid, *named)))
    return Verdict(VerdictKind.DOUBLE_SPEND, f"{competitor.txid} spends {spent} and {how}", txids)


def _why_nobody_judged(answers: Sequence[PostAnswer]) -> str:
    if not answers:
        return "no provider was asked"
    return "; ".join(f"{answer.provider}: {answer.outcome}" for answer in answers)
