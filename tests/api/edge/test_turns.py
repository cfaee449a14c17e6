"""Turns in the pool of threads: one tenant's slow requests take a few threads, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import httpx
import pytest

from api.edge.limits.turns import POOL_THREADS, RESERVED, TURNS, Turns
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
            found = httpx.get(f"http://127.0.0.1:{served.port}/v1/requests", headers=headers, timeout=60)
            assert found.status_code == 200
            assert silent(peers), "they were still running when the other tenant had been answered"
        finally:
            go_on.set()
        assert {one_answer(peer).status for peer in peers} == {200}, "those that waited had their turn"
        eventually(lambda: parts.turns.counts(f"tenant:{api.tenant}") == (0, 0))


def test_a_full_queue_is_answered_at_once_and_a_long_wait_in_the_end() -> None:
    async def play() -> None:
        waiting_now = list[float]()
        turns = Turns(total=9, gauge=waiting_now.append, turns=1, queue=1, seconds=0.01)
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
        assert waiting_now == [1, -1], "one waited, and the gauge is where it was"

    asyncio.run(play())


def test_turns_are_given_in_order_and_a_caller_that_leaves_gives_its_turn_on() -> None:
    async def play() -> list[int]:
        turns, order = Turns(total=9, gauge=ignore, turns=1, queue=9, seconds=60), list[int]()

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


def test_a_turn_goes_to_the_caller_with_the_fewest_however_many_others_wait() -> None:
    async def play() -> list[str]:
        turns, order = Turns(total=3, gauge=ignore, turns=2, queue=9, seconds=60), list[str]()
        ends = {name: asyncio.Event() for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1")}

        async def one(name: str) -> None:
            async with turns.take(name[0]):
                order.append(name)
                await ends[name].wait()

        tasks = [asyncio.ensure_future(one(name)) for name in ends]
        await _settled()
        assert order == ["a1", "a2", "b1"], "three in all, though b could run one more and c has none"
        for name in ("a1", "a2", "b1", "c1", "b2", "a3", "a4"):
            ends[name].set()
            await _settled()
        await asyncio.gather(*tasks)
        assert [turns.counts(caller) for caller in "abc"] == [(0, 0)] * 3
        return order

    assert asyncio.run(play()) == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


@pytest.mark.parametrize(("connections", "expected"), [(1, 1), (2, 1), (3, 1), (10, 10 - RESERVED), (100, 98)])
def test_all_turns_leave_database_connections_for_what_takes_no_turn(connections: int, expected: int) -> None:
    async def play() -> int:
        turns = Turns.within(connections, ignore)
        async with AsyncExitStack() as stack:
            running = 0
            while True:
                try:
                    await stack.enter_async_context(_at_once(turns, f"caller {running}"))
                except TimeoutError:
                    return running
                running += 1

    assert asyncio.run(play()) == expected


def test_many_tenants_at_once_wait_for_a_connection_and_are_never_told_that_all_are_busy(api: ApiTenant) -> None:
    """Three tenants with four requests each took ten connections, and every caller was answered 503."""
    keys = [api.server.key(f"{api.tenant}-{n}")[1] for n in range(3)]
    with api.server.served(api_pool_size=3) as served, ExitStack() as stack:
        peers = [(stack.enter_context(connect(served.port)), key) for key in keys for _ in range(8)]
        for peer, key in peers:
            peer.sendall(head("/v1/requests", key=key))
        assert {one_answer(peer).status for peer, _ in peers} == {200}


@asynccontextmanager
async def _at_once(turns: Turns, caller: str) -> AsyncIterator[None]:
    """A turn, or TimeoutError where it has to be waited for."""
    taken = turns.take(caller)
    async with asyncio.timeout(0.01):
        await taken.__aenter__()
    try:
        yield
    finally:
        await taken.__aexit__(None, None, None)


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def ignore(change: float) -> None:
    """A gauge that nobody reads."""


async def _turn(turns: Turns, caller: str) -> None:
    async with turns.take(caller):
        pass
