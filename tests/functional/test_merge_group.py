"""Two branches change locks of a solve group: each lock is solved for the whole group; git's own merges are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SPEC
from tests.functional.test_merge import committed
from tests.functional.test_solve_group import versions

if TYPE_CHECKING:
    from tests.command import Command, Project
    from tests.functional.test_merge import Clone

HEAD = SPEC.replace("pypi: [spam ==1.0, eggs <2]\n", "solve-group: all\n")
DEMO = f"{HEAD}default: true\npypi:\n- spam ==1.0\n\n\n\n# end\n"
"""Lines that two branches can change without a conflict of text."""


@pytest.fixture
def clone(project: Project, cli: Command) -> Clone:
    """Make a repository with the environments `demo` and `serve` of one group on `main`."""
    return committed(project, cli, {"demo": DEMO, "serve": HEAD + "pypi: [eggs]\n"})


def constrain_serve(clone: Clone) -> None:
    """On a branch of its own, let `serve` take old eggs only, which are shared."""
    clone.git("checkout", "--quiet", "-b", "old", "main")
    clone.project.spec("serve", HEAD + "pypi: [old-eggs-only]\n")
    clone.cli("lock").succeeded()
    clone.git("add", ".")
    clone.git("commit", "--quiet", "--message=old")


def test_a_merge_takes_the_union_of_the_group(clone: Clone) -> None:
    """Alone, `demo` would keep the newest eggs, which its branch has; `serve` excludes them on the other branch."""
    constrain_serve(clone)
    clone.branch("more", "\n# end", "\n- ham\n- eggs\n# end")
    said = clone.git("merge", "--no-edit", "old")
    assert "locks/demo.linux-64.conda-lock.yml: solved for the merged spec" in said
    assert clone.git("status", "--porcelain") == ""
    assert (versions(clone.cli, "demo")["eggs"], versions(clone.cli, "serve")["eggs"]) == ("1.1", "1.1")
    clone.cli("lock", "--check", "--all").succeeded()
    assert 'envgen.shared: \'{"serve":["eggs","python","python_abi"]}\'' in demo_lock(clone)


def test_a_lock_that_git_merged_by_itself_is_named(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "-b", "old", "main")
    clone.project.spec("fourth", HEAD + "pypi: [ham]\n")
    clone.commit("- spam ==1.0\n", "- spam ==1.0\n- ham\n")
    clone.git("checkout", "--quiet", "main")
    clone.project.spec("third", HEAD + "pypi: [ham]\n")
    clone.commit("\n# end", "\n- eggs\n# end")
    said = clone.git("merge", "--no-edit", "old")
    assert "`locks/third.linux-64.conda-lock.yml` is out of date after this merge" in said
    outcome = clone.cli("lock", "--check", "--all")
    assert "it was not solved together with" in outcome.err
    clone.cli("lock", "third").succeeded()
    clone.cli("lock", "--check", "--all").succeeded()


def test_a_conflict_is_settled_for_the_group(clone: Clone) -> None:
    constrain_serve(clone)
    clone.branch("more", "\n# end", "\n- ham\n- eggs\n# end")
    clone.git("config", "merge.envgen.driver", "false")
    clone.git("merge", "--no-edit", "old", fails=True)
    settled = clone.cli("merge-lock").succeeded()
    assert "locks/demo.linux-64.conda-lock.yml: solved for the merged spec, and staged" in settled.err
    assert "UU" not in clone.git("status", "--porcelain")
    assert (versions(clone.cli, "demo")["eggs"], versions(clone.cli, "serve")["eggs"]) == ("1.1", "1.1")
    clone.cli("lock", "--check", "--all").succeeded()


def test_other_packages_in_common_than_are_listed(clone: Clone) -> None:
    """The list decides layers of images; a merge by hand may leave an old one."""
    path = clone.project.root / "locks/demo.linux-64.conda-lock.yml"
    path.write_text(demo_lock(clone).replace('"eggs","python"', '"python"'))
    outcome = clone.cli("lock", "--check", "--all")
    assert "other packages are in both `demo` and `serve` than the lock lists" in outcome.err
    clone.cli("lock").succeeded()
    clone.cli("lock", "--check", "--all").succeeded()


def demo_lock(clone: Clone) -> str:
    return (clone.project.root / "locks/demo.linux-64.conda-lock.yml").read_text()
