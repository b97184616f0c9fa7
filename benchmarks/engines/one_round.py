"""One measure of one engine in a process of its own: `python -m benchmarks.engines.one_round NAME MEASURE …`.

Prints one line of JSON.
"""

import argparse
import asyncio
import importlib
import json
from pathlib import Path

from benchmarks.engines.contestants import CONTESTANTS, Contestant
from benchmarks.engines.measures import FULL, MEASURES, QUICK, Measure, Place, Sizes, Values, resident_mb


async def run(contestant: Contestant, measure: Measure, place: Place, sizes: Sizes) -> Values:
    before = resident_mb()
    module, function = contestant.factory.split(":")
    async with getattr(importlib.import_module(module), function)(place) as engine:
        values = await measure(engine, sizes)
    if "memory" in values:
        values["memory"] -= before
    return values


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=[each.name for each in CONTESTANTS])
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--url", default="")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    contestant = next(each for each in CONTESTANTS if each.name == arguments.contestant)
    sizes = (QUICK if arguments.quick else FULL).scaled(contestant.share)
    place = Place(arguments.folder, arguments.url)
    print(json.dumps(asyncio.run(run(contestant, MEASURES[arguments.measure], place, sizes))))


if __name__ == "__main__":
    main()
