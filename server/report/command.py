"""`stockdesk report`: the whole desk as one file."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import anyio.to_thread

from server.desk import DATABASE_NAME, desk_clock, open_desk
from server.report.content import Report
from server.report.gathering import Progress, gather
from server.report.html import html_of
from server.report.markdown import markdown_of
from server.report.spreadsheet import csv_of
from server.report.wording import plural
from server.settings import Settings
from server.whole_files import write_whole

Format: TypeAlias = Literal["html", "markdown", "csv"]
STDOUT = Path("-")

_WRITERS: Mapping[Format, tuple[Callable[[Report], str], str]] = {
    "html": (html_of, "html"),
    "markdown": (markdown_of, "md"),
    "csv": (csv_of, "csv"),
}


class ReportError(Exception):
    """There is no report; the message says why and what to do."""


async def write_report(
    settings: Settings, kind: Format, out: Path | None, *, replace: bool, progress: Progress | None = None
) -> str:
    """Write everything the desk knows, of one moment, as `out`; returns a sentence.

    None is a name with the desk's day in the current folder, `-` is stdout. The file is whole or not there, and only
    the user may read it.

    Raises:
        ReportError: the desk is empty, the file exists and `replace` is not set, or it cannot be written.
        DatabaseError: the home cannot be opened.
    """
    render, suffix = _WRITERS[kind]
    today = desk_clock(settings)().astimezone(settings.zone)
    target = out or Path(f"stockdesk-report-{today:%Y-%m-%d}.{suffix}")
    if target != STDOUT and target.exists() and not (replace and target.is_file()):
        raise ReportError(f"{target} exists already; choose another name, or --force to replace a file.")
    report = await _gathered(settings, progress)
    content = (await anyio.to_thread.run_sync(render, report)).encode()
    _write(target, content)
    where = "stdout" if target == STDOUT else target
    return f"Wrote {plural(len(report.stocks), 'stock')} to {where} ({len(content) / 1e6:.1f} MB)."


async def _gathered(settings: Settings, progress: Progress | None) -> Report:
    if (settings.home / DATABASE_NAME).is_file():  # to look makes no home
        async with open_desk(settings, "report") as desk:
            report = await desk.database.read(lambda tx: gather(tx, settings, desk.clock(), progress))
        if report.stocks:
            return report
    raise ReportError(
        f"There is nothing to report: in {settings.home} no stock is held or judged; sync a portfolio first, or check"
        " STOCKDESK_HOME."
    )


def _write(target: Path, content: bytes) -> None:
    if target == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        write_whole(target, content)
    except OSError as error:
        raise ReportError(
            f"{target} cannot be written: {error.strerror}; choose another --out FILE."
        ) from error
