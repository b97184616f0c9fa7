import os
from pathlib import Path

import pytest

from handlers.stocks import Exchange
from server.settings import PREFIX, Settings, SettingsError, list_settings, load_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def write_toml(home: Path, text: str) -> None:
    (home / "settings.toml").write_text(text, "utf-8")


def origin_of(name: str) -> tuple[str, str]:
    rows = {row.variable: row for row in list_settings(load_settings(), os.environ)}
    return rows[f"{PREFIX}{name}"].value, rows[f"{PREFIX}{name}"].origin


def test_the_defaults_are_what_the_documents_say(home: Path) -> None:
    settings = load_settings()
    assert settings.home == home
    assert (settings.analyst, settings.stocks_per_session, settings.price_sources) == (
        "claude",
        2,
        ("yahoo",),
    )
    assert settings.default_exchange is None
    assert settings.as_of is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ANALYST", "baseline", "baseline"),
        ("STOCKS_PER_SESSION", "3", 3),
        ("PRICE_SOURCES", "yahoo, sample", ("yahoo", "sample")),
        ("DEFAULT_EXCHANGE", "NSE", Exchange.NSE),
        ("SESSION_BUDGET_USD", "0.25", 0.25),
    ],
)
def test_a_variable_sets_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", text)
    assert getattr(load_settings(), name.lower()) == value
    assert origin_of(name)[1] == "environment"


def test_settings_toml_comes_after_the_environment_and_before_the_defaults(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_toml(home, 'model = "opus"\nstocks_per_session = 3\nprice_sources = ["sample"]\n')
    monkeypatch.setenv("STOCKDESK_MODEL", "haiku")
    assert origin_of("MODEL") == ("haiku", "environment")
    assert origin_of("STOCKS_PER_SESSION") == ("3", "settings.toml")
    assert origin_of("PRICE_SOURCES") == ("sample", "settings.toml")
    assert origin_of("ANALYST") == ("claude", "default")


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKDESK_MODEL", "")
    monkeypatch.setenv("STOCKDESK_DEFAULT_EXCHANGE", "")
    assert origin_of("MODEL") == ("sonnet", "default")
    assert origin_of("DEFAULT_EXCHANGE") == ("", "default")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ANALYST", "oracle"),
        ("STOCKS_PER_SESSION", "7"),
        ("PRICE_SOURCES", "stooq"),
        ("PRICE_SOURCES", ","),
        ("YAHOO_BASE_URL", "ftp://x"),
        ("REQUESTS_AT_ONCE", "0"),
        ("SESSION_BUDGET_USD", "much"),
        ("AS_OF", "yesterday"),
        ("DEFAULT_EXCHANGE", "LSE"),
        ("BASE_CURRENCY", "RUPEES"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"{PREFIX}{name}" in str(caught.value)
    assert text.strip(",") in str(caught.value)


def test_an_unknown_key_in_settings_toml_is_named_with_the_file(home: Path) -> None:
    write_toml(home, "modle = 'opus'\n")
    with pytest.raises(
        SettingsError, match=r"'modle' in .*settings\.toml is no setting; .*nearest is model\)"
    ):
        load_settings()


@pytest.mark.parametrize("content", [b"model = ", b"model = '\xff'"], ids=["no TOML", "no UTF-8"])
def test_a_settings_toml_that_cannot_be_read_is_one_sentence(home: Path, content: bytes) -> None:
    (home / "settings.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"settings\.toml cannot be read: "):
        load_settings()


def test_every_setting_is_listed_with_what_it_is() -> None:
    rows = list_settings(load_settings(), {})
    assert {row.variable for row in rows} == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert all(row.description.endswith(".") for row in rows)


def test_a_home_below_the_users_own_folder_is_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKDESK_HOME", "~/desk")
    assert load_settings().home == Path.home() / "desk"


@pytest.mark.parametrize("name", ["HOME", "CLAUDE_CLI"])
def test_a_tilde_that_names_no_home_folder_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", "~nosuchuser/x")
    with pytest.raises(
        SettingsError, match=f"{PREFIX}{name} = .*~nosuchuser/x.* cannot be used: .*whole path"
    ):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("STOCKDESK_ANALYSTS", "STOCKDESK_ANALYST"),
        ("STOCKDESK_STOCK_PER_SESSION", "STOCKDESK_STOCKS_PER_SESSION"),
        ("stockdesk_modle", "STOCKDESK_MODEL"),
        ("STOCKDESK_", "STOCKDESK_HOME"),
    ],
)
def test_a_variable_that_is_no_setting_is_named_with_the_nearest_that_is(
    monkeypatch: pytest.MonkeyPatch, variable: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, "baseline")
    with pytest.raises(SettingsError, match=f"^{variable} is no setting; .*{nearest}.* or unset it"):
        load_settings()


def test_an_empty_variable_that_is_no_setting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKDESK_ANALYSTS", "")
    assert load_settings().analyst == "claude"


def test_the_home_is_not_set_from_inside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKDESK_HOME", str(tmp_path))
    (tmp_path / "settings.toml").write_text('home = "/elsewhere"')
    with pytest.raises(
        SettingsError, match=r"home cannot be set in .*settings.toml.*; set STOCKDESK_HOME instead"
    ):
        load_settings()


def test_a_value_is_blamed_on_where_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKDESK_HOME", str(tmp_path))
    (tmp_path / "settings.toml").write_text('log_level = "loud"')
    with pytest.raises(SettingsError, match=r"^log_level in .*settings.toml = 'loud' cannot be used"):
        load_settings()
    monkeypatch.setenv("STOCKDESK_LOG_LEVEL", "louder")
    with pytest.raises(SettingsError, match=r"^STOCKDESK_LOG_LEVEL = 'louder' cannot be used"):
        load_settings()


def test_one_wrong_value_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKDESK_HOME", str(tmp_path))
    monkeypatch.setenv("STOCKDESK_PRICE_SOURCES", "bloomberg")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).count("cannot be used") == 1
    assert "'bloomberg'" in str(refused.value)


def test_an_exchange_and_a_currency_may_be_written_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKDESK_HOME", str(tmp_path))
    monkeypatch.setenv("STOCKDESK_DEFAULT_EXCHANGE", "nse")
    monkeypatch.setenv("STOCKDESK_BASE_CURRENCY", "inr")
    loaded = load_settings()
    assert (loaded.default_exchange, loaded.base_currency) == (Exchange.NSE, "INR")
