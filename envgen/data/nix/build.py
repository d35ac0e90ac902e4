"""Run `envgen create` or `envgen image` as the builder of a Nix derivation, without a network.

A derivation that `envgen export nix` writes starts it by the locked Python. What it is told by variables:

    job        `create` or `image`
    files      lines of `<sha256> <path>`, in a file that `filesPath` names: what the lock is made from
    out        the environment, or the layout of the image
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
LOCK = ".conda-lock.yml"
sys.path.insert(0, str(HERE / "site"))

from envgen.cli.main import main  # noqa: E402  needs the line before
from envgen.digest import Sha256  # noqa: E402
from envgen.system.store import Store  # noqa: E402

if TYPE_CHECKING:
    from typing import BinaryIO


def fill_store(store: Store, listed: Path) -> None:
    """Copy the files of the lock into the store, which verifies them."""
    for line in listed.read_text(encoding="utf-8").splitlines():
        sha, _, path = line.partition(" ")

        def copy(out: BinaryIO, path: str = path) -> None:
            with Path(path).open("rb") as source:
                shutil.copyfileobj(source, out, 1 << 20)

        store.ensure_artifact(Sha256(sha), copy)


def copy_project(target: Path) -> tuple[str, str]:
    """Copy the specs, the lock and the recipes to where they can be written, and return which lock it is.

    Returns:
        Name of the environment, and platform: a spec may have others, and extend other specs.
    """
    shutil.copytree(HERE / "project", target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (lock,) = (target / "locks").glob(f"*{LOCK}")
    name, _, platform = lock.name.removesuffix(LOCK).rpartition(".")
    return name, platform


def run(*arguments: str) -> None:
    """Run envgen in a process of its own, which it ends itself."""
    child = os.fork()
    if not child:
        sys.argv = ["envgen", *arguments]
        main()
        os._exit(0)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit(code)


def tidy(prefix: Path, work: Path) -> None:
    """Remove what differs between two builds: times of files, and the folder of the build, `/build` in a sandbox."""
    for name in (".envgen-state", ".envgen-lock", ".envgen-origin"):
        (prefix / "conda-meta" / name).unlink(missing_ok=True)
    for record in (prefix / "conda-meta").glob("*.json"):
        record.write_text(record.read_text(encoding="utf-8").replace(f"{work}/", "/build/"), encoding="utf-8")


def build(work: Path, out: str) -> None:
    """Make what the derivation asks for."""
    job, files = os.environ["job"], Path(os.environ["filesPath"])  # noqa: SIM112  Nix names them so
    cache, home = work / "cache", work / "home"
    home.mkdir()
    os.environ.clear()
    os.environ.update({"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "dumb"})
    os.environ.update({"ENVGEN_CACHE": str(cache), "ENVGEN_OFFLINE": "1"})
    os.environ["SSL_CERT_FILE"] = str(HERE / "site/certifi/cacert.pem")  # rattler reads some, also without a network
    fill_store(Store(cache), files)
    name, platform = copy_project(work / "project")
    os.chdir(work / "project")
    if job == "create":
        run("create", name, "--frozen", "--prefix", out)
        tidy(Path(out), work)
    else:
        run("image", name, "--platform", platform, "--frozen", "--output", str(work / "image"))
        shutil.move(work / "image", out)  # renames outside of a sandbox, where a copy would take its size once more


if __name__ == "__main__":
    build(Path(os.environ["NIX_BUILD_TOP"]), os.environ["out"])  # noqa: SIM112  Nix names it so
