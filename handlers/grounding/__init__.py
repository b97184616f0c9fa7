"""Groundedness: every number of a verdict is a supplied fact, or is recomputed from two of them."""
