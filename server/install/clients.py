"""Where each client keeps its servers, and what becomes of that file.

Claude Code keeps them in a private file that its running sessions write too: there its own CLI makes the change.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from server.client_config import Client, server_entry
from server.install.changes import Change, InstallError, back_up, read
from server.install.members import remove_member, set_member
from server.settings import PREFIX

SERVERS, NAME = "mcpServers", "stockdesk"
# `claude mcp` changes a file; it does not start the server.
CLI_SECONDS = 60.0


def desktop_file(platform: str, environment: Mapping[str, str], user_home: Path) -> Path:
    """The file in which Claude Desktop of this platform (as `sys.platform` names it) keeps its servers.

    Raises:
        InstallError: the program has not been started yet by this user.
    """
    match platform:
        case "win32":
            roaming = Path(environment.get("APPDATA") or user_home / "AppData" / "Roaming")
            local = Path(environment.get("LOCALAPPDATA") or user_home / "AppData" / "Local")
            # Installed as a package (all since 2026), it sees a folder of its own in the place of %APPDATA%.
            packaged = sorted(local.glob("Packages/Claude_*/LocalCache/Roaming/Claude"))
            folder = packaged[0] if packaged else roaming / "Claude"
        case "darwin":
            folder = user_home / "Library" / "Application Support" / "Claude"
        case _:
            folder = Path(environment.get("XDG_CONFIG_HOME") or user_home / ".config") / "Claude"
    if not folder.is_dir():
        raise InstallError(
            f"Claude Desktop has no folder {folder}; start it once, or put what `stockdesk config"
            " claude-desktop` prints where it keeps its servers. Nothing was changed."
        )
    return folder / "claude_desktop_config.json"


def inspector_file(environment: Mapping[str, str], user_home: Path) -> Path:
    """The catalog that the Inspector opens by itself; it makes the file, so we may."""
    return Path(environment.get("MCP_CATALOG_PATH") or user_home / ".mcp-inspector" / "mcp.json")


def claude_code_file(environment: Mapping[str, str], user_home: Path) -> Path:
    """The private file of Claude Code."""
    return Path(environment.get("CLAUDE_CONFIG_DIR") or user_home) / ".claude.json"


def adding(client: Client, path: Path, environment: Mapping[str, str]) -> Change:
    """The desk among the servers of the file; what else an entry of it holds stays.

    Raises:
        InstallError: the file is not what a client can read; nothing was changed.
        SettingsError: see `server_entry`.
    """
    text = read(path)
    entry = entry_in(path, text)
    wanted = _merged(entry, server_entry(client, environment))
    if entry == wanted:
        return Change(path, text, text)
    base = text if text and text.strip() else "{}\n"
    return Change(path, text, set_member(base, (SERVERS, NAME), wanted))


def removing(path: Path) -> Change:
    """The file without the desk.

    Raises:
        InstallError: the file is not what a client can read; nothing was changed.
    """
    text = read(path)
    if entry_in(path, text) is None:
        return Change(path, text, text)
    assert text is not None
    return Change(path, text, remove_member(text, (SERVERS, NAME)))


def entry_in(path: Path, text: str | None) -> Any:
    """What stands under the desk's name in the text of `path`; None where nothing does."""
    if text is None or not text.strip():
        return None
    servers = _object(path, "", _parsed(path, text)).get(SERVERS, {})
    return _object(path, f"{SERVERS} in ", servers).get(NAME)


def _parsed(path: Path, text: str) -> Any:
    if text.startswith("\ufeff"):
        raise InstallError(
            f"{path} begins with a byte order mark, which JSON does not allow; save it as UTF-8 without one (BOM) and"
            " run this again. Nothing was changed."
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InstallError(
            f"{path} is not valid JSON ({error}), which has no comments either; correct it and run this again. Nothing"
            " was changed."
        ) from error


def _object(path: Path, what: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise InstallError(f"{what}{path} is no JSON object; correct it and run this again. Nothing was changed.")


def _merged(entry: Any, ours: Mapping[str, Any]) -> dict[str, Any]:
    """Our entry with the keys and variables that a person has added to the one that is there.

    Settings of the desk are not kept: those of this terminal count. Nor is an entry that starts no program.
    """
    if not isinstance(entry, dict) or "command" not in entry:
        return dict(ours)
    theirs = cast("dict[str, Any]", entry)
    variables = theirs.get("env")
    kept = cast("dict[str, Any]", variables) if isinstance(variables, dict) else {}
    env = {name: value for name, value in kept.items() if not name.upper().startswith(PREFIX)}
    env |= ours.get("env", {})
    merged = {**theirs, **ours, "env": env}
    return merged if env else {name: value for name, value in merged.items() if name != "env"}


def make_by_cli(cli: Path, change: Change) -> Path | None:
    """Have Claude Code's own CLI make this change of its file; returns the backup of what was there.

    The entry goes over stdin: other users can read a command line.

    Raises:
        InstallError: the CLI refused; the message says what stands in the file then.
    """
    backup = None if change.before is None else back_up(change.path)
    if entry_in(change.path, change.before) is not None:
        _run(cli, "remove", "--scope", "user", NAME)
    entry = entry_in(change.path, change.after)
    if entry is not None:
        try:
            _run(cli, "add-json", "--scope", "user", NAME, "-", given=json.dumps(entry))
        except InstallError as error:
            before = "" if backup is None else f" The file as it was is {backup}."
            raise InstallError(f"{error}{before}") from error
    return backup


def _run(cli: Path, *arguments: str, given: str = "") -> None:
    command = [cli, "mcp", *arguments]
    try:
        ended = subprocess.run(  # noqa: S603 (our own CLI)
            command, input=given, capture_output=True, text=True, check=False, timeout=CLI_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"`claude mcp {arguments[0]}` could not be run: {error}.") from error
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip()
        raise InstallError(f"`claude mcp {arguments[0]}` failed with exit code {ended.returncode}: {said}")
