"""The types of the tools' arguments, and what the tools say of themselves."""

from typing import Annotated, TypeAlias

from mcp.types import ToolAnnotations
from pydantic import Field

from handlers.portfolio_sync import ColumnHead, ColumnMeaning, LiveBroker
from queues.model import QueueName
from server.syncs import MAX_CSV_BYTES

# Claude Desktop cuts a local tool call off after 60 s.
LONGEST_WAIT_SECONDS = 50
# A thousand symbols are ten times a large portfolio.
MOST_SYMBOLS = 1000

READ = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
SEARCH = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
# Not idempotent: a second call while the first one's tasks are unfinished makes none, a later one does it all again.
ENQUEUE = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
CONTROL = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
DESTROY = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

Symbol: TypeAlias = Annotated[str, Field(min_length=1, max_length=40)]
Queue: TypeAlias = Annotated[QueueName, Field(description="Which of the three queues.")]
ExchangeCode: TypeAlias = Annotated[
    str | None,
    Field(
        max_length=10,
        description="Exchange of symbols written without one: NSE, BSE, NYSE, NASDAQ, ARCA, AMEX, BATS.",
    ),
]
Force: TypeAlias = Annotated[
    bool,
    Field(description="Pay for a new verdict even where nothing has changed since the last one."),
]
Live: TypeAlias = Annotated[
    LiveBroker | None,
    Field(description="Read the account live from this broker; account selects which login."),
]
AnalyseChanges: TypeAlias = Annotated[
    bool,
    Field(
        description="Then fetch and analyse the stocks that are new or whose quantity changed; it spends money."
    ),
]
Account: TypeAlias = Annotated[
    str | None, Field(max_length=40, description="Name of one account; all if left out.")
]
ExportPath: TypeAlias = Annotated[
    str | None,
    Field(max_length=1000, description="Broker's export on the server's disk, absolute or with ~."),
]
CsvText: TypeAlias = Annotated[
    str | None,
    Field(
        description="Content of the export (at most 1 MB), for a file attached in the chat.",
        # Only told: the refusal of one that is longer says to pass a path instead.
        json_schema_extra={"maxLength": MAX_CSV_BYTES},
    ),
]
Columns: TypeAlias = Annotated[
    dict[ColumnMeaning, ColumnHead] | None,
    Field(
        max_length=8,
        description='For a file whose columns are not known by their heads: {"symbol": "Scrip code", '
        '"quantity": "Held", "average price": "Paid"}.',
    ),
]
TaskId: TypeAlias = Annotated[str, Field(min_length=1, max_length=40, description="Like analysis-12.")]
RunId: TypeAlias = Annotated[
    str | None, Field(max_length=40, description="Id of a run: that of its first task, like sync-1.")
]
Cursor: TypeAlias = Annotated[
    str | None, Field(max_length=60, description="next_cursor of the page before; left out for the first.")
]
Confirm: TypeAlias = Annotated[
    bool,
    Field(description="Set it only after the user agreed; a client that can ask them asks all the same."),
]
