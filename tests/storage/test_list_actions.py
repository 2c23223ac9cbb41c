"""listActions in storage: selection by label, status and time, totals, inputs and outputs, and for whom."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from listing_world import LOCK, LONG_LOCK, Out, World, new_world, sql

from bsv_wallet_toolbox.brc100.originator import FAILED_ACTIONS_ID, NO_SEND_ACTIONS_ID
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.storage.listing.list_actions import ActionPage, changes_asked_for

EVERYTHING = {
    "includeLabels": True,
    "includeInputs": True,
    "includeInputSourceLockingScripts": True,
    "includeInputUnlockingScripts": True,
    "includeOutputs": True,
    "includeOutputLockingScripts": True,
}


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as world:
        yield world


def names(page: ActionPage) -> list[str]:
    assert page.total >= len(page.actions)
    return [action.description for action in page.actions]


@pytest.mark.parametrize("status", list(TransactionStatus))
def test_failed_actions_are_hidden_and_all_others_shown(world: World, status: TransactionStatus) -> None:
    world.action(status=status.value)
    hidden = status in (TransactionStatus.FAILED, TransactionStatus.UNFAIL)
    assert [action.status for action in world.list_actions().actions] == ([] if hidden else [status])
    assert world.list_actions().total == (not hidden)


def test_the_magic_labels_select_one_status(world: World) -> None:
    for status in TransactionStatus:
        world.action(status=status.value, labels=["mine"])
    world.action(status="failed")
    assert {action.status.value for action in world.list_actions(FAILED_ACTIONS_ID).actions} == {"failed"}
    assert world.list_actions(FAILED_ACTIONS_ID).total == 2
    assert world.list_actions(FAILED_ACTIONS_ID, "mine").total == 1
    assert [action.status.value for action in world.list_actions(NO_SEND_ACTIONS_ID).actions] == ["nosend"]
    assert world.list_actions(NO_SEND_ACTIONS_ID, "nobody's").total == 0


@pytest.mark.parametrize(("magic", "change"), [(NO_SEND_ACTIONS_ID, "abort"), (FAILED_ACTIONS_ID, "unfail")])
def test_a_change_that_is_asked_for_is_no_label_that_selects(world: World, magic: str, change: str) -> None:
    for status in ("nosend", "failed"):
        world.action(status=status)
        world.action(status=status, labels=[change])
    assert world.list_actions(change, labelQueryMode="all").total == 1
    assert world.list_actions(change, magic, labelQueryMode="all").total == 2
    assert (changes_asked_for([change]), changes_asked_for([change, magic])) == (frozenset(), {change})


@pytest.mark.parametrize(
    ("labels", "mode", "expected"),
    [
        ([], "any", [1, 2, 3, 4]),
        (["a"], "any", [1, 2]),
        (["a"], "all", [1, 2]),
        (["a", "b"], "any", [1, 2, 3]),
        (["a", "b"], "all", [2]),
        (["a", "a", " A "], "all", [1, 2]),
        (["a", "nobody's"], "any", [1, 2]),
        (["a", "b", "nobody's"], "any", [1, 2, 3]),
        (["a", "nobody's"], "all", []),
        (["nobody's"], "any", []),
    ],
)
def test_labels_select_by_any_or_all(world: World, labels: list[str], mode: str, expected: list[int]) -> None:
    for own in (["a"], ["a", "b"], ["b", "c"], []):
        world.action(labels=own)
    world.action(labels=["a", "b"], status="failed")
    world.action(labels=["a", "b", "nobody's"], user=world.other)
    page = world.list_actions(*labels, labelQueryMode=mode)
    assert names(page) == [f"action {number}" for number in expected]
    assert page.total == len(expected)


def test_soft_deleted_labels_and_maps_do_not_exist(world: World) -> None:
    first = world.action(labels=["a", "b", "c"])
    world.action(labels=["a", "b", "c"])
    world.tx.execute(
        sql(
            "UPDATE tx_labels_map SET isDeleted = 1 WHERE transactionId = :id "
            "AND txLabelId = (SELECT txLabelId FROM tx_labels WHERE label = 'a')"
        ),
        id=first.transaction_id,
    )
    world.tx.execute(sql("UPDATE tx_labels SET isDeleted = 1 WHERE label = 'c'"))
    assert world.list_actions("a").total == 1
    assert world.list_actions("a", "b", labelQueryMode="all").total == 1
    assert world.list_actions("a", "b").total == 2
    assert world.list_actions("c").total == 0
    assert [action.labels for action in world.list_actions(includeLabels=True).actions] == [("b",), ("a", "b")]


@pytest.mark.parametrize("labels", [[], ["l"], ["l", "m"]])
def test_every_page_tells_the_exact_total(world: World, labels: list[str]) -> None:
    for _ in range(5):
        world.action(labels=["l", "m"])
    world.action(labels=["l", "m"], status="failed")
    for offset, expected in ((0, [1, 2]), (2, [3, 4]), (4, [5]), (5, []), (2**53 - 1, [])):
        page = world.list_actions(*labels, limit=2, offset=offset)
        assert names(page) == [f"action {number}" for number in expected]
        assert page.total == 5


def test_order_is_by_age_whatever_the_status(world: World) -> None:
    for status in ("unproven", "completed", "nosend", "completed", "unsigned", "sending"):
        world.action(status=status)
    assert names(world.list_actions()) == [f"action {number}" for number in range(1, 7)]
    assert names(world.list_actions(limit=2, offset=3)) == ["action 4", "action 5"]


def test_another_users_actions_are_not_there(world: World) -> None:
    source = world.action(Out(5), user=world.other, labels=["theirs"])
    world.action(Out(4), user=world.other, spends=[(source, 0)])
    assert world.list_actions(**EVERYTHING).to_result() == {"totalActions": 0, "actions": []}
    assert world.list_actions("theirs").total == 0
    assert world.list_actions(user=world.other).total == 2


def test_rows_that_a_faulty_merge_tied_to_another_user_are_not_shown(world: World) -> None:
    mine = world.action(Out(5), labels=["l"])
    theirs = world.action(Out(6), labels=["l"], user=world.other)
    label = "(SELECT txLabelId FROM tx_labels WHERE userId = :id)"
    for owner, stored in ((world.user, theirs), (world.other, mine)):
        world.tx.execute(
            sql(
                "INSERT INTO tx_labels_map (created_at, updated_at, txLabelId, transactionId) "
                f"VALUES ('2024', '2024', {label}, :of)"
            ),
            id=owner.user_id,
            of=stored.transaction_id,
        )
    world.action(Out(7), labels=["m"], user=world.other)
    world.tx.execute(
        sql("UPDATE outputs SET spentBy = :by WHERE userId = :id"), by=mine.transaction_id, id=world.other.user_id
    )
    world.tx.execute(sql("UPDATE outputs SET transactionId = :of, vout = 1 WHERE satoshis = 7"), of=mine.transaction_id)
    for labels in ([], ["l"]):
        page = world.list_actions(*labels, includeInputs=True, includeOutputs=True, includeLabels=True)
        assert (names(page), page.total) == (["action 1"], 1)
        shown = page.actions[0]
        assert shown.outputs is not None
        assert (shown.labels, shown.inputs) == (("l",), ())
        assert [output.satoshis for output in shown.outputs] == [5]


def test_the_result_has_the_shape_of_brc_100(world: World) -> None:
    source = world.action(Out(973, basket="coins"), Out(1, basket=None))
    paid = world.action(
        Out(10, tags=("all", "a0"), description="out 0", instructions="ci"),
        Out(12, basket=None),
        status="sending",
        labels=["mm", "m0"],
        spends=[(source, 0)],
        satoshis=-11,
    )
    bare = {
        "txid": paid.txid,
        "satoshis": -11,
        "status": "sending",
        "isOutgoing": True,
        "description": "action 2",
        "version": 2,
        "lockTime": 2,
    }
    assert world.list_actions("m0").to_result() == {"totalActions": 1, "actions": [bare]}
    outputs = [
        {
            "outputIndex": 0,
            "satoshis": 10,
            "spendable": True,
            "tags": ["a0", "all"],
            "outputDescription": "out 0",
            "basket": "pg",
            "lockingScript": LOCK.hex(),
        },
        {
            "outputIndex": 1,
            "satoshis": 12,
            "spendable": True,
            "tags": [],
            "outputDescription": "an output",
            "basket": "",
            "lockingScript": LOCK.hex(),
        },
    ]
    spent = {
        "sourceOutpoint": f"{source.txid}.0",
        "sourceSatoshis": 973,
        "inputDescription": f"spending {source.outputs[0]}",
        "sequenceNumber": 9,
        "sourceLockingScript": LOCK.hex(),
        "unlockingScript": "5253",
    }
    full = world.list_actions("m0", **EVERYTHING).to_result()
    assert full["actions"] == [{**bare, "labels": ["m0", "mm"], "inputs": [spent], "outputs": outputs}]
    short = world.list_actions("m0", includeInputs=True, includeOutputs=True).to_result()["actions"][0]
    assert set(short["inputs"][0]) == set(spent) - {"sourceLockingScript", "unlockingScript"}
    assert set(short["outputs"][0]) == set(outputs[0]) - {"lockingScript"}


def test_an_action_that_was_never_signed_has_no_txid_and_nothing_to_spend(world: World) -> None:
    source = world.action(Out(973))
    world.action(Out(10), status="unsigned", spends=[(source, 0)])
    unsigned = world.list_actions(offset=1, **EVERYTHING).to_result()["actions"][0]
    assert unsigned["txid"] == ""
    assert unsigned["outputs"][0]["spendable"] is False
    assert unsigned["inputs"][0]["sequenceNumber"] == 0
    assert "unlockingScript" not in unsigned["inputs"][0]


def test_columns_that_peers_leave_empty_have_plain_values(world: World) -> None:
    world.action(Out(1))
    world.tx.execute(sql("UPDATE transactions SET version = NULL, lockTime = NULL, description = NULL"))
    world.tx.execute(sql("UPDATE outputs SET outputDescription = NULL"))
    action = world.list_actions(includeOutputs=True).actions[0]
    assert (action.version, action.lock_time, action.description) == (0, 0, "")
    assert action.outputs is not None
    assert action.outputs[0].description == ""


def test_inputs_of_a_transaction_whose_bytes_are_unknown_have_no_script(world: World) -> None:
    source = world.action(Out(5), Out(6))
    world.action(status="unproven", spends=[(source, 0), (source, 1)], known=False)
    inputs = world.list_actions(offset=1, **EVERYTHING).actions[0].inputs
    assert inputs is not None
    assert [(each.source_vout, each.sequence, each.unlocking_script) for each in inputs] == [(0, 0, None), (1, 0, None)]


def test_long_scripts_are_read_from_raw_transactions(world: World) -> None:
    source = world.action(Out(5, lock=LONG_LOCK))
    world.action(Out(4, lock=LONG_LOCK + b"\x51"), status="unproven", spends=[(source, 0)])
    action = world.list_actions(offset=1, **EVERYTHING).actions[0]
    assert action.inputs is not None
    assert action.outputs is not None
    assert action.inputs[0].source_locking_script == LONG_LOCK
    assert action.outputs[0].locking_script == LONG_LOCK + b"\x51"


def test_outputs_are_in_stored_order_with_everything_the_wallet_tracks(world: World) -> None:
    stored = world.action(Out(1), Out(2, spendable=False), Out(3, basket=None))
    world.tx.execute(sql("UPDATE outputs SET vout = 8 WHERE outputId = :id"), id=stored.outputs[0])
    outputs = world.list_actions(includeOutputs=True).actions[0].outputs
    assert outputs is not None
    assert [(each.vout, each.is_spendable, each.basket) for each in outputs] == [
        (8, True, "pg"),
        (1, False, "pg"),
        (2, True, ""),
    ]


def test_the_number_of_statements_does_not_grow_with_the_page(world: World) -> None:
    for _ in range(50):
        source = world.action(Out(5, tags=("t",)), labels=["l", "m"])
        world.action(Out(4, lock=LONG_LOCK), labels=["l"], spends=[(source, 0)])

    def statements(limit: int) -> int:
        before = world.tx.statements
        assert len(world.list_actions("l", limit=limit, **EVERYTHING).actions) == limit
        return world.tx.statements - before

    assert statements(100) == statements(10) <= 12


def test_time_labels_bound_the_creation_time(world: World) -> None:
    times = []
    for _ in range(4):
        times.append(world.clock.now())
        world.action(labels=["l", "m"])
        world.clock.advance(1000)

    def between(start: int | None, end: int | None, *labels: str) -> list[str]:
        bounds = [f"action time from {start}"] if start is not None else []
        bounds += [f"action time to {end}"] if end is not None else []
        page = world.list_actions(*bounds, *labels)
        assert page.total == len(page.actions)
        return names(page)

    for labels in ([], ["l"], ["l", "m"]):
        assert between(times[1], None, *labels) == ["action 2", "action 3", "action 4"]
        assert between(times[1] + 1, None, *labels) == ["action 3", "action 4"]
        assert between(None, times[2], *labels) == ["action 1", "action 2"]
        assert between(None, times[2] + 1, *labels) == ["action 1", "action 2", "action 3"]
        assert between(times[1], times[2], *labels) == ["action 2"]
        assert between(times[3] + 1, 8_640_000_000_000_000, *labels) == []
        assert between(0, 8_640_000_000_000_000, *labels) == [f"action {number}" for number in range(1, 5)]
    assert between(0, None, "nobody's") == []
    page = world.list_actions(f"action time from {times[1]}", limit=1, offset=1)
    assert (names(page), page.total) == (["action 3"], 3)


def test_the_creation_time_is_shown_as_a_label_when_time_selects(world: World) -> None:
    created = f"action time {world.clock.now()}"
    world.action(labels=["l"])
    world.action(labels=["l", created])
    page = world.list_actions("action time from 0", includeLabels=True)
    assert [action.labels for action in page.actions] == [("l", created), (created, "l")]
    assert world.list_actions("l", includeLabels=True).actions[0].labels == ("l",)
    assert world.list_actions("action time from 0").actions[0].labels is None
    assert world.list_actions(created).total == 1


@pytest.mark.parametrize(
    ("labels", "must_be"),
    [
        (["action time from 1", "action time from 2"], "valid. Duplicate action time from label."),
        (["action time to 1", "l", "action time to 1"], "valid. Duplicate action time to label."),
        (["action time from x"], "valid. Invalid action time from timestamp value."),
        (["action time from -1"], "valid. Invalid action time from timestamp value."),
        (["action time from  1"], "valid. Invalid action time from timestamp value."),
        (["action time from ١"], "valid. Invalid action time from timestamp value."),  # noqa: RUF001 a digit, not ours
        (["action time from 8640000000000001"], "valid. Invalid action time from timestamp value."),
        (["action time to 9007199254740992"], "valid. Invalid action time to timestamp value."),
        ([f"action time to {'9' * 280}"], "valid. Invalid action time to timestamp value."),
        (["action time to 5", "action time from 5"], "valid. action time from must be less than action time to."),
        (["action time from 6", "action time to 5"], "valid. action time from must be less than action time to."),
    ],
)
def test_malformed_time_labels_are_refused(world: World, labels: list[str], must_be: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        world.list_actions(*labels)
    assert refused.value.message == f"The labels parameter must be {must_be}"


def test_other_labels_about_action_time_are_ordinary(world: World) -> None:
    world.action(labels=["action time", "action time from", "action time of day"])
    for label in ("action time", "action time from ", "action time of day"):
        assert world.list_actions(label).total == 1
    assert world.list_actions("action time to").total == 0
