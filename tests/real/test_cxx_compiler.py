"""The recipe `cxx-compiler` from the real archive: 60 MB; what it compiles runs, without a compiler on PATH."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command import REPOSITORY, Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

TIMEOUT = 300.0
"""Seconds for one command: mirrors can be slow."""

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}, linux-aarch64: {glibc: "2.36"}}
dependencies: [python, cxx-compiler]
"""

PROGRAM = """\
#include <cmath>
#include <iostream>
#include <omp.h>
#include <thread>
#include <vector>
thread_local int count = 3;
int main() {
    std::vector<double> values(100, 4.0);
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < 100; i++) sum += std::sqrt(values[i]);
    std::thread other([] { count++; });
    other.join();
    std::cout << sum << " " << count << " " << (omp_get_max_threads() > 0) << "\\n";
}
"""


C_PROGRAM = """\
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static __thread int n = 1;
static void *work(void *p) { n += 1; *(double *)p = hypot(3, 4) + n; return arc4random() ? p : NULL; }
int main(int argc, char **argv) {
    double x = argc, sum = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, work, &x);
    pthread_join(thread, NULL);
    for (int i = 0; i < 64; i++) sum += sin(i * x);
    printf("%.1f %.3f\\n", x, sum);
}
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cxx")
    project = Project(root=place / "project")
    project.spec("cxx", SPEC)
    own = {"ENVGEN_CACHE": str(place / "cache"), "PYTHONPATH": str(REPOSITORY)}
    for words in (("lock",), ("create", "--prefix", str(place / "env"))):
        argv = [sys.executable, "-m", "envgen", *words]
        done = subprocess.run(
            argv, cwd=project.root, env=os.environ | own, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        assert done.returncode == 0, done.stderr
    return place / "env"


def compiled(prefix: Path, folder: Path, *words: str) -> str:
    """Compile with nothing on PATH, and return the compiler's and the linker's output."""
    done = subprocess.run(
        [prefix / "bin/g++", *words],
        cwd=folder,
        env={"PATH": "/nowhere", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_program_runs_and_needs_an_old_glibc(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "a.cpp").write_text(PROGRAM)
    said = compiled(prefix, tmp_path, "-O2", "-fopenmp", "a.cpp", "-o", "a", "-Wl,--trace", "-v")
    linked = [line for line in said.splitlines() if re.search(r"^/.*\.(so[.0-9]*|a|o)\)?$", line)]
    assert any("/glibc/libc.so.6" in line for line in linked)
    outside = [line for line in linked if not line.startswith((f"{prefix}/", f"{tmp_path}/"))]
    assert outside == []
    assert subprocess.run([tmp_path / "a"], capture_output=True, text=True, check=True).stdout == "200 3 1\n"
    needed = re.findall(rb"GLIBC_2\.(\d+)\0", (tmp_path / "a").read_bytes())
    assert max(map(int, needed)) <= 36


def test_c_with_threads_vector_functions_and_what_the_newest_glibc_added(prefix: Path, tmp_path: Path) -> None:
    """The C library is the environment's: `arc4random` is there whatever this machine has."""
    (tmp_path / "b.c").write_text(C_PROGRAM)
    words = ("-O3", "-ffast-math", "b.c", "-lm", "-lpthread", "-lresolv")
    for static in ((), ("-static",)):
        done = subprocess.run(
            [prefix / "bin/gcc", *words, *static, "-o", "b"], cwd=tmp_path, env={"PATH": "/nowhere"}, check=False
        )
        assert done.returncode == 0
        assert subprocess.run([tmp_path / "b"], capture_output=True, text=True, check=True).stdout == "7.0 1.284\n"


def test_as_torch_calls_it(prefix: Path, tmp_path: Path) -> None:
    """A precompiled header, which is not linked; a library; the headers of the bundle and no others."""
    (tmp_path / "a.h").write_text("#include <vector>\n")
    compiled(prefix, tmp_path, "-x", "c++-header", "a.h", "-o", "a.h.gch")
    (tmp_path / "b.cpp").write_text('#include <cmath>\nextern "C" double f(double x) { return std::sin(x); }\n')
    said = compiled(prefix, tmp_path, "-H", "-shared", "-fPIC", "-ffast-math", "b.cpp", "-o", "b.so", "-lm")
    headers = [line.split()[-1] for line in said.splitlines() if line.startswith(".")]
    assert headers
    assert all(header.startswith(f"{prefix}/") for header in headers)
    call = "f = ctypes.CDLL(sys.argv[1]).f; f.restype = ctypes.c_double; print(f(ctypes.c_double(0)))"
    argv: list[str | Path] = [prefix / "bin/python", "-c", f"import ctypes, sys; {call}", tmp_path / "b.so"]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "0.0\n"


def test_activation_names_it(prefix: Path) -> None:
    scripts = [f". {prefix}/etc/conda/{folder}.d/cxx-compiler.sh" for folder in ("activate", "deactivate")]
    script = f'{scripts[0]}; echo "$CC $CXX"; {scripts[1]}; echo "${{CC-}}"'

    def said(**variables: str) -> str:
        given = {"PATH": os.defpath, "CONDA_PREFIX": str(prefix), **variables}
        return subprocess.run(["/bin/sh", "-c", script], env=given, capture_output=True, text=True, check=True).stdout

    assert said() == f"{prefix}/bin/gcc {prefix}/bin/g++\n\n"
    assert said(CC="clang") == f"clang {prefix}/bin/g++\nclang\n"
