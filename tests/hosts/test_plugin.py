"""The Claude Code plugin: checked by the CLI, installed as its README says, and used by a scripted model."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from mcp import Client

from handlers.analyst.cli import find_cli
from server.app import build_server
from server.desk import open_desk
from server.settings import Settings
from tests.hosts.serve import PATIENCE_SECONDS, desk_environment
from tests.standins.messages_api import MessagesApi, Reply, Request, Says

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "claude_config/plugin"
TOOLS = "mcp__plugin_stockdesk_stockdesk__"
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ToolSearch", {"query": f"select:{TOOLS}get_verdicts,{TOOLS}clear_queue", "max_results": 5}),
    (f"{TOOLS}get_verdicts", {"symbols": ["NASDAQ:AAPL"]}),
    (f"{TOOLS}clear_queue", {"queue": "ai_analysis"}),
    ("Skill", {"skill": "stockdesk:explain-verdict"}),
)


@dataclass(slots=True)
class Model:
    """Makes one of the calls a turn, then ends."""

    requests: list[Request] = field(default_factory=list[Request])

    def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        done = len(self.results)
        return Says(calls=(CALLS[done],)) if done < len(CALLS) else Says("That is all.")

    @property
    def results(self) -> list[dict[str, Any]]:
        messages = self.requests[-1].body["messages"]
        blocks: list[dict[str, Any]] = [
            block for message in messages for block in message["content"] if not isinstance(block, str)
        ]
        return [block for block in blocks if block["type"] == "tool_result"]


def run(environment: dict[str, str], folder: Path, *command: str) -> None:
    ended = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A conversation that begins with a command of the plugin, which was installed as its README says."""
    folder = tmp_path_factory.mktemp("plugin")
    clone = folder / "a clone"
    for name in (".claude-plugin", "claude_config"):
        copytree(ROOT / name, clone / name)
    (clone / ".venv").symlink_to(sys.prefix)
    (folder / "claude").symlink_to(find_cli())
    install = re.findall(r"^claude plugin .*$", (PLUGIN / "README.md").read_text("utf-8"), re.MULTILINE)
    model = Model()
    with MessagesApi(model) as api:
        environment = desk_environment(folder, api.url, STOCKDESK_ANALYST="baseline") | {
            "PATH": f"{folder}:/usr/bin:/bin",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        run(environment, clone, "bash", "-ec", "\n".join(install))
        approved = ["--permission-mode", "dontAsk", "--allowedTools", "ToolSearch", "Skill"]
        prompt = "/stockdesk:verdict AAPL"
        run(environment, folder, "claude", "-p", prompt, "--model", "claude-sonnet-4-5", *approved)
    return model


def test_the_cli_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for arguments in ([ROOT], [PLUGIN, "--profile", "directory"]):
        checked = subprocess.run(
            [find_cli(), "plugin", "validate", "--strict", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout


def test_the_plugin_has_the_projects_version() -> None:
    manifest = json.loads((PLUGIN / ".claude-plugin/plugin.json").read_text("utf-8"))
    assert manifest["version"] == version("stockdesk")


async def test_its_texts_name_tools_that_exist_and_its_commands_approve_only_what_reads(
    tmp_path: Path,
) -> None:
    async with (
        open_desk(Settings.model_validate({"home": tmp_path}), "test") as desk,
        Client(build_server(desk)) as client,
    ):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    texts = "".join(path.read_text("utf-8") for path in PLUGIN.rglob("*/*.md"))
    verbs = {name.partition("_")[0] for name in tools}
    assert set(re.findall(rf"\b(?:{'|'.join(verbs)})_\w+", texts)) <= tools.keys()
    approved = re.findall(rf"{TOOLS}(\w+)", texts)
    assert approved
    assert all((hints := tools[name].annotations) and hints.read_only_hint for name in approved)


def test_the_model_is_shown_the_skills_and_commands(model: Model) -> None:
    shown = model.requests[0].text_of("user")
    for name in ("portfolio-review", "explain-verdict", "stuck-desk", "review", "verdict", "status", "spend"):
        assert f"- stockdesk:{name}: " in shown


def test_a_command_puts_its_words_and_its_argument_to_the_model(model: Model) -> None:
    assert "as the explain-verdict skill says, without enqueuing anything: AAPL" in model.requests[0].text_of(
        "user"
    )


def test_the_model_is_shown_the_servers_tools(model: Model) -> None:
    loaded = model.requests[1].tool_names
    assert {f"{TOOLS}get_verdicts", f"{TOOLS}clear_queue"} <= set(loaded)


def test_a_command_approves_the_tools_that_it_names_and_no_other(model: Model) -> None:
    _, verdicts, cleared, _ = model.results
    assert '"unknown":["NASDAQ:AAPL"]' in verdicts["content"]
    assert cleared["is_error"]
    assert "denied" in cleared["content"]


def test_a_skill_that_the_model_asks_for_is_read_to_it(model: Model) -> None:
    assert "# Explain a verdict" in model.requests[-1].text_of("user")
