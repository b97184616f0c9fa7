"""The official conformance suite against our server over HTTP, with what it requires of both protocol revisions."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import PIPE

import pytest

ROOT = Path(__file__).parents[2]
VERSION = "0.2.0-alpha.12"
INSTALL = f"npm install --global @modelcontextprotocol/conformance@{VERSION} (with Node 22 or newer)"
# It takes seconds; a hang takes for ever.
PATIENCE_SECONDS = 120.0
ENTRY = re.compile(r"^  - (\S+:\S+)  # \S.*$", re.MULTILINE)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.conformance.serve", str(tmp_path_factory.mktemp("desk"))]
    with subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            printed = process.stdout.readline().strip()
            assert printed.startswith("http://"), "the server has not started"
            yield printed
            process.stdin.close()
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")
def suite(require_program: Callable[[str, str], Path]) -> Path:
    program = require_program("conformance", INSTALL)
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    assert found == VERSION, f"this is {found}; install it: {INSTALL}"
    return program


def checks_in(results: Path) -> Mapping[str, Mapping[str, str]]:
    """Per scenario each check that did not pass, with its message; empty where all passed."""
    return {
        re.sub(r"^server-(.*)-\d{4}-\d\d-\d\dT.*$", r"\1", folder.name): {
            check["id"]: check.get("errorMessage", "")
            for check in json.loads((folder / "checks.json").read_text("utf-8"))
            if check["status"] in ("FAILURE", "WARNING")
        }
        for folder in results.iterdir()
    }


@pytest.mark.parametrize("revision", ["2026-07-28", "2025-11-25"])
def test_all_checks_of_the_suite_pass_but_those_that_are_expected_to_fail(
    revision: str, suite: Path, url: str, tmp_path: Path
) -> None:
    run = subprocess.run(
        [suite, "server", "--url", url, "--requirements", revision, "--output-dir", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    print(run.stdout[run.stdout.index("=== SUMMARY") :])  # noqa: T201 (for who looks at a failure)
    scenarios = checks_in(tmp_path)
    assert len(scenarios) == run.stdout.count("=== Running scenario"), run.stderr
    failed = {
        f"{scenario}:{check}": why for scenario, checks in scenarios.items() for check, why in checks.items()
    }
    expected = ENTRY.findall(
        Path(__file__).with_name(f"expected_failures_{revision}.yaml").read_text("utf-8")
    )
    assert failed.keys() == set(expected), failed
