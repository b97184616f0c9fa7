"""`stockdesk backup` and `stockdesk restore`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio.to_thread

from queues.backup import Contents, Restored, back_up, inspect, restore
from queues.clock import system_clock
from server.desk import DATABASE_NAME, make_folders, migrations
from server.settings import Settings


async def save(settings: Settings, target: Path, *, replace: bool) -> str:
    """Save the database of the home as `target`; returns a sentence.

    Raises:
        DatabaseError: there is none, or `target` cannot hold it.
    """
    database = settings.home / DATABASE_NAME
    saved = await anyio.to_thread.run_sync(partial(back_up, database, target, replace=replace))
    return f"Saved {_contents(saved)} as {target} ({saved.size / 1e6:.1f} MB, checked)."


async def put_back(settings: Settings, backup: Path, ask: Callable[[str], bool] | None) -> str:
    """Replace the work of the home by that of the backup, unless `ask` says no to a question; returns sentences.

    Raises:
        DatabaseError: the backup or the database is in no state for it; nothing was changed.
    """
    saved = await anyio.to_thread.run_sync(inspect, backup)
    question = f"Replace all work in {settings.home} by {_contents(saved)} of {backup}?"
    if ask is not None and not ask(question):
        return "Nothing was changed."
    make_folders(settings)
    database = settings.home / DATABASE_NAME
    restored = await anyio.to_thread.run_sync(restore, database, backup, migrations(), system_clock())
    return "\n".join(_sentences(restored))


def _sentences(restored: Restored) -> list[str]:
    said = [f"Restored {_contents(restored.saved)}; processes that are open go on with that."]
    if restored.before is not None:
        said.append(f"What was there before is in {restored.before}.")
    if restored.again:
        said.append(f"What ran when the backup was made is queued again: {', '.join(restored.again)}.")
    if restored.held:
        said.append(
            f"ai_analysis is held: of its {restored.held} queued tasks some may have been done and paid for since the"
            " backup; cancel those, then `stockdesk release ai_analysis`."
        )
    return said


def _contents(saved: Contents) -> str:
    newest = "" if saved.newest is None else f", the newest of {saved.newest.astimezone():%Y-%m-%d %H:%M}"
    return f"{saved.tasks} task{'' if saved.tasks == 1 else 's'}{newest}"
