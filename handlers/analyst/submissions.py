"""Takes the submissions of one session: stores what is grounded at once, refuses the rest with the reason."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from handlers.analyst.briefs import StockBrief
from handlers.analyst.observing import NOBODY, SessionObserver
from handlers.analyst.prompt import entry_of, hash_of
from handlers.audit import store_inputs, store_refusal
from handlers.grounding.check import check_grounding
from handlers.stocks import Stock
from handlers.verdict import Analyst, Reason, VerdictSubmission
from handlers.verdicts import store_no_verdict, store_verdict
from queues.context import TaskContext
from queues.database import Transaction

log = logging.getLogger(__name__)

# One mistake is mended from its reason; a second one means that the model insists on its number.
MAX_REFUSALS = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model gets back from the tool."""

    text: str
    is_error: bool = False


class Submissions:
    """The desk's side of `submit_verdict` for one session. `settled` are the stocks that it stored.

    `on_settled` runs in the commit that stores one, and tells of it.
    """

    def __init__(
        self,
        ctx: TaskContext,
        briefs: Sequence[StockBrief],
        *,
        session_id: str,
        model: str,
        on_settled: Callable[[Transaction, Stock, str], None],
        observer: SessionObserver = NOBODY,
    ) -> None:
        self.settled: list[Stock] = []
        self._ctx = ctx
        self._briefs = briefs
        self._session_id = session_id
        self._model = model
        self._on_settled = on_settled
        self._observer = observer
        self._refusals: Counter[Stock] = Counter()
        self._ungrounded: set[Stock] = set()

    async def submit(self, arguments: Mapping[str, Any]) -> Answer:
        """Store the verdict, or say what is wrong with it.

        Raises:
            StaleClaimError: the attempt was ended elsewhere; nothing is stored.
        """
        named = str(arguments.get("symbol", ""))
        brief = self._brief_of(named)
        if brief is None:
            asked = ", ".join(str(each.stock) for each in self._briefs)
            return Answer(f"{named[:40]} was not asked for; submit only {asked}.", is_error=True)
        if brief.stock in self.settled:
            return Answer(f"The verdict of {brief.stock} is already stored; {self._next()}.", is_error=True)
        try:
            submission = VerdictSubmission.model_validate(arguments)
        except ValidationError as error:
            problems = [_sentence(each["loc"], each["msg"]) for each in error.errors()]
            return await self._refuse(brief, Reason.INVALID, problems)
        position = [] if brief.position is None else brief.position.numbers
        if problems := check_grounding(submission, brief.facts, position):
            self._ungrounded.add(brief.stock)
            return await self._refuse(brief, Reason.UNGROUNDED, problems)
        return await self._accept(brief, submission)

    def _brief_of(self, named: str) -> StockBrief | None:
        """By `NSE:INFY`, or by `INFY` where that names one stock of the session."""
        wanted = named.strip().upper()
        matches = [each for each in self._briefs if wanted in (str(each.stock), each.stock.symbol)]
        return matches[0] if len(matches) == 1 else None

    async def _accept(self, brief: StockBrief, submission: VerdictSubmission) -> Answer:
        entry = entry_of(brief)

        def store(tx: Transaction) -> None:
            store_verdict(
                tx,
                self._ctx.task,
                brief.stock,
                submission,
                brief.facts,
                analyst=Analyst.CLAUDE,
                data_quality=brief.quality,
                session_id=self._session_id,
                model=self._model,
                inputs=store_inputs(tx, hash_of(entry), entry),
            )
            self._on_settled(tx, brief.stock, submission.action)

        await self._ctx.commit(store)
        self.settled.append(brief.stock)
        return Answer(f"Stored {submission.action} for {brief.stock}; {self._next()}.")

    async def _refuse(self, brief: StockBrief, kind: Reason, problems: Sequence[str]) -> Answer:
        self._refusals[brief.stock] += 1
        is_last = self._refusals[brief.stock] >= MAX_REFUSALS
        # One that was never well-formed was not held against the facts: nobody can say that it invents.
        reason = Reason.UNGROUNDED if brief.stock in self._ungrounded else Reason.INVALID
        entry = entry_of(brief)

        def store(tx: Transaction) -> None:
            store_refusal(tx, self._session_id, brief.stock, " ".join(problems))
            if is_last:
                store_no_verdict(
                    tx,
                    self._ctx.task,
                    brief.stock,
                    thesis=f"The analyst's submissions were refused {MAX_REFUSALS} times, lastly: {problems[0]}",
                    reason=reason,
                    facts=brief.facts,
                    analyst=Analyst.CLAUDE,
                    data_quality=brief.quality,
                    session_id=self._session_id,
                    model=self._model,
                    inputs=store_inputs(tx, hash_of(entry), entry),
                )
                self._on_settled(tx, brief.stock, f"INSUFFICIENT_DATA ({reason})")

        await self._ctx.commit(store)
        self._observer.refused(kind, self._model)
        log.info(
            "Refused a submission of %s (%s, %d of %d): %s",
            brief.stock,
            kind,
            self._refusals[brief.stock],
            MAX_REFUSALS,
            " ".join(problems),
        )
        if not is_last:
            return Answer(
                f"Refused: {' '.join(problems)} Mend this and submit {brief.stock} again.", is_error=True
            )
        self.settled.append(brief.stock)
        return Answer(
            f"Refused again, stored INSUFFICIENT_DATA for {brief.stock}; {self._next()}.", is_error=True
        )

    def _next(self) -> str:
        left = [str(each.stock) for each in self._briefs if each.stock not in self.settled]
        return f"still to submit: {', '.join(left)}" if left else "all are stored, end your turn"


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    return f"{where}: {message}." if where else f"{message}."
