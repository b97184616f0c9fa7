"""What a person in a terminal does where a model calls a tool: the desk's sentences name tools, for models."""

import re

_COMMANDS = {
    "get_queue_status": "status",
    "show_dashboard": "status --watch",
    "list_tasks": "tasks",
    "get_task": "task",
    "get_verdicts": "verdicts",
    "get_portfolio": "portfolio",
    "get_spend": "spend",
    "hold_queue": "hold",
    "release_queue": "release",
    "cancel_tasks": "cancel",
    "retry_task": "retry",
}
# Of a hold's reason, "call release_queue(…) or run `stockdesk release …`" is for both, and stays.
_TOOL = re.compile(
    r"(?<!call )\b(?:cancel|clear|delete|enqueue|find|get|hold|list|release|remove|retry|set|show)_[a-z_]+\b"
    r"(?:\(([^)]*)\))?"
)
_OLD = re.compile(r"\binclude_old(=true)?\b")


def in_commands(sentence: str) -> str:
    """A sentence of the desk with the command in the place of each tool; one that has none is called Claude's."""
    return _TOOL.sub(_in_command, _OLD.sub("--include-old", sentence))


def _in_command(tool: re.Match[str]) -> str:
    name, arguments = tool[0].partition("(")[0], tool[1]
    if name not in _COMMANDS:
        return f"Claude's {tool[0]}"
    return f"`stockdesk {' '.join([_COMMANDS[name], *(arguments or '').split(', ')]).strip()}`"
