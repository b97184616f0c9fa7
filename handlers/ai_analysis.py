"""The `analyse` task: one session over two or three stocks, and a verdict for each.

A verdict that a task has stored is never asked for, or paid, again: not after an interruption, a failure or a
usage limit; only the retry of a completed task judges anew. Nor is one of which nothing has changed, by whichever
analyst. What a session leaves open goes on as a smaller task; what was to be judged by old prices (they waited for
approval, a hold or a retry) goes on behind a fetch.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from handlers.analysis_result import done_stocks, result_of
from handlers.analysis_task import KIND, AnalysisPayload, analysis_task, session_deadline_of
from handlers.analyst.baseline import baseline_verdict
from handlers.analyst.briefs import StockBrief, read_briefs, why_missing
from handlers.analyst.cli import CliNotFoundError
from handlers.analyst.ending import BudgetExhausted, Ending
from handlers.analyst.options import AnalystSettings
from handlers.analyst.prompt import (
    Instructions,
    InstructionsError,
    analyst_instructions,
    entry_of,
    hash_of,
    write_prompt,
)
from handlers.analyst.session import Assignment, new_session_id, run_session
from handlers.analyst.standing import stands_on
from handlers.analyst.submissions import Submissions
from handlers.analyst.troubles import (
    no_cli,
    no_instructions,
    trouble,
    waits_out_an_outage,
    why_incomplete,
)
from handlers.audit import store_inputs
from handlers.freshness import was_asked_for
from handlers.renewal import Question, renew_verdict
from handlers.spend import budget_for_next_session, hold_until_tomorrow, was_cut_short_by_the_day
from handlers.stocks import Stock, parse_stock
from handlers.verdict import Analyst, Reason
from handlers.verdicts import store_no_verdict, store_verdict
from queues.clock import Clock
from queues.context import Handler, TaskContext, store_progress
from queues.database import Transaction
from queues.model import Enqueued, JsonObject, NewTask, Progress, Task
from queues.outcome import Completed, Failed, OnRecord, Outcome, Snooze

Refetch: TypeAlias = Callable[[Transaction, Task, Sequence[Stock]], Sequence[NewTask]]
"""Given an analysis and those of its stocks that need newer prices, the tasks that do its work instead."""


def ai_analysis(settings: AnalystSettings, desk_clock: Clock, refetch: Refetch) -> Handler:
    """The handler of `analyse` tasks. `desk_clock` decides what is fresh; with the sample, it stands still.

    `refetch` makes the tasks that follow where a stock was not asked for since its last session closed.
    """

    async def handle(ctx: TaskContext) -> Outcome:
        payload = AnalysisPayload.model_validate(ctx.task.payload)
        stocks = list(dict.fromkeys(parse_stock(text) for text in payload.stocks))
        now = desk_clock()
        done = await ctx.database.read(lambda tx: done_stocks(tx, ctx.task))
        open_stocks = [stock for stock in stocks if stock not in done]
        attempt = _Attempt(ctx, payload, settings, desk_clock)
        old = await ctx.database.read(lambda tx: [s for s in open_stocks if not was_asked_for(tx, s, now)])
        if old:
            return await attempt.behind_a_fetch(open_stocks, old, refetch)
        briefs = await ctx.database.read(lambda tx: read_briefs(tx, open_stocks, now))
        for brief in briefs:
            if not brief.facts:
                await attempt.store_missing(brief)
        return await attempt.judge([brief for brief in briefs if brief.facts])

    return handle


class _Attempt:
    """One attempt at a task, and how far it is."""

    def __init__(
        self,
        ctx: TaskContext,
        payload: AnalysisPayload,
        settings: AnalystSettings,
        desk_clock: Clock,
    ) -> None:
        self._ctx = ctx
        self._payload = payload
        self._settings = settings
        self._desk_clock = desk_clock

    def settled(self, tx: Transaction, stock: Stock, outcome: str) -> None:
        """Tell it in the commit that stores what was found of the stock."""
        self._tell(tx, f"{stock}: {outcome}")

    def _tell(self, tx: Transaction, message: str) -> None:
        done = len(done_stocks(tx, self._ctx.task))
        store_progress(tx, self._ctx.task, Progress(done, len(self._payload.stocks), message))

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
            self.settled(tx, brief.stock, "INSUFFICIENT_DATA (missing data)")

        await self._ctx.commit(store)

    async def behind_a_fetch(
        self, stocks: Sequence[Stock], old: Sequence[Stock], refetch: Refetch
    ) -> Outcome:
        """All `stocks` move, so that they are still judged in one session, though only the prices of `old` are old."""
        names = ", ".join(str(stock) for stock in old)
        why = f"The prices of {names} are stale; they are fetched first."
        task = self._ctx.task
        return await self._moved(stocks, why, lambda tx: refetch(tx, task, stocks))

    async def judge(self, briefs: Sequence[StockBrief]) -> Outcome:
        if (self._payload.analyst or self._settings.analyst) == "baseline":
            for brief in briefs:
                await self._judge_by_rules(brief)
            return Completed(await self._result())
        try:
            instructions = analyst_instructions(self._settings.instructions)
        except InstructionsError as error:
            return no_instructions(str(error))
        changed = [brief for brief in briefs if not await self._is_current(brief, instructions.version)]
        return await self._by_claude(changed, instructions) if changed else Completed(await self._result())

    async def _judge_by_rules(self, brief: StockBrief) -> None:
        verdict = baseline_verdict(brief.stock, brief.facts)
        entry = entry_of(brief)
        question = Question(entry, Analyst.BASELINE, said=verdict)

        def store(tx: Transaction) -> None:
            if self._is_renewed(tx, brief.stock, question):
                return
            store_verdict(
                tx,
                self._ctx.task,
                brief.stock,
                verdict,
                brief.facts,
                analyst=Analyst.BASELINE,
                data_quality=brief.quality,
                inputs=store_inputs(tx, hash_of(entry), entry),
            )
            self.settled(tx, brief.stock, verdict.action)

        await self._ctx.commit(store)

    async def _is_current(self, brief: StockBrief, prompt_version: str) -> bool:
        question = Question(entry_of(brief), Analyst.CLAUDE, prompt_version, self._settings.model)
        return await self._ctx.commit(lambda tx: self._is_renewed(tx, brief.stock, question))

    def _is_renewed(self, tx: Transaction, stock: Stock, question: Question) -> bool:
        """Whether the last verdict answered just this question; then it is this task's verdict too."""
        if str(stock) in self._payload.forced or self._ctx.task.revision:
            return False
        action = renew_verdict(tx, self._ctx.task, stock, question)
        if action is not None:
            self.settled(tx, stock, f"{action} (still current, nothing has changed)")
        return action is not None

    async def _by_claude(self, briefs: Sequence[StockBrief], instructions: Instructions) -> Outcome:
        budget = await self._ctx.database.read(self._budget)
        if isinstance(budget, Snooze):
            return budget
        session_id = new_session_id()
        submissions = Submissions(
            self._ctx,
            briefs,
            session_id=session_id,
            model=self._settings.model,
            on_settled=self.settled,
            observer=self._settings.observer,
        )
        stocks = [brief.stock for brief in briefs]
        names = ", ".join(map(str, stocks))
        await self._ctx.commit(lambda tx: self._tell(tx, f"Claude judges {names}"))
        try:
            report = await run_session(
                self._ctx,
                self._session_settings(budget),
                Assignment(
                    stocks, instructions, write_prompt(briefs, self._desk_clock().date()), submissions.submit
                ),
                session_id=session_id,
            )
        except CliNotFoundError as error:
            return no_cli(str(error))
        left = [stock for stock in stocks if stock not in submissions.settled]
        if not left:
            return Completed(await self._result())
        return await self._leftover(report.ending, left, len(stocks), budget)

    def _budget(self, tx: Transaction) -> float | Snooze:
        """What the session may cost; the real clock, for money is spent today whatever day the desk pretends."""
        return budget_for_next_session(
            tx,
            now=self._ctx.now,
            daily_usd=self._settings.daily_budget_usd,
            session_usd=self._settings.budget_usd,
            zone=self._settings.zone,
        )

    def _session_settings(self, budget_usd: float) -> AnalystSettings:
        # the engine's timeout stands outside the session's own deadline, so that the cost is always known
        deadline = min(self._settings.deadline, session_deadline_of(self._ctx.task))
        return replace(self._settings, deadline=deadline, budget_usd=budget_usd)

    async def _leftover(
        self, ending: Ending, left: Sequence[Stock], asked: int, budget_usd: float
    ) -> Outcome:
        """What becomes of the stocks of which the session left no verdict."""
        now, settings = self._ctx.now, self._settings
        outcome = trouble(
            ending,
            now,
            wait_out=waits_out_an_outage(self._ctx.task),
            zone=settings.zone,
            current=stands_on(settings.model, settings.daily_budget_usd, os.environ),
        )
        if outcome is not None:
            return outcome
        limits = {"daily_usd": settings.daily_budget_usd, "session_usd": settings.budget_usd}
        if isinstance(ending, BudgetExhausted) and was_cut_short_by_the_day(budget_usd, **limits):
            return await self._ctx.database.read(
                lambda tx: hold_until_tomorrow(tx, now=now, zone=settings.zone, **limits)
            )
        return await self._move_on(ending, left, asked)

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
                analyst=self._payload.analyst,
                forced=[parse_stock(text) for text in self._payload.forced],
                session_deadline=session_deadline_of(self._ctx.task),
            )
            for part in parts
        ]
        return await self._moved(left, why, lambda _: tasks)

    async def _moved(self, stocks: Sequence[Stock], why: str, on_record: OnRecord) -> Outcome:
        def tell(follow_ups: Sequence[Enqueued]) -> JsonObject:
            return {"moved": {str(stock): _task_of(stock, follow_ups) for stock in stocks}, "why_moved": why}

        return Completed(await self._result(), on_record, tell)

    async def _result(self) -> JsonObject:
        return await self._ctx.database.read(lambda tx: result_of(tx, self._ctx.task))


def _task_of(stock: Stock, follow_ups: Sequence[Enqueued]) -> str:
    """The analysis that the stock has moved to."""
    return next(
        each.task.id
        for each in follow_ups
        if each.task.kind == KIND and str(stock) in AnalysisPayload.model_validate(each.task.payload).stocks
    )
