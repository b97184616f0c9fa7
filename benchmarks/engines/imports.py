"""How long an import takes, each time in a fresh interpreter."""

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import queues

REPEATS = 5
BACKEND = "anyio._backends._asyncio"
IMPORT = """
from time import perf_counter
begin = perf_counter()
import {}
print(1000 * (perf_counter() - begin))
"""


def import_milliseconds(*modules: str) -> float:
    """The shortest of several imports."""
    return min(_import_once(modules) for _ in range(REPEATS))


def import_ratio() -> float:
    """The import of our engine over that of its dependencies: every module that its files name and are not its own.

    Both with anyio's backend, which every event loop loads.
    """
    needed = [*_named_by(Path(queues.__path__[0])), BACKEND]
    pairs = [(_import_once(["queues.scheduler", BACKEND]), _import_once(needed)) for _ in range(2 * REPEATS)]
    return min(ours for ours, _ in pairs) / min(theirs for _, theirs in pairs)


def _named_by(folder: Path) -> list[str]:
    """The modules that the files of a package import at their top, without its own."""
    named: set[str] = set()
    for file in folder.glob("*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            match node:
                case ast.Import(names):
                    named |= {each.name for each in names}
                case ast.ImportFrom(module=str(module)):
                    named.add(module)
                case _:
                    pass
    return sorted(name for name in named if name.partition(".")[0] != folder.name)


def _import_once(modules: Sequence[str]) -> float:
    return float(_run(IMPORT.format(",".join(modules))))


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
