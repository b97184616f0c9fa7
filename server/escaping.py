"""Lines that a terminal cannot obey."""

import json


def escaped(line: str, kept: str = "") -> str:
    """With JSON's code for each character that ends a line, commands a terminal, turns text around or is not seen.

    Those in `kept` stay. JSON stays the same JSON.
    """
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() or each in kept else json.dumps(each)[1:-1] for each in line)
