"""Numbers about a stock, computed from its daily prices: formulas, and the facts made of them."""

from handlers.indicators.facts import benchmark_facts, price_facts

__all__ = ["benchmark_facts", "price_facts"]
