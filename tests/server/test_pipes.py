"""stdin and stdout without threads: whole lines, whole answers, and nothing else on the wire."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from server.pipes import READ_AT_ONCE, LinesIn, LinesOut

PATIENCE = 20.0
ECHO = """
import sys, anyio
from server.pipes import standard_pipes

async def echo():
    with standard_pipes() as pipes:
        if pipes is None:
            print("no pipes")
            return
        print("a stray print")
        assert sys.stdin.read() == ""
        lines, answers = pipes
        async for line in lines:
            await answers.write(line.upper())
    print("after")

anyio.run(echo)
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Its end to read and its end to write; neither waits."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:  # the test closed it
            continue


async def read_all(descriptor: int) -> list[str]:
    return [line async for line in LinesIn(descriptor)]


async def test_a_line_is_whole_in_however_many_pieces_it_comes(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    found: list[str] = []

    async def read() -> None:
        found.extend(await read_all(reading))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for byte in "one\ntwo: \u20b9\n\nthe last".encode():
                os.write(writing, bytes([byte]))
                await anyio.lowlevel.checkpoint()
            os.close(writing)
    assert found == ["one\n", "two: \u20b9\n", "\n", "the last"]


async def test_a_byte_that_is_no_character_spoils_only_itself(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"good\nba\xffd\n")
    os.close(pipe[1])
    assert await read_all(pipe[0]) == ["good\n", "ba\ufffdd\n"]


async def test_a_long_line_goes_out_and_comes_in_whole(pipe: tuple[int, int]) -> None:
    line = "\u20b9" * READ_AT_ONCE + "\n"
    found: list[str] = []

    async def read() -> None:
        found.append(await anext(LinesIn(pipe[0])))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await LinesOut(pipe[1]).write(line)
    assert found == [line]


async def test_who_writes_to_nobody_is_told(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with pytest.raises(BrokenPipeError):
        await LinesOut(pipe[1]).write("hello\n")


def test_only_the_protocol_is_on_the_wire_and_the_streams_are_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ECHO], input=b"hello\nworld", capture_output=True, check=True, timeout=PATIENCE
    )
    assert done.stdout == b"HELLO\nWORLDafter\n"
    assert done.stderr == b"a stray print\n"


def test_a_launcher_may_give_one_socket_for_both() -> None:
    ours, theirs = socket.socketpair()
    end = theirs.fileno()
    with ours, theirs, subprocess.Popen([sys.executable, "-c", ECHO], stdin=end, stdout=end) as process:
        theirs.close()
        ours.settimeout(PATIENCE)
        with ours.makefile("rb") as answers:
            ours.sendall(b"hello\n")
            assert answers.readline() == b"HELLO\n"
            ours.shutdown(socket.SHUT_WR)
            assert answers.read() == b"after\n"
        assert process.wait(PATIENCE) == 0


def test_a_file_is_left_to_the_sdk(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"hello\n")
    with (tmp_path / "in").open() as file:
        done = subprocess.run([sys.executable, "-c", ECHO], stdin=file, capture_output=True, check=True)
    assert done.stdout == b"no pipes\n"
