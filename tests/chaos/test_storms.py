import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")
def test_through_kills_stops_and_exits_nothing_overlaps_is_lost_doubled_or_out_of_order() -> None:
    """Fewer of the storms that `make chaos` runs by the thousand; they also fail when they hit too little."""
    program = Path(__file__).parent / "run.py"
    # In a process of its own: it forks, and so must have one thread.
    storms = subprocess.run(
        [sys.executable, program, "--kills", "150", "--kills-per-home", "50"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert storms.returncode == 0, storms.stdout + storms.stderr
