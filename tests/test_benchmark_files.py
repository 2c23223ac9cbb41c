"""The files that benchmarks run on are wallets like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.ours import opened_bench
from benchmarks.wallet_files import HISTORY_BASKET, HISTORY_LABEL, fill_history, fill_pool, use_one_change_output

from bsv_wallet_toolbox.doctor import examine

pytestmark = pytest.mark.anyio


async def test_a_filled_pool_is_healthy_and_pays(tmp_path: Path) -> None:
    file = tmp_path / "pool.sqlite"
    await fill_pool(file, 60, 1000)
    assert examine(file).is_healthy
    async with opened_bench(file) as bench:
        assert await bench.wallet.balance() == 60_000
        await bench.create_actions(3, 2)
        await bench.create_actions(3, delayed=False)
        await bench.internalize_actions(2, outputs_each=3)
        assert await bench.wallet.balance() == 60_000 - 6 * 101 + 6 * 1000
    assert examine(file).is_healthy


async def test_a_filled_history_is_healthy_and_lists_what_it_was_filled_with(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    await fill_history(file, 40)
    assert examine(file).is_healthy
    async with opened_bench(file) as bench:
        listed = await bench.wallet.list_outputs({"basket": HISTORY_BASKET, "includeTags": True, "limit": 100})
        acted = await bench.wallet.list_actions(
            {
                "labels": [HISTORY_LABEL],
                "limit": 7,
                "includeLabels": True,
                "includeInputs": True,
                "includeOutputs": True,
            }
        )
        assert await bench.wallet.balance() == 40 * 699
    assert listed["totalOutputs"] == len(listed["outputs"]) == 40
    assert sorted(listed["outputs"][21]["tags"]) == ["row 1", "ticket"]
    assert acted["totalActions"] == 40
    first = acted["actions"][0]
    assert sorted(first["labels"]) == ["day 0", HISTORY_LABEL]
    assert [each["sourceSatoshis"] for each in first["inputs"]] == [1000]
    assert sorted(each["satoshis"] for each in first["outputs"]) == [300, 699]


async def test_actions_with_one_change_output_form_a_chain(tmp_path: Path) -> None:
    file = tmp_path / "chain.sqlite"
    await fill_pool(file, 1, 100_000)
    async with opened_bench(file) as bench:
        await use_one_change_output(bench.wallet)
        await bench.lengthen_chain(5)
        acted = await bench.wallet.list_actions({"labels": [], "limit": 10, "includeInputs": True})
    spent = [each["sourceOutpoint"].split(".")[0] for action in acted["actions"][1:] for each in action["inputs"]]
    assert spent == [action["txid"] for action in acted["actions"][:-1]]
    assert len(spent) == 5
