"""What an image reads of packages are files of these packages, not of the machine that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import ArtifactError
from envgen.image.content import survey
from envgen.image.inputs import declared_variables, opencl_vendors
from envgen.image.pyc import Compiler
from envgen.platforms import Platform, PythonMinor
from tests.builders.extracted import Draft, Link, make
from tests.unit.prefix.samples import BUILT

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.image.content import Environment
    from envgen.system.store import Store


def environment(store: Store, files: dict[str, str | Link]) -> Environment:
    package = make(store, Draft(name="alpha", files=files, origin=BUILT))
    compiler = Compiler(command=("python",), key="this", minor=PythonMinor(3, 11))
    return survey([package], prefix="/opt/env", platform=Platform.LINUX_64, compiler=compiler)


def test_files_and_links_of_the_package_are_read(store: Store) -> None:
    files: dict[str, str | Link] = {
        "etc/OpenCL/vendors/a.icd": "liba.so\n",
        "etc/OpenCL/vendors/b.icd": Link(to="a.icd"),
    }
    assert opencl_vendors(environment(store, files)) == {"a.icd": "liba.so\n", "b.icd": "liba.so\n"}


@pytest.mark.parametrize("relative", [True, False])
def test_a_link_to_a_file_of_the_user_is_not_read(store: Store, tmp_path: Path, *, relative: bool) -> None:
    (tmp_path / "id_rsa").write_text('{"KEY": "private"}')
    target = "../" * 6 + "id_rsa" if relative else str(tmp_path / "id_rsa")
    vendor = environment(store, {"etc/OpenCL/vendors/a.icd": Link(to=target)})
    with pytest.raises(ArtifactError, match=r"`etc/OpenCL/vendors/a.icd` of `alpha-1.0-h1_0`: expected a file of the"):
        opencl_vendors(vendor)
    variables = environment(store, {"etc/conda/env_vars.d/a.json": Link(to=target)})
    with pytest.raises(ArtifactError, match="expected a file of the package, got a link out of it"):
        declared_variables(variables)
