"""Claude Code in conversation with a desk; what its model is shown is read from its requests to the API."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from handlers.analyst.cli import find_cli
from handlers.stocks import Exchange, Stock
from queues.leader import lock_path
from queues.lifecycle import find_leader
from queues.model import TaskState
from tests.handlers.claude import is_alive, launched_pid, until
from tests.hosts.claude_code import TOOLS, ClaudeCode, TwoModels, call, load, tool_results
from tests.hosts.serve import PATIENCE_SECONDS, STOCKDESK, desk_environment, opened, task_and_history
from tests.server.desks import csv_of
from tests.standins.claude_scripts import always
from tests.standins.messages_api import Reply, Request, Stalls

EXPORT = csv_of(Stock("AAPL", Exchange.NASDAQ), Stock("KO", Exchange.NYSE))
ENQUEUE = call("enqueue_ai_analysis", symbols=["AAPL", "MSFT"], exchange="NASDAQ")
CLEAR = call("clear_queue", queue="ai_analysis")
WHOLE = {
    "tools": load(
        "enqueue_portfolio_review",
        "get_task",
        "get_verdicts",
        "get_portfolio",
        "hold_queue",
        "enqueue_ai_analysis",
        "clear_queue",
    ),
    "review": call("enqueue_portfolio_review", csv_text=EXPORT),
    "waited": call("get_task", task_id="sync-1", wait_seconds=50, wait_for="run"),
    "verdicts": call("get_verdicts", symbols=["NASDAQ:AAPL"], full=True),
    "portfolio": call("get_portfolio"),
    "resource": ("ReadMcpResourceTool", {"server": "stockdesk", "uri": "stockdesk://verdicts/KO"}),
    "error": call("get_task", task_id="no-1"),
    "held": call("hold_queue", queue="ai_analysis", reason="Not tonight."),
    "more": ENQUEUE,
    "declined": CLEAR,
    "still there": call("get_task", task_id="analysis-5"),
    "accepted": CLEAR,
    "gone": call("get_task", task_id="analysis-5"),
}
TURNS = (
    "Please review my portfolio.",
    "/mcp__stockdesk__explain_verdict ko",
    "/mcp__stockdesk__explain_verdict NSE:NONE",
)
ANSWERS = ({"action": "decline"}, {"action": "accept", "content": {"go_ahead": True}})


class Conversation:
    """A person has a portfolio reviewed, is asked before a queue is cleared, and uses a prompt as a command."""

    def __init__(self, folder: Path) -> None:
        self.models = TwoModels(list(WHOLE.values()))
        host = ClaudeCode(folder, self.models)
        with host.api:
            self.events = host.talk(TURNS, ANSWERS)
        self.results = dict(zip(WHOLE, tool_results(self.models.outer[-1]), strict=True))

    def answer(self, step: str) -> Any:
        """What the model was shown of a call that succeeded."""
        shown = self.results[step]
        assert not shown.get("is_error"), shown
        answer, _ = json.JSONDecoder().raw_decode(shown["content"])  # Claude Code appends a remark
        return answer

    def refusal(self, step: str) -> str:
        assert self.results[step]["is_error"] is True
        return self.results[step]["content"]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    return Conversation(tmp_path_factory.mktemp("claude code"))


def test_the_model_sees_at_first_the_tools_names_and_the_instructions(talk: Conversation) -> None:
    shown = talk.models.outer[0].text_of("user")
    for tool in ("enqueue_portfolio_review", "get_queue_status", "get_portfolio", "release_queue"):
        assert f"{TOOLS}{tool}\n" in shown
    assert "Stockdesk reviews a stock portfolio in the background." in shown
    assert "enqueue it only when asked" in shown


def test_the_model_sees_a_loaded_tools_description_and_bounds(talk: Conversation) -> None:
    tools = {tool["name"]: tool for tool in talk.models.outer[1].body["tools"]}
    get_task = tools[f"{TOOLS}get_task"]
    assert get_task["description"].startswith("Show one task with all its attempts")
    assert get_task["input_schema"]["properties"]["wait_seconds"]["maximum"] == 50


def test_a_whole_review_is_asked_for_awaited_and_shown(talk: Conversation) -> None:
    assert talk.answer("review")["run_id"] == "sync-1"
    run = talk.answer("waited")["run"]
    assert (run["tasks"]["completed"], run["stocks_done"], run["finished"]) == (3, 2, True)
    [verdict] = talk.answer("verdicts")["verdicts"]
    assert (verdict["stock"], verdict["analyst"]) == ("NASDAQ:AAPL", "claude")
    [prompted] = [each for each in talk.models.inner[0].stocks if each["stock"] == "NASDAQ:AAPL"]
    assert verdict["detail"]["evidence"][0]["value"] == prompted["facts"][0]["value"]
    assert [each["stock"] for each in talk.answer("portfolio")["holdings"]] == ["NASDAQ:AAPL", "NYSE:KO"]


def test_the_model_reads_a_resource(talk: Conversation) -> None:
    [content] = talk.answer("resource")["contents"]
    [verdict] = json.loads(content["text"])["verdicts"]
    assert (verdict["stock"], verdict["action"]) == ("NYSE:KO", "HOLD")


def test_the_model_sees_the_sentence_of_a_refused_call(talk: Conversation) -> None:
    assert "There is no task 'no-1'; list_tasks shows the ids." in talk.refusal("error")


def test_the_person_is_asked_before_a_queue_is_cleared_and_the_answer_counts(talk: Conversation) -> None:
    asked = [event["request"] for event in talk.events if event["type"] == "control_request"]
    assert [each["message"] for each in asked] == ["Cancel 1 queued task of ai_analysis?"] * 2
    assert asked[0]["requested_schema"]["required"] == ["go_ahead"]
    assert "Nothing was cancelled" in talk.refusal("declined")
    assert talk.answer("still there")["task"]["state"] == "queued"
    assert talk.answer("accepted")["cancelled"] == ["analysis-5"]
    assert talk.answer("gone")["task"]["state"] == "cancelled"


def test_the_prompts_are_commands_of_the_person(talk: Conversation) -> None:
    assert {
        f"{TOOLS}{prompt}" for prompt in ("review_portfolio", "explain_verdict", "what_changed", "why_stuck")
    } <= set(talk.events[0]["slash_commands"])
    sent = talk.models.outer[-1].text_of("user")
    assert "Explain this verdict to me." in sent
    assert '"stock": "NYSE:KO"' in sent


def test_the_person_sees_the_sentence_of_a_refused_prompt(talk: Conversation) -> None:
    assert "NSE:NONE has no verdict yet; enqueue_ai_analysis makes one" in json.dumps(talk.events[-2:])


def test_the_desks_own_session_knows_nothing_of_the_one_around_it(talk: Conversation) -> None:
    for request in talk.models.inner:
        assert not [name for name in request.tool_names if name.startswith(TOOLS)]
        assert TURNS[0] not in json.dumps(request.body)
    assert len(talk.models.inner) == 2  # it submits, and ends


def test_where_nobody_can_be_asked_a_run_goes_on_and_its_running_analysis_can_be_cancelled_by_id(
    tmp_path: Path,
) -> None:
    sessions: list[int] = []

    def session(_: Request) -> Reply:
        sessions.append(launched_pid(tmp_path / "desk" / "sessions"))
        return Stalls()

    models = TwoModels(
        [load("enqueue_ai_analysis", "cancel_tasks", "get_task"), ENQUEUE],
        then=[
            call("cancel_tasks", run_id="fetch-1", confirm=True),
            call("get_task", task_id="analysis-2"),
            call("cancel_tasks", task_ids=["analysis-2"], reason="Too dear."),
            call("get_task", task_id="analysis-2", wait_seconds=50),
        ],
        session=session,
    )
    host = ClaudeCode(tmp_path, models)
    with host.api:
        assert "That is all." in host.ask("Analyse Apple and Microsoft, or rather not.")
        *_, unasked, running, stopping, stopped = (each["content"] for each in tool_results(models.outer[-1]))
    assert "Nothing was cancelled" in unasked
    assert '"state":"running"' in running
    assert '"stopping":["analysis-2"]' in stopping
    assert '"state":"cancelled"' in stopped
    task, [attempt] = task_and_history(tmp_path, "analysis-2")
    assert (task.error, attempt.outcome) == ("Cancelled on request: Too dear.", "cancelled")
    assert [is_alive(pid) for pid in sessions] == [False]


@pytest.mark.parametrize("killed", [False, True], ids=["ends", "is killed"])
def test_when_claude_code_ends_in_mid_session_the_task_loses_no_attempt(
    tmp_path: Path, *, killed: bool
) -> None:
    models = TwoModels(
        [load("enqueue_ai_analysis"), ENQUEUE], session=always(Stalls()), stalls_at_last=killed
    )
    host = ClaudeCode(tmp_path, models)
    with host.api, host.start("Please look at Apple and Microsoft.") as process:
        assert models.session_began.wait(PATIENCE_SECONDS)
        cli = launched_pid(tmp_path / "desk" / "sessions")
        if killed:
            process.kill()
        process.wait(PATIENCE_SECONDS)

    with opened(tmp_path) as database:

        def server_ended() -> bool:
            leader = database.read_now(lambda tx: find_leader(tx, lock_path(database.path)))
            return leader is not None and not is_alive(leader.pid)

        until(server_ended)
    assert not is_alive(cli)
    task, history = task_and_history(tmp_path, "analysis-2")
    assert (task.state, task.attempt) == (TaskState.QUEUED, 0)
    assert [attempt.outcome for attempt in history] == ["interrupted"]


def test_the_line_that_adds_the_server_to_claude_code_works_as_it_is_printed(tmp_path: Path) -> None:
    (tmp_path / "claude").symlink_to(find_cli())
    environment = desk_environment(tmp_path, STOCKDESK_HOME=str(tmp_path / "the desk's home")) | {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )

    advice = run(STOCKDESK, "config", "claude-code").stderr
    run(*shlex.split(advice.partition("run: ")[2]))
    shown = run("claude", "mcp", "get", "stockdesk").stdout
    assert "Connected" in shown
    assert f"STOCKDESK_HOME={tmp_path}/the desk's home" in shown
