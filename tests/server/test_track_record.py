"""The track record over the tools: a review, a later fetch, and what is said of it."""

from datetime import date
from pathlib import Path

from mcp import Client

from server.app import build_server
from server.desk import open_desk
from tests.server.desks import Agent, sample_settings

AAPL, MSFT = "NASDAQ:AAPL", "NASDAQ:MSFT"


async def test_a_later_fetch_tells_what_became_of_a_review(tmp_path: Path) -> None:
    judged = sample_settings(tmp_path, as_of=date(2022, 11, 16))
    async with open_desk(judged, "test") as desk, Client(build_server(desk)) as client:
        agent = Agent(client)
        await agent.call("enqueue_ai_analysis", symbols=[AAPL, MSFT])
        await desk.manager.execute_queues()
        record = await agent.call("get_track_record")
        assert (record["by_action"], record["waiting"]) == ([], 2)
        assert "2 are not due yet" in record["message"]

    async with (
        open_desk(sample_settings(tmp_path), "test") as desk,
        Client(build_server(desk)) as client,
    ):
        agent = Agent(client)
        await agent.call("enqueue_data_fetch", symbols=[AAPL, MSFT])
        await desk.manager.execute_queues()
        record = await agent.call("get_track_record", weeks=4)
        assert {each["analyst"] for each in record["by_action"]} == {"baseline"}
        assert sum(each["of_all"] for each in record["by_action"]) == 2
        # The sample has no benchmark, so nothing is claimed.
        assert all(each["hit_rate"] is None and not each["is_enough"] for each in record["by_action"])
        assert "2 have no alpha: the benchmark's prices are missing." in record["message"]
        assert (await agent.call("get_track_record", weeks=12))["waiting"] == 2


async def test_other_weeks_are_refused(agent: Agent) -> None:
    assert "weeks: Input should be 1, 4 or 12 (got '2')" in await agent.refused("get_track_record", weeks=2)
