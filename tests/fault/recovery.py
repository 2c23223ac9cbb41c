"""What every file must come to once the disturbance is over."""

from __future__ import annotations

from pathlib import Path

from fault_scenarios import MINUTE, FileWorld

from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import SeededEntropy
from wallet_file import rows, spent_twice
from wallet_world import NOWHERE, payment_to


async def assert_recovers(directory: Path, *, behind_the_chain: bool) -> None:
    """Reopened, watched over and mined, everything is finished and every satoshi is where it should be.

    The file is sound before that too, unless the chain was reorganised and the wallet has not been told.
    """
    world = FileWorld(directory)
    if not behind_the_chain:
        world.assert_sound("alice")
    path = world.path("alice")
    async with world.wallet("alice", entropy=SeededEntropy("recovery")) as alice:
        await send_what_is_held_back(alice)
        for minutes in (10, 60, 24 * 60):
            world.pass_time(minutes * MINUTE)
            await alice.monitor.run_until_idle()
            world.chain.mine()
            await alice.monitor.run_until_idle()
            world.assert_sound("alice")
        assert_nothing_is_stuck(path)
        balance = await alice.balance()
        assert balance == sum(rows(path, "SELECT satoshis FROM transactions WHERE status = 'completed'"))
        if balance > 100:
            await alice.create_action(payment_to(NOWHERE, balance - 90, delayed=False))
    world.assert_sound("alice")
    world.close()


async def send_what_is_held_back(alice: OpenWallet) -> None:
    """It waits for its owner for ever; nothing else does."""
    actions = (await alice.list_actions({"labels": [], "limit": 100}))["actions"]
    held_back = [action["txid"] for action in actions if action["status"] == "nosend"]
    if held_back:
        await alice.create_action({"description": "at last", "options": {"sendWith": held_back}})


def assert_nothing_is_stuck(path: Path) -> None:
    states = set(rows(path, "SELECT DISTINCT status FROM transactions"))
    assert states <= {"completed", "failed"}
    assert set(rows(path, "SELECT DISTINCT status FROM proven_tx_reqs")) <= {"completed", "invalid"}
    assert rows(path, "SELECT count(*) FROM bwt_jobs") == [0]
    assert rows(path, "SELECT count(*) FROM bwt_pending") == [0]
    assert rows(path, "SELECT count(*) FROM bwt_holds") == [0]
    assert rows(path, "SELECT count(*) FROM bwt_suspects") == [0]
    assert spent_twice(path) == []
    stuck = """
        SELECT o.outputId FROM outputs o JOIN transactions parent USING (transactionId)
        LEFT JOIN transactions spender ON spender.transactionId = o.spentBy
        WHERE o.change = 1 AND parent.status = 'completed' AND o.spendable = 0
        AND (spender.status IS NULL OR spender.status <> 'completed')
    """
    assert rows(path, stuck) == []
