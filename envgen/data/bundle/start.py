"""Install envgen and the project out of a bundle, on a machine that has this Python and no network.

    tar -xf demo.bundle.tar start.py
    python3 start.py demo.bundle.tar

This script needs nothing but Python's standard library. It reads the bundle (an OCI image layout, as a tar or as a
folder), verifies every file that it uses by its sha256, and writes one folder:

    <folder>/envgen     a virtual environment with envgen
    <folder>/project    the spec, the locks and the recipes

Before that, it writes to a temporary folder beside it; where anything is wrong, nothing else has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

LOCK = "application/vnd.envgen.lock.v1"
TOOLS = "application/vnd.envgen.tools.v1"
TITLE = "org.opencontainers.image.title"
LISTING = {"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"}
LARGEST = 4 << 20
"""Bytes of one JSON document."""

BLOB = re.compile(r"blobs/sha256/[0-9a-f]{64}")
NAMES = {"oci-layout", "index.json", "start.py", "manifest.json"}
TEXT = re.compile(r"(environments|locks|recipes)/[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*")
CODE = re.compile(r"project/((?:[^./\\\x00-\x1f][^/\\\x00-\x1f]*/)*[^./\\\x00-\x1f][^/\\\x00-\x1f]*)")
EXECUTABLE = "envgen.executable"
WHEEL = re.compile(r"tools/([A-Za-z0-9._+!-]+\.whl)")
MACHINES = {"x86_64": "64", "aarch64": "aarch64", "arm64": "arm64", "AMD64": "64"}
SYSTEMS = {"Linux": "linux", "Darwin": "osx", "Windows": "win"}


class Bundle:
    """The blobs of a bundle by their digest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[str, tuple[int, int]] = {}
        self.stream: BinaryIO | None = None
        if path.is_dir():
            names = [entry.name for entry in os.scandir(path / "blobs/sha256")]
            self.blobs = {f"blobs/sha256/{name}" for name in names}
        else:
            if not path.is_file():  # opening a named pipe would wait for a writer
                fail(f"{path} does not exist, or is neither a folder nor a regular file")
            self.stream = path.open("rb")
            self.scan(self.stream)
            self.blobs = {name for name in self.places if name.startswith("blobs/")}

    def scan(self, stream: BinaryIO) -> None:
        """Find the files of a tar; anything that a layout does not have is refused."""
        size = os.fstat(stream.fileno()).st_size
        try:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                for member in tar:
                    name = member.name.removeprefix("./")
                    if member.isdir() and name in {"", ".", "blobs", "blobs/sha256"}:
                        continue
                    if not member.isreg() or member.sparse or not (BLOB.fullmatch(name) or name in NAMES):
                        fail(f"{self.path} holds {name!r}, which a bundle does not have")
                    if name in self.places or member.offset_data + member.size > size:
                        fail(f"{self.path} is damaged at {name!r}")
                    self.places[name] = (member.offset_data, member.size)
        except tarfile.TarError as error:
            fail(f"{self.path} is not a bundle: {error}")

    def open(self, name: str) -> tuple[BinaryIO, int]:
        """Open a file of the bundle at its beginning, and tell its size."""
        if self.stream is None:
            path = self.path / name
            if path.is_symlink() or not path.is_file():
                fail(f"{path} is missing, or not a regular file")
            return path.open("rb"), path.stat().st_size
        if name not in self.places:
            fail(f"{self.path} has no {name}")
        self.stream.seek(self.places[name][0])
        return self.stream, self.places[name][1]

    def read(self, name: str) -> bytes:
        """Read a small file."""
        stream, size = self.open(name)
        if size > LARGEST:
            fail(f"{name} has {size} bytes, expected at most {LARGEST}")
        return stream.read(size)

    def document(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Read a manifest, and verify it."""
        digest = sha(entry)
        data = self.read(f"blobs/sha256/{digest}")
        if hashlib.sha256(data).hexdigest() != digest:
            fail(f"sha256:{digest} is damaged")
        return dict(json.loads(data))

    def check(self, index: dict[str, Any]) -> None:
        """Compare the blobs that manifests list with those that are there."""
        version = json.loads(self.read("oci-layout")).get("imageLayoutVersion")
        if version != "1.0.0":
            fail(f"{self.path}: imageLayoutVersion in oci-layout: expected '1.0.0', got {version!r}")
        listed: set[str] = set()
        waiting = list(index["manifests"])
        while waiting:
            entry = waiting.pop()
            name = f"blobs/sha256/{sha(entry)}"
            if name in listed:
                continue
            listed.add(name)
            if name not in self.blobs:
                fail(f"{self.path} has no {name}")
            if entry.get("mediaType") in LISTING:
                found = self.document(entry)
                waiting += [*found.get("manifests", []), *found.get("layers", [])]
                waiting += [found[key] for key in ("config", "subject") if key in found]
        if unlisted := sorted(self.blobs - listed):
            fail(f"{self.path} has {len(unlisted)} blobs that no manifest lists, such as {unlisted[0]}")

    def write(self, entry: dict[str, Any], target: Path) -> None:
        """Write a blob to a new file, and verify it."""
        digest = sha(entry)
        stream, left = self.open(f"blobs/sha256/{digest}")
        if left != entry["size"]:
            fail(f"sha256:{digest} has {left} bytes, expected {entry['size']}")
        found = hashlib.sha256()
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while left:
                data = stream.read(min(1 << 20, left))
                if not data:
                    fail(f"{self.path} is truncated")
                left -= len(data)
                found.update(data)
                out.write(data)
        if found.hexdigest() != digest:
            fail(f"sha256:{digest} is damaged")


def fail(text: str) -> NoReturn:
    """End with a message."""
    raise SystemExit(f"error: {text}")


def sha(entry: dict[str, Any]) -> str:
    """Read the digest of a descriptor."""
    found = re.fullmatch(r"sha256:([0-9a-f]{64})", str(entry.get("digest")))
    return found[1] if found else fail(f"{entry.get('digest')!r} is not a digest")


def subdir() -> str:
    """Name this machine's platform as locks do."""
    return f"{SYSTEMS.get(platform.system(), '?')}-{MACHINES.get(platform.machine(), '?')}"


def choose(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Choose envgen for this machine and this Python."""
    wanted = (f"{sys.version_info[0]}.{sys.version_info[1]}", subdir())
    there = []
    for manifest in found:
        notes = manifest.get("annotations", {})
        key = (notes.get("envgen.python"), notes.get("envgen.platform"))
        if key == wanted:
            return manifest
        there.append(f"Python {key[0]} on {key[1]}")
    fail(
        f"the bundle has no envgen for Python {wanted[0]} on {wanted[1]}, only for {', '.join(there) or 'nothing'}; "
        "run this script by such a Python, or make the bundle with `envgen bundle --tool-python`"
    )


def unpack_tools(bundle: Bundle, manifest: dict[str, Any], folder: Path) -> None:
    """Write the wheels and install them into a virtual environment, by the pip among them."""
    wheels = []
    for entry in manifest["layers"]:
        title = entry.get("annotations", {}).get(TITLE, "")
        if title == "start.py":
            continue
        name = WHEEL.fullmatch(title)
        if not name:
            fail(f"{entry.get('annotations')!r} is not the name of a wheel")
        bundle.write(entry, folder / "wheels" / name[1])
        wheels.append(folder / "wheels" / name[1])
    pip = next((path for path in wheels if path.name.startswith("pip-")), None)
    if pip is None:
        fail("the bundle has no pip")
    home = folder / "envgen"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    command: list[str | Path] = [home / "bin/python", "-I", f"{pip}/pip", "--isolated", "--disable-pip-version-check"]
    options = ["install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir"]
    subprocess.run([*command, *options, *wheels], check=True)
    shutil.rmtree(folder / "wheels")


def unpack_project(bundle: Bundle, manifests: list[dict[str, Any]], folder: Path) -> list[str]:
    """Write specs, locks, recipes and code; return the names of the environments."""
    done: dict[str, str] = {}
    for manifest in manifests:
        for entry in manifest["layers"]:
            notes = entry.get("annotations", {})
            title = notes.get(TITLE, "")
            if not title.startswith(("environments/", "locks/", "recipes/", "project/")):
                continue
            code = CODE.fullmatch(title)
            if not (code or TEXT.fullmatch(title)):
                fail(f"{title!r} is not a path of a project")
            path = code[1] if code else title
            if done.setdefault(path, sha(entry)) != sha(entry):
                fail(f"{path!r} is there twice")
            if not (folder / path).exists():
                bundle.write(entry, folder / path)
                if notes.get(EXECUTABLE) == "true":
                    (folder / path).chmod(0o755)
    return sorted({str(manifest.get("annotations", {}).get("envgen.environment")) for manifest in manifests})


def run(path: Path, target: Path) -> None:
    """Read a bundle, and write the folder."""
    if target.exists():
        fail(f"{target} exists; choose another folder with --folder, or remove it")
    bundle = Bundle(path)
    index = bundle.read("index.json")
    print(f"bundle sha256:{hashlib.sha256(index).hexdigest()}", file=sys.stderr)
    entries = json.loads(index)["manifests"]
    bundle.check({"manifests": entries})
    kinds: dict[str, list[dict[str, Any]]] = {LOCK: [], TOOLS: []}
    for entry in entries:
        if entry.get("artifactType") in kinds:
            kinds[entry["artifactType"]].append(bundle.document(entry))
    manifest = choose(kinds[TOOLS])
    target.parent.mkdir(parents=True, exist_ok=True)
    # scripts of a virtual environment name their place, so it is made at its place, and removed where that fails
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        names = unpack_project(bundle, kinds[LOCK], temporary / "project")
        target.mkdir()
        try:
            unpack_tools(bundle, manifest, target)
            (temporary / "project").rename(target / "project")
        except BaseException:
            shutil.rmtree(target)
            raise
    finally:
        shutil.rmtree(temporary)
    say_next(path, target, names, kinds[LOCK])


def say_next(path: Path, target: Path, names: list[str], locks: list[dict[str, Any]]) -> None:
    """Print what to do now; a spec may have more platforms than the bundle."""
    program = target / "envgen/bin/envgen"
    print(f"envgen is in {target / 'envgen'}, the project in {target / 'project'}; next:\n")
    print(f"    cd {target / 'project'}")
    print(f"    export ENVGEN_OFFLINE=1 ENVGEN_BUNDLE={path}")
    for name in names:
        notes = [lock.get("annotations", {}) for lock in locks]
        platforms = [note.get("envgen.platform") for note in notes if note.get("envgen.environment") == name]
        chosen = "".join(f" --platform {one}" for one in sorted(filter(None, platforms)) if one.startswith("linux-"))
        print(f"    {program} create {name}")
        print(f"    {program} image {name}{chosen}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Install envgen and a project out of a bundle, without a network.")
    parser.add_argument("bundle", type=Path, help="what `envgen bundle` wrote: a tar or a folder")
    parser.add_argument("--folder", type=Path, default=Path("from-bundle"), help="default: from-bundle")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing half-written is left
    try:
        run(options.bundle.resolve(), options.folder.resolve())
    except subprocess.CalledProcessError as error:
        fail(f"{error.cmd[0]} failed with exit code {error.returncode}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        fail(f"{options.bundle}: {error!r}")


if __name__ == "__main__":
    main()
