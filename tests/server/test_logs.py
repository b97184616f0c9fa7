import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    written = (tmp_path / f"serve-{os.getpid()}.log").read_text("utf-8")
    assert written.count("\n") == 2


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
