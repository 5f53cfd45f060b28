import asyncio
import threading

import anyio

from homogaudit.generation.loop_thread import LoopThread

from ..patience import PATIENCE


async def until_cancelled(told: list[str]) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        told.append("cancelled")


def test_what_runs_is_cancelled_before_the_last_is_done() -> None:
    told: list[str] = []

    async def last(name: str) -> None:
        told.append(name)

    loop = LoopThread()
    future = loop.start(until_cancelled(told))
    loop.run(asyncio.sleep(0))
    loop.close(last("first client closed"), last("second client closed"))
    assert told == ["cancelled", "first client closed", "second client closed"]
    assert future.cancelled()
    assert not loop.is_open


def test_what_a_task_has_just_started_is_ended_by_that_task() -> None:
    told: list[str] = []

    async def work() -> None:
        # Runs before the child begins, whose coroutine would never be awaited if it were cancelled itself.
        ending = asyncio.ensure_future(loop._cancel_others())  # pyright: ignore[reportPrivateUsage]
        ending.add_done_callback(lambda _: ended.set())
        async with anyio.create_task_group() as group:
            group.start_soon(until_cancelled, told)
            await asyncio.sleep(60)

    loop = LoopThread()
    ended = threading.Event()
    future = loop.start(work())
    assert ended.wait(PATIENCE)
    loop.close()
    assert future.cancelled()
    assert told == ["cancelled"]
