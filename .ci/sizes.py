"""Fails where a file is longer than 300 lines or a function longer than 40: then it is two things."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("server", "handlers", "queues", "claude_config")
LONGEST_FILE, LONGEST_FUNCTION = 300, 40


def too_long(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    lines = text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{path}: {lines} lines, at most {LONGEST_FILE}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # What it defines inside (a handler's factory, a group of tools) counts by itself.
            length = lines_of(node) - sum(map(lines_of, functions_in(node)))
            if length > LONGEST_FUNCTION:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, at most {LONGEST_FUNCTION}"


def functions_in(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions defined in this one, but not those inside them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        else:
            yield from functions_in(child)


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def main() -> int:
    found = [
        line for folder in FOLDERS for path in sorted(Path(folder).rglob("*.py")) for line in too_long(path)
    ]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
