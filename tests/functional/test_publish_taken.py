"""A second machine takes from `ENVGEN_CHANNEL` what the first one built and converted, and its plan says so."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.structs import replace

if TYPE_CHECKING:
    from tests.command import Command, Project

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def channel(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Return a channel that has every package of the lock."""
    cli("publish", "--to", str(tmp_path / "channel")).succeeded()
    return tmp_path / "channel"


@pytest.fixture
def away(cli: Command, channel: Path, tmp_path: Path) -> Command:
    """Return a machine with an empty cache that reaches the channel and no Debian archive."""
    own = {
        "ENVGEN_CACHE": str(tmp_path / "away"),
        "ENVGEN_CHANNEL": str(channel),
        "ENVGEN_DEBIAN": NOWHERE,
        "ENVGEN_DEBIAN_SECURITY": NOWHERE,
    }
    return replace(cli, variables={**cli.variables, **own})


def with_variables(cli: Command, **variables: str) -> Command:
    """Return the same machine with further variables."""
    return replace(cli, variables={**cli.variables, **variables})


def works(result: dict[str, Any]) -> dict[str, set[str]]:
    """Return how packages get into the store -> their names."""
    found: dict[str, set[str]] = {}
    for item in result["prepare"]:
        found.setdefault(item["work"], set()).add(item["name"])
    return found


def test_packages_of_recipes_are_downloaded(away: Command, tmp_path: Path) -> None:
    planned = away("create", "-p", str(tmp_path / "env"), "--dry-run").succeeded()
    assert "to build" not in planned.err
    assert ".deb" not in planned.err
    done = works(away("create", "-p", str(tmp_path / "env"), "--json").succeeded().json())
    assert "build" not in done
    assert "python" in done["extract"]
    assert "spam" in done["convert"]


def test_converted_wheels_are_taken_where_the_user_believes_the_channel(
    cli: Command, away: Command, tmp_path: Path
) -> None:
    """No wheel is fetched, and the packages in the store are those that this machine would make."""
    away = with_variables(away, ENVGEN_CHANNEL_WHEELS="1", ENVGEN_PYPI=f"{NOWHERE}/simple")
    done = away("create", "-p", str(tmp_path / "env"), "--json").succeeded().json()
    assert set(works(done)) == {"extract"}
    assert done["download"]["bytes"] > 0
    cli("create", "-p", str(tmp_path / "own")).succeeded()
    assert tree(Path(away.variables["ENVGEN_CACHE"])) == tree(Path(cli.variables["ENVGEN_CACHE"]))


def tree(cache: Path) -> dict[str, str]:
    """Return the digest of every file of a store's packages, but of the seals that the store adds."""
    folder = cache / "packages"
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "envgen-seal.json")
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_settings_may_say_so(away: Command, tmp_path: Path) -> None:
    config = tmp_path / "settings/envgen/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[mirrors]\nchannel-wheels = true\n")
    away = with_variables(away, XDG_CONFIG_HOME=str(tmp_path / "settings"))
    done = away("create", "-p", str(tmp_path / "env"), "--json", "--dry-run").succeeded().json()
    assert set(works(done)) == {"extract"}
    config.write_text('[mirrors]\nchannel-wheels = "yes"\n')
    outcome = away("create", "-p", str(tmp_path / "env"))
    assert outcome.code == 1
    assert "mirrors.channel-wheels: expected true or false, got str" in outcome.err


@pytest.mark.parametrize(
    ("sha256", "said"), [("0" * 64, "expected 0000"), (7, "`sha256`: expected a sha256, got 7"), ("x" * 64, "a sha256")]
)
def test_a_channel_that_lies_is_refused(
    sha256: object, said: str, away: Command, channel: Path, tmp_path: Path
) -> None:
    change(channel, "spam", {"sha256": sha256})
    outcome = away("create", "-p", str(tmp_path / "env"), ENVGEN_CHANNEL_WHEELS="1")
    assert outcome.code in {4, 5}
    assert said in outcome.err
    assert not (tmp_path / "env/conda-meta").exists()


def test_the_package_of_another_wheel_is_refused(away: Command, channel: Path, tmp_path: Path) -> None:
    """The index names an archive that is whole, and holds something else."""
    [eggs] = (channel / "linux-64").glob("eggs-*.conda")
    [spam] = (channel / "linux-64").glob("spam-*.conda")
    spam.chmod(0o644)
    spam.write_bytes(eggs.read_bytes())
    change(channel, "spam", {"sha256": hashlib.sha256(eggs.read_bytes()).hexdigest(), "size": eggs.stat().st_size})
    outcome = away("create", "-p", str(tmp_path / "env"), ENVGEN_CHANNEL_WHEELS="1")
    assert outcome.code == 5
    assert "expected the package of `spam-1.0-" in outcome.err
    assert "unset ENVGEN_CHANNEL_WHEELS" in outcome.err
    away("create", "-p", str(tmp_path / "env")).succeeded()


@pytest.mark.parametrize("text", ["[]", "{}", '{"packages.conda": []}', '{"packages.conda": {"a": 3}}', "x"])
def test_an_index_of_another_shape(text: str, away: Command, channel: Path, tmp_path: Path) -> None:
    (channel / "linux-64/repodata.json").write_text(text)
    outcome = away("create", "-p", str(tmp_path / "env"))
    assert outcome.code == 4
    assert "linux-64/repodata.json is not valid repodata" in outcome.err


def change(channel: Path, name: str, fields: dict[str, object]) -> None:
    """Change the record of a package in the index of a channel."""
    path = channel / "linux-64/repodata.json"
    document = json.loads(path.read_text())
    [record] = (record for record in document["packages.conda"].values() if record["name"] == name)
    record.update(fields)
    path.write_text(json.dumps(document))
