"""The top-level names are generic: what `stockdesk` imports is this install's, wherever it is started."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.hosts.serve import STOCKDESK, Serve, desk_environment

PACKAGES = ("server", "handlers", "queues", "claude_config")
CHECKOUT = Path(__file__).parents[2]
# Runs a console script, then tells where the packages that it imported lie.
TELL = """
import json, runpy, sys
script, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = script
try:
    runpy.run_path(script, run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
    names = json.loads(sys.stdin.read())
    print(json.dumps({name: sys.modules[name].__file__ for name in names}), file=sys.stderr)
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with packages of the same names, each of which says so and fails."""
    folder = tmp_path / "foreign"
    for name in PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(
            f"raise SystemExit('the foreign {name}')\n", encoding="utf-8"
        )
    return folder


def test_every_package_lies_in_this_install_also_when_the_folder_has_its_own(
    tmp_path: Path, foreign: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-P", "-c", TELL, STOCKDESK, "config", "claude-code"],
        env=desk_environment(tmp_path),
        cwd=foreign,
        input=json.dumps(PACKAGES),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ended.stderr.splitlines()[-1])
    folders = {Path(file).parents[1] for file in found.values()}
    assert len(folders) == 1
    assert folders <= {CHECKOUT, Path(sysconfig.get_path("purelib"))}


def test_the_server_starts_in_a_folder_that_has_its_own_packages_of_these_names(
    tmp_path: Path, foreign: Path
) -> None:
    with Serve(desk_environment(tmp_path), cwd=foreign) as serve:
        serve.wait_for_stderr("This process leads")
        assert serve.initialize().call("get_queue_status")["leader"]["is_this_process"]
        assert "foreign" not in serve.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built as pip would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        packed = {name for name in opened.namelist() if ".dist-info/" not in name}
    files = {
        str(path.relative_to(CHECKOUT))
        for package in PACKAGES
        for path in (CHECKOUT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == files
    assert {"queues/schema/1_tasks.sql", "claude_config/analyst.md", "claude_config/mcp.json"} <= packed
    assert [name for name in packed if name.startswith("handlers/sample/") and name.endswith(".csv.gz")]


def test_a_desk_that_runs_from_the_wheel_reviews_the_sample(wheel: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(unpacked)
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); import server.cli;"
        f" assert server.__file__.startswith({str(unpacked)!r}), server.__file__; server.cli.app()"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code, "demo"],
        env=desk_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
