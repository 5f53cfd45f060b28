import asyncio

from homogaudit.generation.loop_thread import LoopThread


def test_what_runs_is_cancelled_before_the_last_is_done() -> None:
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            told.append("cancelled")

    async def last(name: str) -> None:
        told.append(name)

    loop = LoopThread()
    future = loop.start(work())
    loop.run(asyncio.sleep(0))
    loop.close(last("first client closed"), last("second client closed"))
    assert told == ["cancelled", "first client closed", "second client closed"]
    assert future.cancelled()
    assert not loop.is_open
