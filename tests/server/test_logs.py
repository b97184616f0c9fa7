import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
import pytest

from queues.observing import log_fields
from server.logs import FILES_KEPT, STDERR_LINES, close_logs, configure_logs


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction] (autouse)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:], root.level = handlers, level


def file_in(folder: Path) -> str:
    return (folder / f"serve-{os.getpid()}.log").read_text("utf-8")


def lines_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file_in(folder).split("\n")[:-1]]


def log_failure(words: str) -> None:
    try:
        fail(words)
    except ValueError:
        logging.getLogger("anything").exception("it failed: %s", words)


def fail(words: str) -> None:
    raise ValueError(words)


def test_logs_go_to_stderr_and_to_a_file_of_the_process_but_never_to_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(tmp_path, "INFO", command="serve")
    logging.getLogger("queues.worker").info("sync-1 starts")
    logging.getLogger("anything").error("it failed")
    close_logs()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "sync-1 starts" in captured.err
    assert "it failed" in captured.err
    assert file_in(tmp_path).count("\n") == 2


def test_a_person_reads_text_on_stderr_and_a_program_one_object_per_line_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(tmp_path, "INFO", command="serve")
    logging.getLogger("queues.worker").info("%s starts", "sync-1")
    log_failure("of the disk")
    close_logs()
    starts, failed = lines_in(tmp_path)
    moment = datetime.fromisoformat(starts.pop("ts"))
    assert moment.tzinfo == UTC
    assert starts == {
        "level": "INFO",
        "logger": "queues.worker",
        "message": "sync-1 starts",
        "process": os.getpid(),
        "command": "serve",
    }
    assert failed["error"].startswith("Traceback (most recent call last):\n")
    assert failed["error"].endswith("\nValueError: of the disk")
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.endswith(" INFO queues.worker: sync-1 starts")
    assert last == "    ValueError: of the disk"


@pytest.mark.parametrize("form", ["text", "json"])
def test_one_form_may_be_chosen_for_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: Literal["text", "json"]
) -> None:
    configure_logs(tmp_path, "INFO", command="serve", form=form)
    logging.getLogger("anything").info("said")
    close_logs()
    written = file_in(tmp_path)
    assert written == capsys.readouterr().err
    assert written.startswith("{") == (form == "json")


async def test_each_line_names_what_it_belongs_to_also_from_a_thread(tmp_path: Path) -> None:
    configure_logs(tmp_path, "INFO", command="serve")
    log = logging.getLogger("anything")
    with log_fields(task="analysis-3", claim=2):
        with log_fields(session="abc"):
            await anyio.to_thread.run_sync(log.info, "in a thread of the session")
        log.info("after it")
    log.info("outside")
    close_logs()
    ids = [{name: line.get(name) for name in ("task", "claim", "session")} for line in lines_in(tmp_path)]
    assert ids == [
        {"task": "analysis-3", "claim": 2, "session": "abc"},
        {"task": "analysis-3", "claim": 2, "session": None},
        {"task": None, "claim": None, "session": None},
    ]


FORGED = "2026-01-01 00:00:00,000 INFO queues.worker: sync-1 is completed"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028", "\x1b[2K\x1b[1G", "\u202e"])
def test_no_text_can_pass_for_a_line_or_command_a_terminal(
    tmp_path: Path, form: Literal["text", "json"], end: str
) -> None:
    configure_logs(tmp_path, "INFO", command="serve", form=form)
    log_failure(f"x{end}{FORGED}")
    close_logs()
    written = file_in(tmp_path)
    assert written.count("is completed") == 2
    assert not [line for line in written.splitlines() if line.startswith(FORGED)]
    assert {character for character in written if not character.isprintable()} == {"\n"}


HEADERS = "authorization=Bearer%20a-long-secret-of-mine,x-api-key=another-secret-of-mine"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ANTHROPIC_API_KEY", "a-shapeless-key-of-mine", "a-shapeless-key-of-mine"),
        ("OTEL_EXPORTER_OTLP_HEADERS", HEADERS, "Bearer a-long-secret-of-mine"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", HEADERS, "another-secret-of-mine"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", HEADERS, HEADERS),
    ],
)
def test_no_line_and_no_traceback_tells_a_secret(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    form: Literal["text", "json"],
    variable: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(variable, value)
    configure_logs(tmp_path, "INFO", command="serve", form=form)
    log_failure(f"401, {said} is wrong")
    close_logs()
    written = file_in(tmp_path) + capsys.readouterr().err
    assert written.count("[hidden] is wrong") == 4
    assert "of-mine" not in written


def test_a_library_that_logs_each_request_is_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(tmp_path, "DEBUG", command="serve")
    logging.getLogger("httpx").info("HTTP Request: GET …")
    close_logs()
    assert "HTTP Request" not in capsys.readouterr().err


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    for number in range(FILES_KEPT + 5):
        file = tmp_path / f"serve-{number}.log"
        file.touch()
        os.utime(file, (number, number))
    configure_logs(tmp_path, "INFO", command="serve")
    left = {file.name for file in tmp_path.iterdir()}
    assert len(left) == FILES_KEPT
    assert "serve-0.log" not in left
    assert f"serve-{FILES_KEPT + 4}.log" in left


def test_a_file_that_another_process_forgets_at_the_same_moment_stops_no_start(tmp_path: Path) -> None:
    (tmp_path / "serve-1.log").touch()
    # Listed, but gone when it is looked at, as when another process unlinks it in between.
    (tmp_path / "serve-2.log").symlink_to(tmp_path / "gone")
    configure_logs(tmp_path, "INFO", command="serve")
    assert (tmp_path / "serve-1.log").is_file()


def test_a_stderr_that_nobody_reads_stops_nobody(tmp_path: Path) -> None:
    far_more_than_a_pipe_holds = 5 * STDERR_LINES
    program = f"""
import logging, os, pathlib
from server.logs import configure_logs
configure_logs(pathlib.Path({str(tmp_path)!r}), "INFO", command="serve")
for number in range({far_more_than_a_pipe_holds}):
    logging.info("line %d %s", number, "x" * 100)
print("done", flush=True)
os._exit(0)
"""
    unread, stderr = os.pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program], stderr=stderr, stdout=subprocess.PIPE, timeout=60, check=True
        )
    finally:
        os.close(unread)
        os.close(stderr)
    assert ended.stdout == b"done\n"
    [file] = tmp_path.glob("serve-*.log")
    assert file.read_text("utf-8").count("\n") == far_more_than_a_pipe_holds
