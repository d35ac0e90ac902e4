"""Real sets of requirements: each is locked with uv's versions, created, checked by pip, and imported.

    pytest -m stacks tests/stacks                        all of `stacks.yaml`: half an hour, 6 GB of disk
    pytest -m real tests/stacks                          the dozen that CI runs
    pytest -m stacks tests/stacks -k 'versions or says'  lock and compare only: metadata, no wheels
    pytest -m stacks tests/stacks -k '[api]'             one set

`ENVGEN_STACKS_CACHE` names a folder for the caches of both programs, which are used again and kept; without it they
are temporary. `ENVGEN_STACKS_TABLE` names a file for the table of results, which is printed at the end in any case.

A set is compared for each of its platforms. Only wheels are compared: Python comes from a recipe. What is different on
purpose stands under `deviations` with a reason, and a reason that no longer holds is a failure too. What uv would
build from a source archive stands under `needs-source`: `lock` has to refuse it, naming a project. Environments are
made for the platform of this machine, without a GPU, except for large sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.system.host import probe_host
from tests.stacks.comparison import compare, surprises
from tests.stacks.stack import FILE, Size, Stack, read_stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _pytest.mark import ParameterSet

    from tests.stacks.workshop import Workshop

    Note = Callable[[str, str, str, object], None]

STACKS = read_stacks(FILE.read_text(encoding="utf-8"))

SIZED = "linux-64"
"""The platform that size classes are about."""

REFUSED = frozenset({"ort", "trt12"})
"""Sets with a source archive that only downloads a wheel from its vendor, which a build without a network cannot."""

NO_BUILD = 1
"""Exit code of `lock` where a source cannot be built."""

NO_SOLUTION = 3
"""Exit code of `lock` for a set that cannot be locked."""


def cases(stacks: Iterable[Stack]) -> list[ParameterSet]:
    """Mark each set; the dozen is among the tests against real registries besides."""
    both = (pytest.mark.stacks, pytest.mark.real)
    return [pytest.param(stack, id=stack.name, marks=both if stack.ci else both[:1]) for stack in stacks]


@pytest.mark.parametrize("stack", cases(stack for stack in STACKS if stack.locked))
def test_versions_are_those_of_uv(stack: Stack, workshop: Workshop, note: Note) -> None:
    locked = workshop.lock(stack)
    if locked.code:
        note(stack.name, stack.platforms[0], "equal to uv", f"not locked, exit code {locked.code}")
    locked.succeeded()
    choices = workshop.choices(stack)
    found = {}
    for platform, choice in choices.items():
        found[platform] = compare(choice.wheels, workshop.uv(stack, platform, choice.python))
        note(stack.name, platform, "packages", len(choice.wheels))
        note(stack.name, platform, "MB", round(choice.size / 1e6))
        note(stack.name, platform, "equal to uv", found[platform].equal)
        note(stack.name, platform, "different (envgen vs uv)", found[platform].words())
    assert surprises(found, stack.deviations) == []
    assert Size.of(choices[SIZED].size) is stack.size


@pytest.mark.parametrize("stack", cases(stack for stack in STACKS if not stack.locked and stack.name not in REFUSED))
def test_what_has_no_wheel_is_built(stack: Stack, workshop: Workshop, note: Note) -> None:
    locked = workshop.lock(stack)
    verdict = f"refused ({locked.code})" if locked.code else f"locked, builds {', '.join(stack.needs_source)}"
    note(stack.name, stack.platforms[0], "equal to uv", f"needs a source archive: {verdict}")
    locked.succeeded()
    text = b"".join(workshop.project(stack).locks().values()).decode()
    assert [name for name in stack.needs_source if f"- name: {name}\n" not in text] == []


@pytest.mark.parametrize("stack", cases(stack for stack in STACKS if stack.name in REFUSED))
def test_a_source_that_cannot_be_built_is_named(stack: Stack, workshop: Workshop, note: Note) -> None:
    refused = workshop.lock(stack)
    note(stack.name, stack.platforms[0], "equal to uv", f"needs a source archive: refused ({refused.code})")
    assert refused.code in (NO_BUILD, NO_SOLUTION), refused.err
    assert [name for name in stack.needs_source if name in refused.err], refused.err
    assert workshop.project(stack).locks() == {}


@pytest.mark.parametrize("stack", cases(stack for stack in STACKS if stack.created))
def test_create_makes_what_lock_accepts(stack: Stack, workshop: Workshop, note: Note) -> None:
    workshop.lock(stack).succeeded()
    try:
        failed = try_environment(stack, workshop, note)
        assert not failed, "\n".join(f"{what}: {said}" for what, said in failed.items())
    finally:
        workshop.discard(stack)


def try_environment(stack: Stack, workshop: Workshop, note: Note) -> dict[str, str]:
    """Create the environment and try all of it; what failed -> what was said."""
    host = str(probe_host().platform)
    created = workshop.create(stack)
    note(stack.name, host, "created", "no" if created.code else "yes")
    if created.code:
        return {"create": created.err}
    checked = workshop.pip_check(stack)
    note(stack.name, host, "pip check", "broken" if checked.code else "passed")
    imported = {module: workshop.imported(stack, module) for module in stack.imports}
    failed = {f"import {module}": outcome.err for module, outcome in imported.items() if outcome.code}
    lost = f", not {', '.join(name.removeprefix('import ') for name in failed)}" if failed else ""
    note(stack.name, host, "imports", f"{len(imported) - len(failed)} of {len(imported)}{lost}")
    return failed | ({"pip check": checked.out + checked.err} if checked.code else {})
