"""What the holds for a person stand on, so that they end when it has changed. A server starts with it: no SDK here."""

from collections.abc import Mapping

from handlers.analyst.secrets import credentials_set
from queues.database import Transaction
from queues.holds import current_holds, release_queue
from queues.model import Hold, QueueName

# The sources of holds; behind "=" stands what they stand on ("model=sonnet"), nothing where that is unset.
SIGN_IN, BILLING, MODEL, CLI, INSTRUCTIONS = "sign_in", "billing", "model", "claude_cli", "instructions"
DAILY_BUDGET = "daily_budget"


def stands_on(model: str, daily_budget_usd: float, environment: Mapping[str, str]) -> Mapping[str, str]:
    """What a hold would stand on now: the model, the budget, and the names of the credentials that are set."""
    credentials = credentials_set(environment)
    return {
        MODEL: model,
        DAILY_BUDGET: f"{daily_budget_usd:g}",
        SIGN_IN: credentials,
        BILLING: credentials,
    }


def release_outdated(tx: Transaction, current: Mapping[str, str]) -> list[Hold]:
    """End the holds that stand on something that has changed; for the transaction in which a process takes the lead.

    A missing CLI and unusable instructions are looked at anew by each leader: that costs nothing.
    """

    def is_outdated(source: str) -> bool:
        name, _, value = source.partition("=")
        return name in {CLI, INSTRUCTIONS} or current.get(name, value) != value

    return _release(
        tx, [hold for hold in current_holds(tx, QueueName.AI_ANALYSIS) if is_outdated(hold.source)]
    )


def release_signed_in(tx: Transaction) -> list[Hold]:
    """End the holds that a sign-in mends: that for a missing one, and that of an account without credit."""
    holds = current_holds(tx, QueueName.AI_ANALYSIS)
    return _release(tx, [hold for hold in holds if hold.source.partition("=")[0] in {SIGN_IN, BILLING}])


def _release(tx: Transaction, holds: list[Hold]) -> list[Hold]:
    return [each for hold in holds for each in release_queue(tx, QueueName.AI_ANALYSIS, hold.source)]
