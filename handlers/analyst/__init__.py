"""Who judges a stock: a real Claude session, or the baseline rules; and the check that neither invents a number."""
