"""The verdict on a post, as a table: no answer frees a coin that the evidence does not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import pytest

from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome, RejectReason, TxNetworkStatus
from bsv_wallet_toolbox.provider.verdict import (
    MAX_COMPETITORS,
    Checks,
    Competitor,
    VerdictKind,
    competitors_named,
    decide,
    needs_checks,
)

TXID, RIVAL = "aa" * 32, "bb" * 32
UNKNOWN, KNOWN, MINED = TxNetworkStatus.UNKNOWN, TxNetworkStatus.KNOWN, TxNetworkStatus.MINED


def answer(
    outcome: PostOutcome, reason: RejectReason = RejectReason.UNSTATED, provider: str = "one", rival: bool = False
) -> PostAnswer:
    return PostAnswer(provider, TXID, outcome, (RIVAL,) if rival else (), reason=reason)


ACCEPTED = answer(PostOutcome.ACCEPTED_SEEN)
QUEUED = answer(PostOutcome.ACCEPTED_QUEUED)
ALREADY = answer(PostOutcome.ALREADY_KNOWN)
SILENT = answer(PostOutcome.UNAVAILABLE)
ORPHAN = answer(PostOutcome.MISSING_PARENTS)
CLAIMED = answer(PostOutcome.DOUBLE_SPEND, rival=True)
REJECTED = answer(PostOutcome.REJECTED)
BROKEN = answer(PostOutcome.REJECTED, RejectReason.RULE)
CHEAP = answer(PostOutcome.REJECTED, RejectReason.FEE_TOO_LOW)
MALFORMED = answer(PostOutcome.REJECTED, RejectReason.MALFORMED)
FINE = Checks(UNKNOWN)
CONTESTED = frozenset({("aa" * 32, 0)})
PROVEN = Checks(UNKNOWN, (Competitor(RIVAL, contested=CONTESTED, proven=True),))
HELD_BY_ONE = Checks(UNKNOWN, (Competitor(RIVAL, CONTESTED, False, frozenset({"one"})),))
HELD_BY_TWO = Checks(UNKNOWN, (Competitor(RIVAL, CONTESTED, False, frozenset({"one", "two"})),))
ANCESTOR = Checks(UNKNOWN, (Competitor(RIVAL, CONTESTED, True, ancestor="cc" * 32),))
NO_CONFLICT = Checks(
    UNKNOWN, (Competitor(RIVAL, contested=frozenset(), proven=True, accepted_by=frozenset({"one", "two"})),)
)

TABLE: list[tuple[str, list[PostAnswer], Checks | None, VerdictKind]] = [
    ("nobody asked", [], None, VerdictKind.RETRY),
    ("nobody answered", [SILENT, SILENT], None, VerdictKind.RETRY),
    ("parents missing", [ORPHAN], None, VerdictKind.RETRY),
    ("parents missing and nobody else", [ORPHAN, SILENT], None, VerdictKind.RETRY),
    ("accepted", [ACCEPTED], None, VerdictKind.ACCEPTED),
    ("queued", [SILENT, QUEUED], None, VerdictKind.ACCEPTED),
    ("known, though called a double spend", [CLAIMED, ALREADY], None, VerdictKind.ACCEPTED),
    ("refused, but the network has it", [CHEAP], Checks(KNOWN), VerdictKind.ACCEPTED),
    ("a double spend, but it is mined", [CLAIMED], Checks(MINED), VerdictKind.ACCEPTED),
    ("a rival is only claimed", [CLAIMED], FINE, VerdictKind.HOLD),
    ("a rival in one mempool", [CLAIMED], HELD_BY_ONE, VerdictKind.HOLD),
    ("a rival that does not conflict", [CLAIMED], NO_CONFLICT, VerdictKind.HOLD),
    ("a rival in two mempools", [CLAIMED], HELD_BY_TWO, VerdictKind.DOUBLE_SPEND),
    ("a rival that is proven", [CLAIMED], PROVEN, VerdictKind.DOUBLE_SPEND),
    ("parents missing, an ancestor's rival is proven", [ORPHAN, SILENT], ANCESTOR, VerdictKind.DOUBLE_SPEND),
    ("parents missing, but the network has it", [ORPHAN], replace(ANCESTOR, network_status=KNOWN), VerdictKind.RETRY),
    ("parents missing, nobody knows more", [ORPHAN], replace(ANCESTOR, network_status=None), VerdictKind.RETRY),
    ("parents missing, a rival is only claimed", [ORPHAN], HELD_BY_ONE, VerdictKind.RETRY),
    ("accepted, whatever is said of an ancestor", [ORPHAN, ACCEPTED], ANCESTOR, VerdictKind.ACCEPTED),
    ("nobody knows whether the network has it", [CLAIMED], Checks(None), VerdictKind.HOLD),
    ("not checked", [CHEAP], None, VerdictKind.HOLD),
    ("rejected, who knows why", [REJECTED], FINE, VerdictKind.HOLD),
    ("rejected and our own check agrees", [REJECTED], Checks(UNKNOWN, (), "amounts"), VerdictKind.INVALID),
    ("a rule that our own check does not find broken", [BROKEN], FINE, VerdictKind.HOLD),
    ("fee too low", [CHEAP], FINE, VerdictKind.INVALID),
    ("malformed", [MALFORMED], FINE, VerdictKind.INVALID),
    ("malformed, but another may have taken it", [MALFORMED, SILENT], FINE, VerdictKind.HOLD),
    ("fee too low, says one that lacks the parents' parents", [CHEAP, ORPHAN], FINE, VerdictKind.HOLD),
]


@pytest.mark.parametrize(("answers", "checks", "kind"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_evidence_table(answers: list[PostAnswer], checks: Checks | None, kind: VerdictKind) -> None:
    assert decide(answers, checks).kind is kind


def test_it_never_ends_a_transaction_unless_it_was_checked() -> None:
    outcomes = [ACCEPTED, QUEUED, ALREADY, SILENT, ORPHAN, CLAIMED, REJECTED, BROKEN, CHEAP, MALFORMED]
    for answers in combinations_with_replacement(outcomes, 3):
        for checks in (None, Checks(None), Checks(None, PROVEN.competitors, "broken")):
            assert decide(answers, checks).kind not in (VerdictKind.DOUBLE_SPEND, VerdictKind.INVALID)
        accepted = bool({ACCEPTED, QUEUED, ALREADY} & set(answers))
        assert (decide(answers, FINE).kind is VerdictKind.ACCEPTED) == accepted
        assert not (accepted and needs_checks(answers))


def test_no_provider_names_so_many_competitors_that_another_is_not_heard() -> None:
    loud = PostAnswer("loud", TXID, PostOutcome.REJECTED, tuple(f"{number:064x}" for number in range(1000)))
    quiet = PostAnswer("quiet", TXID, PostOutcome.DOUBLE_SPEND, (RIVAL,))
    named = competitors_named([loud, quiet])
    assert len(named) == MAX_COMPETITORS
    assert named[:3] == (f"{0:064x}", RIVAL, f"{1:064x}")
    assert competitors_named([]) == ()
