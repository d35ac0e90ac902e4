"""Look for inputs that a parser of foreign bytes stumbles over, guided by coverage: `python -m tests.property.explore`.

`atheris` is installed by hand (`pip install atheris`): it brings a fuzzer of its own, and no other test needs it. What
is found goes into a folder; it belongs into `tests/cases/foreign/<reader>/` once the parser is mended.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Explore one parser, from its sample and from what was found before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", help="a name of `tests.property.readers.READERS`")
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--memory", type=int, default=500, help="MB that the process may take")
    parser.add_argument("--folder", type=Path, default=Path("explored"), help="takes inputs and what was found")
    options = parser.parse_args()
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["envgen"]):
        readers = importlib.import_module("tests.property.readers")
        foreign = importlib.import_module("tests.property.test_foreign_bytes")
    reader = readers.READERS[options.reader]
    inputs = options.folder / options.reader
    inputs.mkdir(parents=True, exist_ok=True)
    (inputs / "sample").write_bytes(reader.sample)
    found = [str(path) for path in (foreign.CORPUS / options.reader,) if path.is_dir()]
    arguments = [
        f"-max_total_time={options.seconds}",
        f"-rss_limit_mb={options.memory}",
        "-timeout=20",
        f"-artifact_prefix={options.folder}/{options.reader}-",
    ]

    def once(raw: bytes) -> None:
        if not reader.json or _is_json(raw):
            foreign.read(reader, raw)

    atheris.Setup([sys.argv[0], *arguments, str(inputs), *found], once)
    atheris.Fuzz()


def _is_json(raw: bytes) -> bool:
    """Return whether bytes are JSON: some readers fill in the rest of a document around its values."""
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


if __name__ == "__main__":
    main()
