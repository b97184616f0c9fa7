"""What was measured of each engine, round by round."""

import statistics
from collections.abc import Mapping


class Results:
    def __init__(self, absent: Mapping[str, str]) -> None:
        self.failures = dict(absent)
        self._values: dict[str, dict[str, list[float]]] = {}

    def add(self, name: str, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            self._values.setdefault(name, {}).setdefault(key, []).append(value)

    def fail(self, name: str, reason: str) -> None:
        self.failures[name] = reason

    def median(self, name: str, key: str) -> float | None:
        values = self._values.get(name, {}).get(key)
        return statistics.median(values) if values else None

    def total(self, name: str, key: str) -> int:
        return round(sum(self._values.get(name, {}).get(key, [])))

    def ratio(self, name: str, key: str, base: str) -> float | None:
        """The median of the ratios of both within the rounds; None where one was not measured."""
        pairs = zip(
            self._values.get(name, {}).get(key, []), self._values.get(base, {}).get(key, []), strict=False
        )
        ratios = [mine / other for mine, other in pairs]
        return statistics.median(ratios) if ratios else None
