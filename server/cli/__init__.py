"""The command line. Heavy modules are imported where a command needs them, so that each starts fast."""

from server.cli import serving, looking, steering, home, clients  # noqa: I001 (help lists their commands in this order)
from server.cli.running import app

__all__ = ["app", "clients", "home", "looking", "serving", "steering"]
