"""Tags of outputs and labels of actions: given once, however they are asked for, and with few statements."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from listing_world import Out, World, new_world, sql

from bsv_wallet_toolbox.storage.names import label_transaction, tag_outputs


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as world:
        yield world


def test_many_tags_of_many_outputs_take_few_statements(world: World) -> None:
    """They are written under the lock that every other writer waits for."""
    tags = [f"tag {number}" for number in range(10)]
    made = world.action(*[Out(1)] * 200)
    before = world.tx.statements
    tag_outputs(world.tx, world.user, dict.fromkeys(made.outputs, tags))
    assert world.tx.statements - before < 100
    assert world.list_outputs(tags=tags, tagQueryMode="all").total == 200


def test_a_tag_given_twice_stands_once(world: World) -> None:
    made = world.action(Out(1, tags=("a", "b", "a")))
    tag_outputs(world.tx, world.user, {made.outputs[0]: ["b", "c", "c"]})
    assert world.list_outputs(includeTags=True).outputs[0].tags == ("a", "b", "c")


def test_a_deleted_tag_comes_back_when_it_is_given_again(world: World) -> None:
    made = world.action(Out(1, tags=("a",)), labels=("l",))
    for table in ("output_tags", "output_tags_map", "tx_labels", "tx_labels_map"):
        world.tx.execute(sql(f"UPDATE {table} SET isDeleted = 1"))
    assert world.list_outputs(includeTags=True).outputs[0].tags == ()
    tag_outputs(world.tx, world.user, {made.outputs[0]: ["a"]})
    label_transaction(world.tx, world.user, made.transaction_id, ["l"])
    assert world.list_outputs(includeTags=True).outputs[0].tags == ("a",)
    assert world.list_actions("l", includeLabels=True).actions[0].labels == ("l",)
