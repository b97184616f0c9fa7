"""server.json, the entry for the MCP registry: what it says of the package and its settings is true."""

import json
import re
import tomllib
from pathlib import Path

from server.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ENTRY = json.loads((ROOT / "claude_config/server.json").read_text("utf-8"))
[PACKAGE] = ENTRY["packages"]
VARIABLES = {variable["name"]: variable for variable in PACKAGE["environmentVariables"]}


def test_the_entry_keeps_the_bounds_of_the_registry() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", ENTRY["name"])
    assert len(ENTRY["description"]) <= 100


def test_the_entry_names_this_version_of_this_package_and_how_it_starts() -> None:
    assert ENTRY["version"] == PACKAGE["version"] == PROJECT["version"]
    assert (PACKAGE["registryType"], PACKAGE["identifier"]) == ("pypi", PROJECT["name"])
    # uvx starts the script that has the package's name.
    assert PROJECT["name"] in PROJECT["scripts"]
    assert PACKAGE["packageArguments"] == [{"type": "positional", "value": "serve"}]
    assert PACKAGE["transport"] == {"type": "stdio"}


def test_its_variables_are_settings_with_their_own_descriptions_and_defaults() -> None:
    settings = {
        name.removeprefix(PREFIX).lower(): variable
        for name, variable in VARIABLES.items()
        if name != "ANTHROPIC_API_KEY"
    }
    for name, variable in settings.items():
        assert variable["description"] == Settings.model_fields[name].description
    defaults = {name: variable["default"] for name, variable in settings.items() if "default" in variable}
    assert Settings.model_validate(defaults) == Settings.model_validate({})
    for name, variable in settings.items():
        for choice in variable.get("choices", ()):
            assert Settings.model_validate({name: choice})


def test_the_key_is_a_secret() -> None:
    assert VARIABLES["ANTHROPIC_API_KEY"]["isSecret"] is True


def test_the_readme_carries_the_line_by_which_the_registry_knows_the_owner() -> None:
    assert f"<!-- mcp-name: {ENTRY['name']} -->" in (ROOT / "README.md").read_text("utf-8")
