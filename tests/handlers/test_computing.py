import threading

import anyio

from handlers.computing import compute


async def test_work_runs_beside_the_loop_and_one_piece_at_a_time() -> None:
    inside = threading.Lock()
    results: list[int] = []

    def work(number: int) -> int:
        assert threading.current_thread() is not threading.main_thread()
        assert inside.acquire(blocking=False)
        total = sum(number for _ in range(200_000))  # longer than a turn of a thread
        inside.release()
        return total

    async def ask(number: int) -> None:
        results.append(await compute(work, number))

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(ask, number)
    assert sorted(results) == [200_000 * number for number in range(8)]
