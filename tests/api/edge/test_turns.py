"""Turns in the pool of threads: one tenant's slow requests take a few threads, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack

import httpx
import pytest

from api.edge.limits.turns import POOL_THREADS, TURNS, Turns
from api.edge.problems import Problem
from tests.support.client import ApiTenant
from tests.support.line import eventually
from tests.support.sockets import connect, head, one_answer, silent


def test_one_tenants_slow_requests_fill_the_pool_of_threads_no_more(
    api: ApiTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 dry runs of one tenant kept another tenant's GET waiting for nine seconds."""
    key, other = api.server.key(api.tenant)[1], api.server.key("somebody-else")[1]
    go_on = threading.Event()
    with api.server.served() as served, ExitStack() as stack:
        parts = served.app.state.parts
        real = type(parts).transaction

        def slow(self: object, tenant: str) -> object:
            if tenant == api.tenant:
                assert go_on.wait(60)
            return real(self, tenant)  # type: ignore[arg-type]

        monkeypatch.setattr(type(parts), "transaction", slow)
        peers = [stack.enter_context(connect(served.port)) for _ in range(POOL_THREADS + 20)]
        try:
            for peer in peers:
                peer.sendall(head("/v1/requests", key=key))
            eventually(lambda: parts.turns.counts(f"tenant:{api.tenant}") == (TURNS, len(peers) - TURNS))
            headers = {"Authorization": f"Bearer {other}"}
            found = httpx.get(f"http://127.0.0.1:{served.port}/v1/requests", headers=headers, timeout=20)
            assert found.status_code == 200
            assert silent(peers), "they were still running when the other tenant had been answered"
        finally:
            go_on.set()
        assert {one_answer(peer).status for peer in peers} == {200}, "those that waited had their turn"
        eventually(lambda: parts.turns.counts(f"tenant:{api.tenant}") == (0, 0))


def test_a_full_queue_is_answered_at_once_and_a_long_wait_in_the_end() -> None:
    async def play() -> None:
        turns = Turns(turns=1, queue=1, seconds=0.01)
        async with turns.take("a"):
            waiting = asyncio.ensure_future(_turn(turns, "a"))
            await asyncio.sleep(0)
            assert turns.counts("a") == (1, 1)
            with pytest.raises(Problem) as full:
                await _turn(turns, "a")
            assert (full.value.code, full.value.status) == ("too_many_running", 429)
            await _turn(turns, "b")
            with pytest.raises(Problem, match="at most"):
                await waiting
            assert turns.counts("a") == (1, 0)
        assert turns.counts("a") == (0, 0)

    asyncio.run(play())


def test_turns_are_given_in_order_and_a_caller_that_leaves_gives_its_turn_on() -> None:
    async def play() -> list[int]:
        turns, order = Turns(turns=1, queue=9, seconds=60), list[int]()

        async def one(number: int) -> None:
            async with turns.take("a"):
                order.append(number)

        async with turns.take("a"):
            tasks = [asyncio.ensure_future(one(number)) for number in range(4)]
            await asyncio.sleep(0)
            tasks[1].cancel()
        tasks[0].cancel()  # its turn is given already
        await asyncio.gather(*tasks, return_exceptions=True)
        assert turns.counts("a") == (0, 0)
        return order

    assert asyncio.run(play()) == [2, 3]


async def _turn(turns: Turns, caller: str) -> None:
    async with turns.take(caller):
        pass
