"""`stockdesk login kite|alpaca`, with the brokers on loopback and a person who answers from a list."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers.brokers.live.credentials import AlpacaCredentials, Broker, KiteCredentials, stored
from handlers.brokers.live.vault import Vault
from handlers.portfolio_sync import KIND
from queues.inspection import waiting_for
from queues.lifecycle import take_over
from queues.model import NewTask, QueueName, Task
from queues.outcome import Snooze
from queues.store import claim_next, enqueue, find_task, record
from server.login_broker import Login, log_in
from server.settings import Settings
from tests.handlers.live import NoRing, Ring
from tests.hosts.serve import look, opened
from tests.standins.brokers import (
    KEY,
    KEY_ID,
    REQUEST_TOKEN,
    SECRET,
    SECRET_KEY,
    TOKEN,
    KiteLogin,
    alpaca,
    position,
)
from tests.standins.http_source import HttpSource, Reply

REDIRECTED = f"https://127.0.0.1/?action=login&type=login&status=success&request_token={REQUEST_TOKEN}"
CANARIES = (SECRET, TOKEN, REQUEST_TOKEN, SECRET_KEY)


@dataclass(slots=True)
class Person:
    answers: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)


@pytest.fixture
def kite() -> Iterator[KiteLogin]:
    with KiteLogin() as server:
        yield server


@pytest.fixture
def login(tmp_path: Path, kite: KiteLogin, monkeypatch: pytest.MonkeyPatch) -> Login:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "KITE_API_KEY", "KITE_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return Login(
        settings=Settings.model_validate({"home": tmp_path / "desk"}),
        broker=Broker.KITE,
        vault=Vault(tmp_path, Ring()),
        clock=lambda: datetime(2022, 12, 28, 23, 30, tzinfo=UTC),
        kite_url=kite.url,
    )


async def answering(login: Login, *answers: str, **changes: Any) -> tuple[str, bool, Person]:
    person = Person(list(answers))
    message, succeeded = await log_in(replace(login, ask=person, ask_secret=person, **changes))
    assert not [canary for canary in CANARIES if canary in message]
    return message, succeeded, person


def session(login: Login, account: str = "main") -> KiteCredentials | None:
    assert login.vault is not None
    return stored(login.vault, KiteCredentials, Broker.KITE, account)


def snoozed(home: Path, *accounts: str) -> list[str]:
    """Syncs of these accounts that wait for a login; their ids."""
    with opened(home) as database:
        epoch = database.write_now(lambda tx: take_over(tx, "test"))

        def fall_asleep(account: str) -> str:
            new = NewTask(
                queue=QueueName.PORTFOLIO_SYNC, kind=KIND, payload={"account": account, "broker": "kite"}
            )
            (enqueued,) = database.write_now(lambda tx: enqueue(tx, [new]))
            task = database.write_now(lambda tx: claim_next(tx, new.queue, epoch))
            assert task is not None
            asleep = Snooze("log in", datetime(2100, 1, 1, tzinfo=UTC))
            database.write_now(lambda tx: record(tx, task, asleep, timedelta()))
            return enqueued.task.id

        return [fall_asleep(account) for account in accounts]


async def test_a_login_asks_for_the_app_once_and_keeps_the_session_until_six(
    login: Login, capsys: pytest.CaptureFixture[str]
) -> None:
    message, succeeded, person = await answering(login, KEY, SECRET, REDIRECTED)
    assert succeeded, message
    assert f"https://kite.zerodha.com/connect/login?v=3&api_key={KEY}" in capsys.readouterr().out
    assert message == (
        "…1234 is logged in to Kite until 2022-12-29 06:00 IST. It is kept in the keyring of this system."
    )
    kept = session(login)
    assert kept is not None
    assert (kept.access_token, kept.owner, len(person.asked)) == (TOKEN, "1234", 3)
    assert kept.expires_at == datetime(2022, 12, 29, 0, 30, tzinfo=UTC)
    # The next morning.
    _, succeeded, person = await answering(login, REQUEST_TOKEN)
    assert (succeeded, len(person.asked)) == (True, 1)


async def test_the_sync_that_waited_goes_on_at_once_and_no_other(login: Login, tmp_path: Path) -> None:
    mine, others = snoozed(tmp_path, "main", "other")
    message, _, _ = await answering(login, KEY, SECRET, REDIRECTED)
    assert message.endswith("1 waiting sync goes on.")

    def kinds(task_id: str) -> str:
        def read(tx: Any) -> str:
            task: Task = find_task(tx, task_id)
            waits = waiting_for(tx, task)
            assert waits is not None
            return waits.kind

        return look(tmp_path, read)

    assert (kinds(mine), kinds(others)) == ("turn", "due")


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "https://127.0.0.1/?status=cancelled",
        f"https://127.0.0.1/?status=failure&request_token={REQUEST_TOKEN}",
        f"https://127.0.0.1/?request_token={REQUEST_TOKEN}&request_token=second0123456789",
        "https://127.0.0.1/?request_token=a%0d%0ab",
        "http://[",
    ],
)
async def test_what_holds_no_request_token_changes_nothing(login: Login, pasted: str) -> None:
    message, succeeded, _ = await answering(login, KEY, SECRET, pasted)
    assert (succeeded, session(login)) == (False, None)
    assert "paste the whole address that the browser ends at" in message


async def test_a_wrong_secret_is_not_kept_and_not_told(login: Login) -> None:
    message, succeeded, _ = await answering(login, KEY, "canary-wrong", REDIRECTED)
    assert (succeeded, session(login)) == (False, None)
    assert "Kite did not accept the login (403 Token is invalid or has expired: [hidden] [hidden])" in message
    assert "canary" not in message


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, b"<html>"), "has another shape"),
        (Reply(200, b'{"data": {"user_id": "AB1234", "access_token": "two words"}}'), "has another shape"),
        (Reply(502, b"<html>bad gateway</html>"), "(502 no reason)"),
    ],
)
async def test_an_answer_that_is_no_session_changes_nothing(
    login: Login, kite: KiteLogin, reply: Reply, reason: str
) -> None:
    kite.reply = reply
    message, succeeded, _ = await answering(login, KEY, SECRET, REDIRECTED)
    assert (succeeded, session(login), reason in message) == (False, None, True)


async def test_another_user_does_not_take_over_the_account(login: Login, kite: KiteLogin) -> None:
    await answering(login, KEY, SECRET, REDIRECTED)
    kite.user_id = "ZZ9876"
    message, succeeded, _ = await answering(login, REDIRECTED)
    assert not succeeded
    assert "The account main belongs to the user …1234, but …9876 has logged in" in message
    kept = session(login)
    assert kept is not None
    assert kept.owner == "1234"
    _, succeeded, _ = await answering(login, KEY, SECRET, REDIRECTED, anew=True)
    assert succeeded


async def test_the_app_of_the_environment_is_not_asked_for(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITE_API_KEY", KEY)
    monkeypatch.setenv("KITE_API_SECRET", SECRET)
    _, succeeded, person = await answering(login, REDIRECTED, account="Second")
    assert (succeeded, len(person.asked), session(login, "second") is not None) == (True, 1, True)


async def test_a_login_that_is_broken_off_changes_nothing(login: Login) -> None:
    message, succeeded, _ = await answering(login, KEY)
    assert (succeeded, session(login)) == (False, None)
    assert message == "The login was not finished; nothing was changed."


async def test_keys_of_alpaca_are_tried_before_they_are_kept(login: Login, tmp_path: Path) -> None:
    vault = Vault(tmp_path, NoRing())
    with HttpSource(alpaca([position("AAPL", "NASDAQ", "1", "100")])) as server:
        to_alpaca = replace(login, broker=Broker.ALPACA, alpaca_url=server.url, vault=vault)
        message, succeeded, _ = await answering(to_alpaca, KEY_ID, "canary-wrong")
        assert (succeeded, "canary" in message) == (False, False)
        assert stored(vault, AlpacaCredentials, Broker.ALPACA, "main") is None
        message, succeeded, _ = await answering(to_alpaca, KEY_ID, SECRET_KEY)
    assert succeeded
    assert "Alpaca knows the keys: a paper account with 1 stocks. It is kept in the file" in message
    kept = stored(vault, AlpacaCredentials, Broker.ALPACA, "main")
    assert kept == AlpacaCredentials(key_id=KEY_ID, secret_key=SECRET_KEY)
