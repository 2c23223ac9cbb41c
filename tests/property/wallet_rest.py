"""How a walk ends: everything works again, everything is sent or given up, and every satoshi is where it must be."""

from __future__ import annotations

from coin_model import Fate, Kind
from wallet_walk import DAY, MINUTE, NAMES, Walk

from bsv_wallet_toolbox.storage.holds import HoldReason

_MOST_ROUNDS = 10
"""An hour and a block each."""


async def come_to_rest(walk: Walk, *, abort_held: bool) -> None:
    """What is held back is given up or sent; whatever was paid is taken in; then everything is paid out."""
    await walk.recover()
    await walk.wait(DAY + MINUTE)
    await _round(walk)
    walk.model.unsigned.clear()
    for name in NAMES:
        await _let_go(walk, name, abort_held)
    await _settle(walk)
    for name in NAMES:
        await _pay_out(walk, name)
    await _settle(walk)


async def _round(walk: Walk) -> None:
    await walk.wait(60 * MINUTE)
    await walk.watch()
    await walk.mine(1)
    await walk.watch()


async def _settle(walk: Walk) -> None:
    """Blocks come until nothing is on the way any more; it must not take long."""
    for _ in range(_MOST_ROUNDS):
        await _round(walk)
        await _take_all(walk)
        if not await _is_under_way(walk):
            break
    lost = walk.model.settle(walk.is_mined)
    await walk.check()
    for name in NAMES:
        await _is_where_it_must_be(walk, name, lost)


async def _is_under_way(walk: Walk) -> bool:
    """Whether an action has not come to its end, or money is still held, by what the wallets say."""
    for wallet in walk.wallets.values():
        actions = await wallet.list_actions({"labels": [], "limit": 10_000})
        if any(each["status"] not in ("completed", "failed") for each in actions["actions"]):
            return True
    held = [coin for name in NAMES for coin in walk.world.coins(name).held_coins]
    return any(coin.reason != HoldReason.SPENT_ELSEWHERE for coin in held)


async def _let_go(walk: Walk, name: str, abort_held: bool) -> None:
    """Children before parents when they are given up, all in one batch when they are sent."""
    if abort_held:
        for made in reversed(walk.model.held(name)):
            await walk.abort_held(name, made)
    held = [made.txid for made in walk.model.held(name)]
    if held:
        assert await walk.send(name, held, True) is not None


async def _take_all(walk: Walk) -> None:
    for payment in walk.payments:
        if not payment.is_taken and walk.is_mined(payment.txid):
            assert await walk.take(payment, Kind.CHANGE)


async def _is_where_it_must_be(walk: Walk, name: str, lost: set[str]) -> None:
    wallet = walk.wallets[name]
    actions = await wallet.list_actions({"labels": [], "limit": 10_000})
    for action in actions["actions"]:
        txid = action.get("txid")
        if txid is None or txid in lost:
            assert action["status"] == "failed", f"{name} {action}"
        else:
            assert action["status"] == "completed", f"{name} {action}"
    assert await wallet.balance() == walk.model.balance(name), name
    listed = await wallet.list_outputs({"basket": "tokens", "limit": 10_000})
    tokens = {each["outpoint"] for each in listed["outputs"]}
    sure = {f"{txid}.{vout}" for txid, vout in walk.model.unspent(name, Kind.TOKEN)}
    believed = {f"{txid}.{vout}" for txid, vout in walk.model.unspent(name, Kind.TOKEN, by=name)}
    assert sure <= tokens <= believed, name


async def _pay_out(walk: Walk, name: str) -> None:
    """All that the wallet counts can be spent, in one transaction."""
    coins = set(walk.model.unspent(name, Kind.CHANGE))
    before = await walk.wallets[name].balance()
    made = await walk.sweep(name)
    if made is None:
        assert before < 200, f"{name} can't spend its {before} satoshis"
        return
    assert set(made.spends()) == coins, name
    assert made.fate is Fate.SENT
    assert await walk.wallets[name].balance() == 0
