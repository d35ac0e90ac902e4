"""The bytes of a layer do not depend on the processor: written again by an emulated one that has other instructions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envgen.oci.compress import Compression
from tests.unit.image.samples import entries, write

EMULATOR = shutil.which("qemu-x86_64")
ROOT = Path(__file__).parents[3]
SCRIPT = """
import json, sys
from pathlib import Path
from envgen.oci.compress import Compression
from tests.unit.image.samples import entries, write
some = entries(Path(sys.argv[1]))
print(json.dumps({str(c): write(some, c)[0].digest for c in Compression}))
"""


@pytest.mark.skipif(EMULATOR is None, reason="qemu-x86_64 (Debian: qemu-user) is not installed")
@pytest.mark.parametrize("cpu", ["core2duo", "Haswell"])
def test_another_processor_writes_the_same(tmp_path: Path, cpu: str) -> None:
    """Compare with one that has neither AVX nor SHA instructions, and with one that has AVX2."""
    command = [str(EMULATOR), "-cpu", cpu, sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=100)
    some = entries(tmp_path)
    assert json.loads(done.stdout) == {str(c): write(some, c)[0].digest for c in Compression}
