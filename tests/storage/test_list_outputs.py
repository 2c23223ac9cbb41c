"""listOutputs and balances in storage: selection, paging, totals, what is included, and for whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listing_world import LOCK, LONG_LOCK, Out, World, new_world, sql

from bsv_wallet_toolbox.brc100.originator import BALANCE_ID
from bsv_wallet_toolbox.brc100.outputs import ValidListOutputs
from bsv_wallet_toolbox.interfaces.statuses import LISTED_OUTPUT_PARENT, TransactionStatus
from bsv_wallet_toolbox.storage.coins import balance
from bsv_wallet_toolbox.storage.listing.balance import balance_of_basket
from bsv_wallet_toolbox.storage.listing.list_outputs import OutputPage, list_outputs
from bsv_wallet_toolbox.storage.users import default_basket
from bsv_wallet_toolbox.transactions.beef import Beef


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as world:
        yield world


@pytest.fixture
def five(world: World) -> World:
    """Outputs of 10 to 14 satoshis, the second tagged a1 and even ones tagged even."""
    tags = [("even",), ("a1",), ("even",), (), ("even", "a1", "last")]
    world.action(*[Out(10 + number, tags=tags[number]) for number in range(5)])
    return world


def amounts(page: OutputPage) -> list[int]:
    return [output.satoshis for output in page.outputs]


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [
        (2, 0, [10, 11]),
        (2, 4, [14]),
        (2, -1, [14, 13]),
        (2, -3, [12, 11]),
        (9, -5, [10]),
        (2, 5, []),
        (2, -6, []),
        (2, 2**53 - 1, []),
        (2, 1 - 2**53, []),
    ],
)
def test_pages_go_forward_from_the_oldest_or_backward_from_the_newest(
    five: World, limit: int, offset: int, expected: list[int]
) -> None:
    page = five.list_outputs(limit=limit, offset=offset)
    assert amounts(page) == expected
    assert page.total == 5


@pytest.mark.parametrize("status", list(TransactionStatus))
def test_outputs_of_transactions_that_may_not_be_built_on_are_neither_listed_nor_counted(
    five: World, status: TransactionStatus
) -> None:
    five.action(Out(100, tags=("a1",)), status=status.value)
    expected = 1 if status in LISTED_OUTPUT_PARENT else 0
    assert [five.list_outputs().total, len(five.list_outputs().outputs)] == [5 + expected] * 2
    assert five.list_outputs(tags=["a1"]).total == 2 + expected
    assert five.list_outputs(basket="balance pg").total == 60 + 100 * expected
    assert five.list_outputs(tags=["a1", BALANCE_ID]).total == 25 + 100 * expected


def test_what_comes_in_is_listed_and_counted_once_a_provider_has_accepted_it(five: World) -> None:
    for status in ("sending", "unproven", "completed"):
        five.action(Out(100, tags=("a1",)), Out(1000, "default", change=True), status=status, incoming=True)
    assert [five.list_outputs().total, len(five.list_outputs().outputs)] == [7, 7]
    assert five.list_outputs(tags=["a1"]).total == 4
    assert five.list_outputs(basket="balance pg").total == 260
    assert five.list_outputs(basket="default").total == 2
    assert (
        balance_of_basket(five.tx, five.user) == balance(five.tx, five.user, default_basket(five.tx, five.user)) == 2000
    )


def test_spent_outputs_other_baskets_and_other_users_are_left_out(five: World) -> None:
    source = five.action(Out(50))
    five.action(Out(49, basket="else"), spends=[(source, 0)])
    five.action(Out(51, spendable=False))
    five.action(Out(52), user=five.other)
    five.action(Out(53), user=five.other, status="failed")
    assert amounts(five.list_outputs()) == [10, 11, 12, 13, 14]
    assert amounts(five.list_outputs(basket="else")) == [49]
    assert five.list_outputs(user=five.other).total == 1
    assert five.list_outputs(user=five.other, basket="else").total == 0


@pytest.mark.parametrize(
    ("tags", "mode", "expected"),
    [
        (["a1"], "any", [11, 14]),
        (["a1"], "all", [11, 14]),
        (["a1", "even"], "any", [10, 11, 12, 14]),
        (["a1", "even"], "all", [14]),
        (["even", "even", " EVEN "], "all", [10, 12, 14]),
        (["a1", "nobody"], "any", [11, 14]),
        (["a1", "nobody"], "all", []),
        (["nobody"], "any", []),
    ],
)
def test_tags_select_by_any_or_all(five: World, tags: list[str], mode: str, expected: list[int]) -> None:
    page = five.list_outputs(tags=tags, tagQueryMode=mode)
    assert amounts(page) == expected
    assert page.total == len(expected)
    assert amounts(five.list_outputs(tags=tags, tagQueryMode=mode, offset=-1)) == expected[::-1]


def test_soft_deleted_tags_and_maps_do_not_exist(five: World) -> None:
    first = five.list_outputs(includeTags=True, limit=1)
    assert first.outputs[0].tags == ("even",)
    five.tx.execute(sql("UPDATE output_tags_map SET isDeleted = 1 WHERE outputId = 1"))
    five.tx.execute(sql("UPDATE output_tags SET isDeleted = 1 WHERE tag = 'a1'"))
    assert amounts(five.list_outputs(tags=["even"])) == [12, 14]
    assert five.list_outputs(tags=["a1"]).total == 0
    assert [output.tags for output in five.list_outputs(includeTags=True).outputs] == [
        (),
        (),
        ("even",),
        (),
        ("even", "last"),
    ]


def test_a_soft_deleted_basket_still_shows_its_coins(five: World) -> None:
    five.tx.execute(sql("UPDATE output_baskets SET isDeleted = 1"))
    assert five.list_outputs().total == 5


def test_the_tags_of_another_user_are_not_the_users(five: World) -> None:
    five.action(Out(9, tags=("theirs",)), user=five.other)
    assert five.list_outputs(tags=["theirs"]).total == 0


def test_only_what_was_asked_for_is_in_the_result(world: World) -> None:
    stored = world.action(
        Out(1000, tags=("t2", "t1"), instructions="ci"), Out(1, instructions=""), Out(2), labels=["m2", "m1"]
    )
    bare = {"satoshis": 1000, "spendable": True, "outpoint": f"{stored.txid}.0"}
    assert world.list_outputs(limit=1).to_result() == {"totalOutputs": 3, "outputs": [bare]}
    everything = world.list_outputs(
        include="locking scripts", includeTags=True, includeLabels=True, includeCustomInstructions=True
    ).to_result()
    assert everything["outputs"][0] == {
        **bare,
        "customInstructions": "ci",
        "labels": ["m1", "m2"],
        "tags": ["t1", "t2"],
        "lockingScript": LOCK.hex(),
    }
    for output in everything["outputs"][1:]:
        assert output["tags"] == []
        assert "customInstructions" not in output


def test_soft_deleted_labels_are_not_shown(world: World) -> None:
    world.action(Out(1), labels=["kept", "gone", "unmapped"])
    world.tx.execute(sql("UPDATE tx_labels SET isDeleted = 1 WHERE label = 'gone'"))
    world.tx.execute(
        sql(
            "UPDATE tx_labels_map SET isDeleted = 1 WHERE txLabelId = "
            "(SELECT txLabelId FROM tx_labels WHERE label = 'unmapped')"
        )
    )
    assert world.list_outputs(includeLabels=True).outputs[0].labels == ("kept",)


@pytest.mark.parametrize(
    ("status", "req", "readable"),
    [
        ("completed", None, True),
        ("unproven", "unmined", True),
        ("unproven", "callback", True),
        ("nosend", "nosend", True),
        ("sending", "invalid", False),
    ],
)
def test_a_long_script_is_read_from_the_raw_transaction(
    world: World, status: str, req: str | None, readable: bool
) -> None:
    world.action(Out(1), Out(2, lock=LONG_LOCK), Out(3, lock=LONG_LOCK + b"\x51"), status=status, req=req)
    scripts = [output.locking_script for output in world.list_outputs(include="locking scripts").outputs]
    assert scripts == [LOCK, LONG_LOCK if readable else None, LONG_LOCK + b"\x51" if readable else None]


def test_a_script_is_cut_out_of_the_raw_transaction_by_offset_and_length(world: World) -> None:
    world.action(Out(1), Out(2), Out(3))
    world.tx.execute(sql("UPDATE proven_txs SET rawTx = x'010203040506070809'"))
    world.tx.execute(sql("UPDATE outputs SET lockingScript = NULL, scriptOffset = 3, scriptLength = 4 WHERE vout = 0"))
    world.tx.execute(sql("UPDATE outputs SET lockingScript = NULL, scriptOffset = 6, scriptLength = 4 WHERE vout = 1"))
    world.tx.execute(sql("UPDATE outputs SET lockingScript = x'51', scriptOffset = 0, scriptLength = 4 WHERE vout = 2"))
    scripts = [output.locking_script for output in world.list_outputs(include="locking scripts").outputs]
    assert scripts == [b"\x04\x05\x06\x07", None, b"\x51"]


def test_scripts_of_many_transactions_are_all_found(world: World) -> None:
    for _ in range(250):
        world.action(Out(1, lock=LONG_LOCK))
    page = world.list_outputs(include="locking scripts", limit=250)
    assert {output.locking_script for output in page.outputs} == {LONG_LOCK}


def test_entire_transactions_come_as_one_beef_that_proves_them_all(world: World) -> None:
    source = world.action(Out(5, basket="source"))
    child = world.action(Out(4), Out(1), status="unproven", spends=[(source, 0)], foreign=False)
    proven = world.action(Out(6))
    page = world.list_outputs(include="entire transactions")
    beef = Beef.parse(page.to_result()["BEEF"])
    assert set(beef.transactions) == {child.txid, proven.txid, source.txid}
    assert not beef.transactions[child.txid].is_proven
    assert beef.transactions[source.txid].is_proven
    assert beef.transactions[proven.txid].is_proven
    assert "lockingScript" not in page.to_result()["outputs"][0]


def test_known_transactions_are_only_named_in_the_beef(world: World) -> None:
    known, other = world.action(Out(5)), world.action(Out(6))
    args = ValidListOutputs("pg", (), "any", False, True, False, False, False, 10, 0, True, known_txids=(known.txid,))
    beef = list_outputs(world.tx, world.user, args, world.cache).beef
    assert beef is not None
    assert beef.is_txid_only(known.txid)
    assert beef.transactions[other.txid].is_proven


def test_an_empty_page_has_no_beef(five: World) -> None:
    for args in ({"offset": 5}, {"basket": "nobody's"}, {"tags": ["nobody's"]}):
        assert "BEEF" not in five.list_outputs(include="entire transactions", **args).to_result()


def test_the_number_of_statements_does_not_grow_with_the_page(world: World) -> None:
    for _ in range(100):
        world.action(Out(1, tags=("a", "b"), lock=LONG_LOCK), labels=["l"])

    def statements(limit: int) -> int:
        before = world.tx.statements
        page = world.list_outputs(
            limit=limit, include="locking scripts", includeTags=True, includeLabels=True, tags=["a"]
        )
        assert len(page.outputs) == limit
        return world.tx.statements - before

    assert statements(100) == statements(10) <= 8


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"basket": "balance pg"}, 60),
        ({"basket": "balance pg", "tags": ["a1"]}, 25),
        ({"basket": "balance pg", "tags": ["a1", "even"], "tagQueryMode": "all"}, 14),
        ({"basket": "balance pg", "tags": ["a1", "nobody"], "tagQueryMode": "all"}, 0),
        ({"basket": "balance nobody's"}, 0),
        ({"tags": [BALANCE_ID]}, 60),
        ({"tags": [BALANCE_ID, "last"]}, 14),
        ({"tags": ["last", BALANCE_ID, "even"], "tagQueryMode": "all"}, 14),
        ({"basket": "nobody's", "tags": [BALANCE_ID]}, 0),
    ],
)
def test_a_balance_is_the_sum_of_what_basket_and_tags_select(
    five: World, args: dict[str, object], expected: int
) -> None:
    page = five.list_outputs(limit=1, include="entire transactions", **args)
    assert page.to_result() == {"totalOutputs": expected, "outputs": []}


def test_the_sums_of_the_acceptance_check(world: World) -> None:
    world.action(*[Out(10 + number, tags=("all", f"a{number}")) for number in range(5)])
    sums = [
        world.list_outputs(basket="balance pg").total,
        world.list_outputs(basket="balance pg", tags=["a1"]).total,
        world.list_outputs(basket="balance nobody's").total,
    ]
    assert sums == [60, 11, 0]


def test_the_wallet_balance_counts_true_change_only(five: World) -> None:
    five.action(Out(1000, basket="default", change=True, tags=("c",)), Out(500, basket="default"))
    five.action(Out(200, basket="default", change=True), status="nosend")
    five.action(Out(100, basket="default", change=True), status="sending")
    five.action(Out(7, basket="default", change=True), status="failed")
    five.action(Out(9, basket="default", change=True), user=five.other)
    five.action(Out(40, basket="default", change=True), Out(80, basket="default", change=True))
    five.tx.execute(sql("UPDATE outputs SET type = 'custom' WHERE satoshis = 40"))
    five.tx.execute(sql("UPDATE outputs SET derivationPrefix = NULL WHERE satoshis = 80"))
    assert balance_of_basket(five.tx, five.user) == 1300
    assert balance_of_basket(five.tx, five.other) == 9
    assert balance_of_basket(five.tx, five.user, tags=["c"]) == 1000
    for args in ({"basket": BALANCE_ID}, {"basket": "balance default"}, {"basket": "default", "tags": [BALANCE_ID]}):
        assert five.list_outputs(**args).total == 1300
    assert five.list_outputs(basket="default").total == 6


def test_the_conformance_vectors_of_an_empty_wallet(world: World, test_data: Path) -> None:
    vectors = json.loads((test_data / "vectors/conformance/listoutputs.json").read_text())["vectors"]
    assert len(vectors) == 144
    for vector in vectors:
        assert world.list_outputs(**vector["input"]["args"]).to_result() == vector["expected"], vector["id"]


outs = st.lists(
    st.tuples(
        st.sampled_from(list(TransactionStatus)),
        st.booleans(),
        st.frozensets(st.sampled_from("abc")),
        st.sampled_from(["pg", "else"]),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(
    outs,
    st.frozensets(st.sampled_from("abc")),
    st.sampled_from(["any", "all"]),
    st.integers(1, 4),
    st.integers(-14, 14),
)
def test_pages_totals_and_sums_agree_with_a_plain_reading_of_the_rules(
    rows: list[tuple[TransactionStatus, bool, frozenset[str], str, bool]],
    tags: frozenset[str],
    mode: str,
    limit: int,
    offset: int,
) -> None:
    with new_world() as world:
        expected = []
        for number, (status, spendable, own, basket, incoming) in enumerate(rows):
            out = Out(2**number, basket, tuple(own), spendable=spendable)
            world.action(out, status=status.value, incoming=incoming)
            chosen = not tags or (tags <= own if mode == "all" else bool(tags & own))
            is_listed = status in LISTED_OUTPUT_PARENT and not (incoming and status is TransactionStatus.SENDING)
            if chosen and spendable and basket == "pg" and is_listed:
                expected.append(out.satoshis)
        page = world.list_outputs(tags=sorted(tags), tagQueryMode=mode, limit=limit, offset=offset)
        start, ordered = (offset, expected) if offset >= 0 else (-offset - 1, expected[::-1])
        assert amounts(page) == ordered[start : start + limit]
        assert page.total == len(expected)
        assert world.list_outputs(basket="balance pg", tags=sorted(tags), tagQueryMode=mode).total == sum(expected)
