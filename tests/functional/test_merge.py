"""Two branches change a lock: git merges them through `envgen merge-lock`, or is refused loudly."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SPEC
from tests.functional.test_lock import DEBIAN_LOCK, LOCK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

DRIVER = f'"{sys.executable}" -m envgen merge-lock %A %P'
LINES = SPEC.replace("[spam ==1.0, eggs <2]", "\n- spam ==1.0\n\n\n\n- eggs <2\n")
"""The same spec, in lines that two branches can change without a conflict of text."""

TOOL = """
package: {{name: tool, version: "1"}}
build:
  noarch: generic
  script: [mkdir -p $PREFIX/share, echo {text} > $PREFIX/share/tool.txt, touch {marker}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """A project in a git repository."""

    project: Project
    cli: Command

    def git(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.project.root,
            env=self.cli.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def branch(self, name: str, old: str, new: str) -> None:
        """Change the spec on a branch of its own, lock and commit."""
        self.git("checkout", "--quiet", "-b", name, "main")
        self.commit(old, new)

    def commit(self, old: str, new: str) -> None:
        file = self.project.root / "environments/demo.yaml"
        file.write_text(file.read_text().replace(old, new))
        self.cli("lock").succeeded()
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", new.strip())

    def fresh(self) -> dict[str, bytes]:
        """Lock the spec as it is now from nothing."""
        merged = self.project.locks()
        shutil.rmtree(self.project.root / "locks")
        self.cli("lock").succeeded()
        found = self.project.locks()
        for name, content in merged.items():
            (self.project.root / "locks" / name).write_bytes(content)
        return found


def committed(project: Project, cli: Command, specs: Mapping[str, str]) -> Clone:
    """Make a repository with specs and their locks on `main`, and envgen's merge driver."""
    cli.variables |= {
        f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    clone = Clone(project=project, cli=cli)
    for name, text in specs.items():
        project.spec(name, text)
    cli("lock").succeeded()
    clone.git("init", "--quiet", "--initial-branch=main")
    cli("merge-lock", "--install").succeeded()
    clone.git("config", "merge.envgen.driver", DRIVER)
    clone.git("add", ".")
    clone.git("commit", "--quiet", "--message=one")
    return clone


@pytest.fixture
def clone(demo: Project, cli: Command) -> Clone:
    """Make a repository whose branches `left` and `right` each add a package."""
    clone = committed(demo, cli, {"demo": LINES})
    clone.branch("left", "- spam ==1.0\n", "- spam ==1.0\n- ham\n")
    clone.branch("right", "- eggs <2\n", "- eggs <2\n- bacon\n")
    return clone


def test_installed(clone: Clone) -> None:
    assert (clone.project.root / ".gitattributes").read_text() == "locks/*-lock.yml merge=envgen\n"
    clone.cli("merge-lock", "--install").succeeded()
    assert clone.git("config", "merge.envgen.driver").strip() == "envgen merge-lock %A %P"
    assert (clone.project.root / ".gitattributes").read_text().count("envgen") == 1


def test_merge_gives_what_a_fresh_solve_gives(clone: Clone) -> None:
    said = clone.git("merge", "--no-edit", "left")
    assert "solved for the merged spec" in said
    spec = (clone.project.root / "environments/demo.yaml").read_text()
    assert "- ham" in spec
    assert "- bacon" in spec
    assert clone.git("status", "--porcelain") == ""
    assert clone.project.locks() == clone.fresh()
    clone.cli("lock", "--check").succeeded()


def test_rebase_does_the_same(clone: Clone) -> None:
    clone.git("rebase", "left")
    assert clone.project.locks() == clone.fresh()
    clone.cli("lock", "--check").succeeded()


def test_conflicting_specs_are_refused(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "main")
    clone.branch("other", "- spam ==1.0\n", "- spam ==1.1\n- ham\n")
    before = clone.project.locks()
    said = clone.git("merge", "--no-edit", "left", fails=True)
    assert "conflicting changes in environments/demo.yaml" in said
    assert "CONFLICT" in said
    assert clone.project.locks() == before  # ours, and marked as in conflict
    assert "UU locks/demo.linux-64.conda-lock.yml" in clone.git("status", "--porcelain")


def test_settle_after_the_spec_was_settled_by_hand(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "main")
    clone.branch("other", "- spam ==1.0\n", "- spam ==1.1\n- ham\n")
    clone.git("merge", "--no-edit", "left", fails=True)
    refused = clone.cli("merge-lock")
    assert refused.code == 1
    assert "unresolved conflict in environments/demo.yaml" in refused.err
    clone.project.spec("demo", LINES.replace("- spam ==1.0\n", "- spam ==1.1\n- ham\n"))
    clone.git("add", "environments")
    clone.cli("merge-lock").succeeded()
    assert "UU" not in clone.git("status", "--porcelain")
    clone.git("commit", "--quiet", "--no-edit")
    assert clone.project.locks() == clone.fresh()


def test_settle_removes_a_debian_lock_that_is_not_needed_any_more(clone: Clone, registries: Registries) -> None:
    for branch in ("left", "right"):
        clone.git("checkout", "--quiet", branch)
        file = clone.project.root / "locks" / DEBIAN_LOCK
        file.write_text(file.read_text() + f"# {branch}\n")
        clone.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    clone.git("cherry-pick", "left", fails=True)
    assert f"UU locks/{DEBIAN_LOCK}" in clone.git("status", "--porcelain")
    clone.project.spec("demo", f"{LINES}channels: [{registries.channel_url}]\n")  # which has a Python
    clone.git("add", "environments")
    clone.cli("merge-lock").succeeded()
    assert set(clone.project.locks()) == {LOCK}
    assert f"D  locks/{DEBIAN_LOCK}" in clone.git("status", "--porcelain")
    clone.cli("lock", "--check").succeeded()


def test_cherry_pick_is_settled_afterwards(clone: Clone) -> None:
    said = clone.git("cherry-pick", "left", fails=True)
    assert "failed to find the commit that git is merging" in said
    clone.cli("merge-lock").succeeded()
    clone.cli("lock", "--check").succeeded()
    assert clone.project.locks() == clone.fresh()


def test_unsatisfiable_after_the_merge(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "main")
    clone.branch("old", "- spam ==1.0\n", "- spam ==1.0\n- old-eggs-only\n")
    clone.git("checkout", "--quiet", "main")
    clone.branch("new", "- eggs <2\n", "- new-eggs-only\n")
    said = clone.git("merge", "--no-edit", "old", fails=True)
    assert "new-eggs-only" in said
    assert "CONFLICT" in said


def test_nothing_to_settle(clone: Clone) -> None:
    outcome = clone.cli("merge-lock")
    assert outcome.code == 1
    assert "no lock is in conflict" in outcome.err


def test_other_files_are_refused(clone: Clone) -> None:
    outcome = clone.cli("merge-lock", "README.md", "locks/README.md")
    assert outcome.code == 1
    assert "is not the name of a lock" in outcome.err
    assert clone.cli("merge-lock", "only-one").code == 2


def test_outside_of_a_repository(locked: Project, cli: Command) -> None:
    outcome = cli("merge-lock", "--install")
    assert outcome.code == 1
    assert "not in a git repository" in outcome.err


def test_merge_runs_no_script_of_the_branch(clone: Clone, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    clone.git("checkout", "--quiet", "main")
    clone.project.write("recipes/tool/recipe.yaml", TOOL.format(text="ours", marker=tmp_path / "ours"))
    clone.commit("[python]", "[python, tool]")
    clone.branch("contributor", "- spam ==1.0\n", "- spam ==1.0\n- ham\n")
    clone.project.write("recipes/tool/recipe.yaml", TOOL.format(text="theirs", marker=marker))
    clone.git("commit", "--quiet", "--all", "--message=theirs")
    clone.git("checkout", "--quiet", "main")
    clone.commit("- eggs <2\n", "- eggs <2\n- bacon\n")
    before = clone.project.locks()
    said = clone.git("merge", "--no-edit", "contributor", fails=True)
    assert "recipe `tool` has to be built for the merged spec, and a merge runs no code of recipes or sources" in said
    assert "CONFLICT" in said
    assert clone.project.locks() == before
    assert not marker.exists()
    refused = clone.cli("merge-lock", "--no-build")
    assert "recipe `tool` is not in the store yet" in refused.err
    assert not marker.exists()
    settled = clone.cli("merge-lock").succeeded()
    assert "running the script of recipe `tool`" in settled.err
    assert marker.exists()
    assert clone.project.locks() == clone.fresh()


def test_merge_takes_a_recipe_that_was_built(clone: Clone, tmp_path: Path) -> None:
    clone.git("checkout", "--quiet", "main")
    clone.project.write("recipes/tool/recipe.yaml", TOOL.format(text="ours", marker=tmp_path / "marker"))
    clone.commit("[python]", "[python, tool]")
    clone.branch("contributor", "- spam ==1.0\n", "- spam ==1.0\n- ham\n")
    clone.git("checkout", "--quiet", "main")
    clone.commit("- eggs <2\n", "- eggs <2\n- bacon\n")
    (tmp_path / "marker").unlink()
    clone.git("merge", "--no-edit", "contributor")
    assert not (tmp_path / "marker").exists()
    assert clone.project.locks() == clone.fresh()
