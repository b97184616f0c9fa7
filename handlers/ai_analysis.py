"""The `analyse` task: one session over two or three stocks, and a verdict for each.

A verdict that a task has stored is never asked for, or paid, again: not after an interruption, a failure or a
usage limit; only the retry of a completed task judges anew. What a session leaves open goes on as a smaller task;
what was to be judged by old prices (they waited for approval, a hold or a retry) goes on behind a fetch.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from handlers.analysis_task import AnalysisPayload, analysis_task, session_deadline_of
from handlers.analyst.baseline import baseline_verdict
from handlers.analyst.briefs import StockBrief, read_briefs, why_missing
from handlers.analyst.cli import CliNotFoundError
from handlers.analyst.costs import sessions_of_task
from handlers.analyst.ending import Ending
from handlers.analyst.options import AnalystSettings
from handlers.analyst.prompt import write_prompt
from handlers.analyst.session import new_session_id, run_session
from handlers.analyst.submissions import Submissions
from handlers.analyst.troubles import no_cli, trouble, waits_out_an_outage, why_incomplete
from handlers.facts import current_facts
from handlers.freshness import was_asked_for
from handlers.stocks import Stock, parse_stock
from handlers.verdict import Action, Analyst, AnalystChoice, Reason, Verdict
from handlers.verdicts import store_no_verdict, store_verdict, verdicts_of_task
from queues.clock import Clock
from queues.context import Handler, TaskContext
from queues.database import Transaction
from queues.model import JsonObject, NewTask, Task
from queues.outcome import Completed, Failed, Outcome

Refetch: TypeAlias = Callable[[Transaction, Task, Sequence[Stock]], Sequence[NewTask]]
"""Given an analysis and those of its stocks that need newer prices, the tasks that do its work instead."""


def ai_analysis(settings: AnalystSettings, desk_clock: Clock, refetch: Refetch) -> Handler:
    """The handler of `analyse` tasks. `desk_clock` decides what is fresh; with the sample, it stands still.

    `refetch` makes the tasks that follow where a stock was not asked for since its last session closed.
    """

    async def handle(ctx: TaskContext) -> Outcome:
        payload = AnalysisPayload.model_validate(ctx.task.payload)
        stocks = list(dict.fromkeys(parse_stock(text) for text in payload.stocks))
        analyst = payload.analyst or settings.analyst
        now = desk_clock()
        done = await ctx.database.read(lambda tx: _done(tx, ctx.task))
        open_stocks = [stock for stock in stocks if stock not in done]
        attempt = _Attempt(ctx, stocks, analyst, done=len(done))
        old = await ctx.database.read(lambda tx: [s for s in open_stocks if not was_asked_for(tx, s, now)])
        if old:
            return await attempt.behind_a_fetch(open_stocks, old, refetch)
        briefs = await ctx.database.read(lambda tx: read_briefs(tx, open_stocks, now))
        for brief in briefs:
            if not brief.facts:
                await attempt.store_missing(brief)
        judged = [brief for brief in briefs if brief.facts]
        if analyst == "baseline":
            return await attempt.by_rules(judged)
        return await attempt.by_claude(judged, settings, desk_clock)

    return handle


class _Attempt:
    """One attempt at a task, and how far it is."""

    def __init__(
        self, ctx: TaskContext, stocks: Sequence[Stock], analyst: AnalystChoice, *, done: int
    ) -> None:
        self._ctx = ctx
        self._stocks = stocks
        self._analyst: AnalystChoice = analyst
        self._done = done

    async def settled(self, stock: Stock, outcome: str) -> None:
        self._done += 1
        await self._ctx.report(self._done, len(self._stocks), f"{stock}: {outcome}")

    async def store_missing(self, brief: StockBrief) -> None:
        def store(tx: Transaction) -> None:
            store_no_verdict(
                tx,
                self._ctx.task,
                brief.stock,
                thesis=why_missing(tx, brief.stock),
                reason=Reason.MISSING_DATA,
                data_quality=brief.quality,
            )

        await self._ctx.commit(store)
        await self.settled(brief.stock, "INSUFFICIENT_DATA (missing data)")

    async def behind_a_fetch(
        self, stocks: Sequence[Stock], old: Sequence[Stock], refetch: Refetch
    ) -> Outcome:
        """All `stocks` move, so that they are still judged in one session, though only the prices of `old` are old."""
        names = ", ".join(str(stock) for stock in old)
        moved = _moved(stocks, f"The prices of {names} are stale; they are fetched first.")
        task = self._ctx.task
        return Completed({**await self._result(), **moved}, lambda tx: refetch(tx, task, stocks))

    async def by_rules(self, briefs: Sequence[StockBrief]) -> Outcome:
        for brief in briefs:
            await self._judge_by_rules(brief)
        return Completed(await self._result())

    async def _judge_by_rules(self, brief: StockBrief) -> None:
        verdict = baseline_verdict(brief.stock, brief.facts)
        abstains = verdict.action == Action.INSUFFICIENT_DATA
        await self._ctx.commit(
            lambda tx: store_verdict(
                tx,
                self._ctx.task,
                brief.stock,
                verdict,
                brief.facts,
                analyst=Analyst.BASELINE,
                data_quality=brief.quality,
                reason=Reason.ABSTAINED if abstains else None,
            )
        )
        await self.settled(brief.stock, verdict.action)

    async def by_claude(
        self, briefs: Sequence[StockBrief], settings: AnalystSettings, desk_clock: Clock
    ) -> Outcome:
        if not briefs:
            return Completed(await self._result())
        session_id = new_session_id()
        submissions = Submissions(
            self._ctx, briefs, session_id=session_id, model=settings.model, on_settled=self.settled
        )
        names = ", ".join(str(brief.stock) for brief in briefs)
        await self._ctx.report(self._done, len(self._stocks), f"Claude judges {names}")
        stocks = [brief.stock for brief in briefs]
        prompt = write_prompt(briefs, desk_clock().date())
        try:
            # the engine's timeout stands outside the session's own deadline, so that the cost is always known
            deadline = min(settings.deadline, session_deadline_of(self._ctx.task))
            report = await run_session(
                self._ctx,
                replace(settings, deadline=deadline),
                stocks,
                prompt,
                submissions.submit,
                session_id=session_id,
            )
        except CliNotFoundError as error:
            return no_cli(str(error))
        left = [stock for stock in stocks if stock not in submissions.settled]
        if not left:
            return Completed(await self._result())
        wait_out = waits_out_an_outage(self._ctx.task)
        outcome = trouble(report.ending, self._ctx.now, wait_out=wait_out)
        return outcome or await self._move_on(report.ending, left, len(stocks))

    async def _move_on(self, ending: Ending, left: Sequence[Stock], asked: int) -> Outcome:
        """What the session left open goes on as something smaller; one stock alone cannot get smaller."""
        why = f"{why_incomplete(ending)} without a verdict of {', '.join(str(stock) for stock in left)}."
        if asked == 1:
            return Failed(why, await self._result())
        half = len(left) if len(left) < asked else (asked + 1) // 2
        parts = [part for part in (left[:half], left[half:]) if part]
        tasks = [
            analysis_task(
                part,
                priority=self._ctx.task.priority,
                carried=True,
                analyst=self._analyst,
                session_deadline=session_deadline_of(self._ctx.task),
            )
            for part in parts
        ]
        return Completed({**await self._result(), **_moved(left, why)}, on_record=lambda _: tasks)

    async def _result(self) -> JsonObject:
        return await self._ctx.database.read(lambda tx: _result_of(tx, self._ctx.task))


def _done(tx: Transaction, task: Task) -> set[Stock]:
    """The stocks of which nothing is left to do: judged by this task, or still without data."""

    def has_come(verdict: Verdict) -> bool:
        return verdict.reason == Reason.MISSING_DATA and bool(current_facts(tx, verdict.stock))

    return {verdict.stock for verdict in verdicts_of_task(tx, task) if not has_come(verdict)}


def _moved(stocks: Sequence[Stock], why: str) -> JsonObject:
    return {"moved": [str(stock) for stock in stocks], "why_moved": why}


def _result_of(tx: Transaction, task: Task) -> JsonObject:
    """Per stock its verdict in short, and every session that the task has run, over all its attempts."""
    return {
        "verdicts": {
            str(verdict.stock): {
                "action": verdict.action.value,
                "conviction": verdict.conviction,
                "analyst": verdict.analyst.value,
                **({} if verdict.reason is None else {"reason": verdict.reason}),
            }
            for verdict in verdicts_of_task(tx, task)
        },
        "sessions": [
            {
                "session_id": session.session_id,
                "model": session.model,
                "ended_as": session.ended_as,
                "turns": session.spent.turns,
                "input_tokens": session.spent.input_tokens,
                "output_tokens": session.spent.output_tokens,
                "cost_usd": session.spent.cost_usd,
                "duration_seconds": None if session.duration is None else session.duration.total_seconds(),
            }
            for session in sessions_of_task(tx, task.id)
        ],
    }
