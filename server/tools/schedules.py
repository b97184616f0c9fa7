"""Tools for recurring work."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from queues.model import QueueName
from server import icons, schedules
from server.desk import Desk
from server.errors import told_to_the_model
from server.schedules import ScheduleChange, ScheduleList
from server.syncs import SyncWish
from server.tools.arguments import CONTROL, DESTROY, READ, Columns, ExchangeCode, ExportPath, Live

Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,39}$", description="Its name, like morning-review."),
]
WhichWork = Annotated[QueueName, Field(description="Which work recurs: a sync, fetches, or analyses.")]
Cron = Annotated[
    str,
    Field(
        min_length=9,
        max_length=100,
        description="Five fields: minute hour day month weekday, like '45 8 * * 1-5'.",
    ),
]
Zone = Annotated[
    str | None,
    Field(max_length=60, description="Zone of the cron times, like Asia/Kolkata; else the desk's."),
]
TradingDays = Annotated[
    str | None,
    Field(max_length=10, description="Fire only on days on which this exchange trades, like NSE."),
]
SyncedAccount = Annotated[
    str, Field(max_length=40, description="For portfolio_sync: the account that the file describes.")
]
ThenReview = Annotated[
    bool, Field(description="For portfolio_sync: fetch and analyse afterwards what is held.")
]
TurnOn = Annotated[
    bool, Field(description="Let it work by itself from now on; only if the user has asked for that.")
]


def add_schedule_tools(mcp: MCPServer, desk: Desk) -> None:
    @mcp.tool(title="List schedules", annotations=READ, icons=icons.LOOK)
    async def list_schedules() -> ScheduleList:
        """List the recurring work of the desk: when each schedule fires next, and what came of its latest times.

        A time that nobody met is made up later on the same day, else it is shown as missed, and message says so.
        Use it before set_schedule, to see what is there. For tasks that are queued now use list_tasks.
        """
        with told_to_the_model():
            return await schedules.schedules(desk)

    @mcp.tool(title="Set a schedule", annotations=CONTROL, icons=icons.CONTROL)
    async def set_schedule(
        name: Name,
        queue: WhichWork,
        cron: Cron,
        timezone: Zone = None,
        trading_days_of: TradingDays = None,
        path: ExportPath = None,
        broker: Live = None,
        account: SyncedAccount = "main",
        exchange: ExchangeCode = None,
        columns: Columns = None,
        then_review: ThenReview = False,
        turn_on: TurnOn = False,
    ) -> ScheduleChange:
        """Store recurring work under a name, or replace what has that name: a sync, fetches, or analyses.

        portfolio_sync reads the export at path, or the broker's live account, each time; the others take everything
        held then. A schedule stays off until turn_on is set, and one that analyses spends money by itself from then
        on: turn it on only when the user asks for it. For work that is wanted once, now, use the enqueue tools.
        """
        with told_to_the_model():
            return await schedules.put_schedule(
                desk,
                name=name,
                queue=queue,
                cron=cron,
                timezone=timezone,
                trading_days_of=trading_days_of,
                sync=SyncWish(
                    path=path,
                    broker=broker,
                    account=account,
                    exchange=exchange,
                    columns=columns,
                    then_review=then_review,
                ),
                turn_on=turn_on,
            )

    @mcp.tool(title="Delete a schedule", annotations=DESTROY, icons=icons.CANCEL)
    async def delete_schedule(name: Name) -> ScheduleChange:
        """Delete one schedule and the history of its times; what it has enqueued already stays.

        To keep it but let it rest, call set_schedule without turn_on. To stop what it enqueued use cancel_tasks.
        """
        with told_to_the_model():
            return await schedules.remove_schedule(desk, name)
