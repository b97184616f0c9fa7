"""What a `fetch` task carries, and what others read of its result; apart from its handler, as `analysis_task` is."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from handlers.stocks import parse_stock

KIND = "fetch"


class FetchPayload(BaseModel):
    """`stocks` in the form `NSE:INFY`. `force` asks the sources even where the prices are fresh."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stocks: Annotated[list[str], Field(min_length=1)]
    force: bool = False

    @field_validator("stocks")
    @classmethod
    def _each_once(cls, stocks: list[str]) -> list[str]:
        return list(dict.fromkeys(str(parse_stock(stock)) for stock in stocks))


class StockLine(BaseModel):
    stock: str
    status: Literal["fetched", "fresh", "missing"]


class FetchResult(BaseModel):
    """What others read of a fetch's result."""

    stocks: list[StockLine]
