"""A verdict: what an analyst submits about one stock, and what the desk keeps of it.

`VerdictSubmission` is the border: its field descriptions are written for the model that fills it in.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from handlers.stocks import Stock

DISCLAIMER = "AI-generated, not investment advice"


class Action(StrEnum):
    ADD = "ADD"
    HOLD = "HOLD"
    TRIM = "TRIM"
    EXIT = "EXIT"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Analyst(StrEnum):
    """Who judged. NONE: nobody, because there was nothing to judge by."""

    CLAUDE = "claude"
    BASELINE = "baseline"
    NONE = "none"


AnalystChoice: TypeAlias = Literal["claude", "baseline"]
"""Who can be asked to judge."""


class Reason(StrEnum):
    """Why a verdict is INSUFFICIENT_DATA.

    UNGROUNDED and INVALID: the submissions were refused, for what is not in the facts (at least once) or for
    their form alone.
    """

    MISSING_DATA = "missing_data"
    UNGROUNDED = "ungrounded"
    INVALID = "invalid_verdict"
    ABSTAINED = "abstained"


Point = Annotated[str, Field(min_length=3, max_length=300)]
Points = Annotated[list[Point], Field(max_length=6)]


FactId = Annotated[
    str, Field(pattern=r"^f[0-9]+$", description="The id of one of this stock's supplied facts, like f12.")
]


class _Border(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Operation(StrEnum):
    """How a derived number comes from two facts of one unit.

    Its own unit: that of the facts (difference), `ratio` (ratio: first / second) or `percent` (percent_change:
    100 * (first / second - 1)).
    """

    DIFFERENCE = "difference"
    RATIO = "ratio"
    PERCENT_CHANGE = "percent_change"


class EvidenceSubmission(_Border):
    claim: Annotated[
        str, Field(min_length=3, max_length=300, description="What the number shows, in one sentence.")
    ]
    fact_id: FactId
    value: Annotated[
        float,
        Field(
            description="The fact's value, copied; rounding is fine (5.25 as 5.3). Percent facts in percent."
        ),
    ]
    unit: Annotated[
        str,
        Field(
            min_length=1,
            max_length=24,
            description="The fact's unit, copied. Large money may be scaled: 'INR crore', 'USD billion'.",
        ),
    ]
    operation: Annotated[
        Literal["difference", "ratio", "percent_change"] | None,
        Field(
            description="Only for a number derived from two facts of one unit: fact_id less other_fact_id, divided "
            "by it, or as percent change from it. The unit is then that of the facts, ratio, or percent."
        ),
    ] = None
    other_fact_id: Annotated[FactId | None, Field(description="The second fact of a derived number.")] = None

    @model_validator(mode="after")
    def _operation_with_two_facts(self) -> Self:
        if (self.operation is None) != (self.other_fact_id is None):
            raise ValueError("operation and other_fact_id belong together; give both or neither")
        return self


class CatalystSubmission(_Border):
    what: Point
    date: Annotated[
        str | None,
        Field(
            pattern=r"^\d{4}-\d{2}-\d{2}$",
            description="ISO date, only if a supplied fact states it; else null.",
        ),
    ] = None


class VerdictSubmission(_Border):
    """The input of `submit_verdict`."""

    symbol: Annotated[str, Field(max_length=40, description="The stock as the data names it, like NSE:INFY.")]
    action: Annotated[
        Literal["ADD", "HOLD", "TRIM", "EXIT", "INSUFFICIENT_DATA"],
        Field(description="INSUFFICIENT_DATA when the supplied facts do not carry a judgement."),
    ]
    conviction: Annotated[
        float, Field(ge=0, le=1, description="How sure, from 0 (a guess) to 1 (every fact agrees).")
    ]
    horizon_months: Annotated[
        int, Field(ge=1, le=60, description="For how many months from now the view is meant.")
    ]
    thesis: Annotated[
        str,
        Field(
            min_length=40,
            max_length=1200,
            description="2 to 4 sentences. Every number in it must be one of this stock's supplied facts.",
        ),
    ]
    evidence: Annotated[
        list[EvidenceSubmission],
        Field(
            max_length=12, description="The facts that carry the view; at least one unless INSUFFICIENT_DATA."
        ),
    ]
    bull_points: Annotated[
        Points, Field(description="What speaks for the stock; short, numbers from the facts only.")
    ]
    bear_points: Annotated[Points, Field(description="What speaks against it; the same rule.")]
    risks: Annotated[Points, Field(description="What could go wrong with this view.")]
    would_change_view: Annotated[Points, Field(description="What would have to happen for another action.")]
    catalysts: Annotated[
        list[CatalystSubmission], Field(max_length=6, description="Events ahead; usually empty.")
    ] = []

    @model_validator(mode="after")
    def _evidence_unless_insufficient(self) -> Self:
        if not self.evidence and self.action != Action.INSUFFICIENT_DATA:
            raise ValueError(
                f"{self.action} needs at least one piece of evidence; cite a supplied fact by its id"
            )
        return self

    @model_validator(mode="after")
    def _no_addresses(self) -> Self:
        # A client that renders it would ask for it, and so tell somebody what the verdict was made of.
        if any("://" in text or "](" in text for text in self.free_texts):
            raise ValueError("a text holds a web address or a link; say it in words")
        return self

    @property
    def free_texts(self) -> list[str]:
        """Every text that the model wrote and that may hold a number."""
        return [
            self.thesis,
            *(each.claim for each in self.evidence),
            *self.bull_points,
            *self.bear_points,
            *self.risks,
            *self.would_change_view,
            *(each.what for each in self.catalysts),
        ]


def submission_schema() -> dict[str, Any]:
    """The JSON schema of `VerdictSubmission` without `$defs`, `$ref`, titles and nulls for optional keys."""
    schema = VerdictSubmission.model_json_schema()
    definitions = schema.pop("$defs", {})
    schema.pop("description")
    return {key: _inline(value, definitions) for key, value in schema.items() if key != "title"}


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(each, definitions) for each in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    known = cast("dict[str, Any]", node)
    if "$ref" in known:
        return _inline(definitions[known["$ref"].removeprefix("#/$defs/")], definitions)
    return {
        key: _inline(value, definitions)
        for key, value in known.items()
        # a property may itself be called "title"; a schema's title is a string
        if not (key == "title" and isinstance(value, str))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A claim and the fact that carries it; `value` and `unit` as the analyst printed them, the rest as the fact says.

    A derived value comes by `operation` from this fact and the one of `other_fact_id`; both are None for a copy.
    """

    claim: str
    fact_id: str
    value: float
    unit: str
    name: str
    as_of: date
    source: str
    inputs: str
    operation: Operation | None = None
    other_fact_id: str | None = None


@dataclass(frozen=True, slots=True)
class Catalyst:
    what: str
    date: date | None


@dataclass(frozen=True, slots=True)
class DataQuality:
    """How good one kind of data was when the verdict was made; `age_days` is None where it is missing."""

    kind: str
    state: Literal["fresh", "stale", "missing"]
    age_days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A stored verdict. `as_of` is the date of the newest fact that the analyst was given, None without facts.

    `reason` is set exactly when the action is INSUFFICIENT_DATA: a `Reason`, or what the data source said.
    `session_id` and `model` are set exactly when the analyst is Claude. `inputs` is the hash of what the analyst was
    given. `judged_at` is before `created_at` where nothing had changed since, and the verdict was renewed.
    """

    seq: int
    task_id: str
    run_id: str
    stock: Stock
    analyst: Analyst
    action: Action
    conviction: float
    horizon_months: int | None
    thesis: str
    evidence: tuple[Evidence, ...]
    bull_points: tuple[str, ...]
    bear_points: tuple[str, ...]
    risks: tuple[str, ...]
    would_change_view: tuple[str, ...]
    catalysts: tuple[Catalyst, ...]
    as_of: date | None
    data_quality: tuple[DataQuality, ...]
    reason: str | None
    session_id: str | None
    model: str | None
    inputs: str | None
    judged_at: datetime
    created_at: datetime
