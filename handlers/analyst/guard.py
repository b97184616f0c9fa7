"""Runs the Claude CLI so that it cannot outlive its desk, nor run twice at once in one home.

Started as `python -IS guard.py FOLDER LOCKFILE PARENT_PID CLI ARGUMENTS…`, it becomes the CLI (same process id):

1. It records in the folder which process it is, for the next desk to end should this one be killed; without this a
   CLI whose parent was killed goes on spending for minutes.
2. On Linux the kernel kills it when its parent dies (prctl(2), PR_SET_PDEATHSIG).
3. Variables of a Claude Code session around the desk are removed; credentials and what the desk sets stay.
4. It takes the lock file exclusively; the lock lives in the CLI's process and falls when that ends, however it
   ends. Waits up to LOCK_WAIT_SECONDS for an earlier session, then gives up with exit code 75 (EX_TEMPFAIL).

Standard library only, and modules of ours that need no more: it runs without site-packages.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

PR_SET_PDEATHSIG = 1
# A session that is being stopped is gone within 2 s; this is for a machine under load.
LOCK_WAIT_SECONDS = 20
EX_TEMPFAIL = 75

# Everything else that begins with CLAUDE_CODE_ describes the session that surrounds the desk.
KEPT = frozenset(
    {
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CODE_USE_FOUNDRY",
        "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
        "CLAUDE_CODE_SKIP_VERTEX_AUTH",
        "CLAUDE_CODE_SKIP_FOUNDRY_AUTH",
        "CLAUDE_CODE_CLIENT_CERT",
        "CLAUDE_CODE_CLIENT_KEY",
        "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE",
        # set by claude-agent-sdk
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SDK_READS_SESSION_STATE",
        # set by the session
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_MAX_RETRIES",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK",
    }
)


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name in KEPT or not (name == "CLAUDECODE" or name.startswith("CLAUDE_CODE_"))
    }


def main() -> None:
    folder, lock_file, parent, cli, *arguments = sys.argv[1:]
    _leave_a_record(Path(folder))
    _die_with(int(parent))
    _take(lock_file)
    os.execve(cli, [cli, *arguments], scrubbed(os.environ))  # noqa: S606 (becoming the CLI is the purpose)


def _leave_a_record(folder: Path) -> None:
    sys.path.append(str(Path(__file__).parents[2]))
    from handlers.analyst.launched import record  # noqa: PLC0415 (it could not be found before)
    from queues.processes import this_process  # noqa: PLC0415

    record(folder, this_process())


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was told, or before there was a record to find
        os._exit(1)


def _take(lock_file: str) -> None:
    import fcntl  # noqa: PLC0415 (Windows has none, and `scrubbed` serves there too)

    lock = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(LOCK_WAIT_SECONDS)
    fcntl.flock(lock, fcntl.LOCK_EX)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _give_up(*_: object) -> None:
    sys.stderr.write(f"Another Claude session of this home has been running for {LOCK_WAIT_SECONDS} s.\n")
    sys.stderr.flush()
    os._exit(EX_TEMPFAIL)


if __name__ == "__main__":
    main()
