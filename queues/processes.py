"""Which process is that: an identity that no later process with the same id shares, and that no clock step changes."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """`started` says when it started, in words of the system that are compared and never read.

    Empty where the system tells nothing; no process found later equals such a one.
    """

    pid: int
    started: str


def this_process() -> Process:
    return _unchanging(os.getpid())  # which a fork has another of


@cache
def _unchanging(own_pid: int) -> Process:
    return process_of(own_pid) or Process(own_pid, "")


def is_running(process: Process) -> bool:
    """False once it has ended, even if its parent has not noticed (a zombie) or another process has its id."""
    return process_of(process.pid) == process


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _PROCESS_TERMINATE = 0x0001
    _PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
    _STILL_ACTIVE = 259

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.OpenProcess.restype = wintypes.HANDLE
    _kernel32.OpenProcess.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.DWORD]
    _kernel32.CloseHandle.argtypes = [wintypes.HANDLE]
    _kernel32.TerminateProcess.argtypes = [wintypes.HANDLE, wintypes.UINT]
    _kernel32.GetExitCodeProcess.argtypes = [wintypes.HANDLE, wintypes.LPDWORD]
    _kernel32.GetProcessTimes.argtypes = [wintypes.HANDLE] + 4 * [ctypes.POINTER(wintypes.FILETIME)]

    def process_of(pid: int) -> Process | None:
        """The process that has this id now; None if none runs, or the system does not tell."""
        handle = _kernel32.OpenProcess(_PROCESS_QUERY_LIMITED_INFORMATION, False, pid)
        if not handle:
            return None
        try:
            return _behind(handle, pid)
        finally:
            _kernel32.CloseHandle(handle)

    def kill_now(process: Process) -> bool:
        """Kill exactly this process, without race: an id is not given anew while a handle is open."""
        rights = _PROCESS_TERMINATE | _PROCESS_QUERY_LIMITED_INFORMATION
        handle = _kernel32.OpenProcess(rights, False, process.pid)
        if not handle:
            return False
        try:
            return _behind(handle, process.pid) == process and bool(_kernel32.TerminateProcess(handle, 1))
        finally:
            _kernel32.CloseHandle(handle)

    def _behind(handle: int, pid: int) -> Process | None:
        code = wintypes.DWORD()
        created, *others = [wintypes.FILETIME() for _ in range(4)]
        times = [ctypes.byref(time) for time in (created, *others)]
        if not _kernel32.GetProcessTimes(handle, *times):
            return None
        # A handle that somebody keeps open keeps an ended process in sight.
        if not _kernel32.GetExitCodeProcess(handle, ctypes.byref(code)) or code.value != _STILL_ACTIVE:
            return None
        return Process(pid, str(created.dwHighDateTime << 32 | created.dwLowDateTime))

else:

    def process_of(pid: int) -> Process | None:
        """The process that has this id now; None if none runs, or the system does not tell."""
        found = _look_in_proc(pid) if sys.platform == "linux" else _ask_ps(pid)
        if found is None:
            return None
        state, started = found
        return None if state in "ZX" else Process(pid, started)

    def kill_now(process: Process) -> bool:
        """Kill exactly this process; False if it had ended or may not be killed.

        On Linux without race: the descriptor stands for one process, and is taken before its identity is read.
        """
        descriptor = open_pidfd(process.pid)
        try:
            if not is_running(process):
                return False
            if sys.platform == "linux" and descriptor is not None:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            else:
                os.kill(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        finally:
            if descriptor is not None:
                os.close(descriptor)
        return True

    def _ask_ps(pid: int) -> tuple[str, str] | None:
        """For macOS and BSD, where the kernel notes the time of the start once: later clock steps leave it."""
        command = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
        plain = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        with suppress(OSError):
            asked = subprocess.run(command, env=plain, capture_output=True, text=True, check=False)  # noqa: S603 (constant)
            if answer := asked.stdout.split():
                return answer[0][0], " ".join(answer[1:])
        return None


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where there is no such thing, or no process."""
    if sys.platform != "linux":
        return None
    # Python as uv installs it was built for kernels that had none.
    with suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None


def _look_in_proc(pid: int) -> tuple[str, str] | None:
    """State and start, from proc_pid_stat(5): ticks since the boot, which no clock step touches, and which boot."""
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # The name of the program is in parentheses, and may hold anything.
        fields = stat.rpartition(")")[2].split()
        return fields[0], f"{_here()} {fields[19]}"
    return None


@cache
def _here() -> str:
    """This boot and this namespace of process ids: containers share the one, and each has a process 1."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
