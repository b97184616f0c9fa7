import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.logs import FILES_KEPT, configure_logs


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
