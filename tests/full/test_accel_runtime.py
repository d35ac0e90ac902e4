"""accel-runtime in the environment that it is for: the real torch, and the real IPEX."""

from __future__ import annotations

import importlib.util
import json
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.full.conftest import Stack

pytestmark = pytest.mark.full

REPOSITORY = Path(__file__).parents[2]
RECIPE = REPOSITORY / "recipes/accel-runtime"
PYTEST = ("pytest", "_pytest", "pluggy", "iniconfig", "py")
"""What runs tests, taken from this interpreter: the environment has none of it."""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return paths where an interpreter finds the package, its entry point and pytest."""
    site = tmp_path_factory.mktemp("site")
    for name in PYTEST:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        package = origin.parent if origin.name == "__init__.py" else origin
        (site / package.name).symlink_to(package)
    meta = site / "accel_runtime-0.1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: accel-runtime\nVersion: 0.1.0\n")
    (meta / "entry_points.txt").write_text("[torch.backends]\naccel_runtime = accel_runtime.autoload:autoload\n")
    return os.pathsep.join(map(str, (site, RECIPE / "src", REPOSITORY)))


def accel(stack: Stack, paths: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the `accel` command."""
    done = stack.run("python", "-m", "accel_runtime", *words, PYTHONPATH=paths, **variables)
    assert done.returncode == 0, done.stderr
    return done


def test_the_unit_tests_pass_with_the_real_torch(stack: Stack, paths: str) -> None:
    words = ("--noconftest", "-c", os.devnull, "--rootdir", "tests", "-p", "no:cacheprovider", "-q", "-W", "error")
    done = stack.run("python", "-m", "pytest", *words, "tests/unit/accel_runtime", PYTHONPATH=paths)
    assert done.returncode == 0, done.stdout
    assert "could not import 'torch'" not in done.stdout


def test_importing_torch_loads_nothing_more_and_costs_nothing(stack: Stack, paths: str) -> None:
    code = """
        import sys, time, torch
        from importlib.metadata import entry_points
        print(*sorted(name for name in sys.modules if name.startswith(("accel_runtime", "intel_extension"))))
        for name in [name for name in sys.modules if name.startswith("accel_runtime")]:
            del sys.modules[name]
        (entry,) = entry_points(group="torch.backends")
        started = time.perf_counter()
        entry.load()()
        print(time.perf_counter() - started)
    """
    loaded, seconds = stack.python(textwrap.dedent(code), PYTHONPATH=paths).splitlines()
    assert loaded == "accel_runtime accel_runtime.autoload"
    assert float(seconds) < 0.010


SCRIPT = """
import sys, torch, torchvision
torch.manual_seed(0)
model = torchvision.models.resnet18().eval()
with torch.inference_mode():
    for batch in (2, 2, 2):
        torch.manual_seed(1)
        result = model(torch.randn(batch, 3, 64, 64))
print(result.dtype, result.argmax(1).tolist(), round(float(result.norm()), 2), sys.argv[1:])
"""


@pytest.mark.parametrize("engine", ["onednn", "ipex"])
def test_an_unmodified_script_gains_and_gives_the_same(stack: Stack, paths: str, tmp_path: Path, engine: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    plain = stack.run("python", str(script), "--report", PYTHONPATH=paths)
    fast = accel(stack, paths, "run", "--report", str(script), "--report", ACCEL_ENGINE=engine)
    assert (fast.stdout, plain.stderr) == (plain.stdout, "")
    assert "ResNet (11.7 M weights): 3 of 3 calls optimised; 1 program made" in fast.stderr
    assert len(fast.stderr.splitlines()) == 3  # the path, the engine, the model: nothing of IPEX's own


def test_the_ddp_example_comes_to_the_same_loss(stack: Stack, paths: str) -> None:
    example = str(RECIPE / "examples/train_ddp.py")
    one = stack.run("python", example, PYTHONPATH=paths, ACCEL_DEVICE="cpu").stdout
    two = accel(stack, paths, "launch", "--nproc", "2", example, ACCEL_DEVICE="cpu").stdout
    losses = [float(text.rpartition("loss ")[2]) for text in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)  # sums in another order; the last digit that is printed
    assert "1 x cpu" in one
    assert "2 x cpu" in two


def test_info_names_what_takes_part(stack: Stack, paths: str) -> None:
    found = json.loads(accel(stack, paths, "info", "--json").stdout)
    assert found["versions"]["torch"] == "2.8.0"
    assert (found["versions"]["cuda"], found["versions"]["nccl"]) == ("12.8", "2.27.3")
    assert found["ipex"]["problem"] is None


def test_bench_tells_ratios(stack: Stack, paths: str) -> None:
    words = ("bench", "--json", "--model", "transformer", "--batch", "1", "--rounds", "2", "--path", "accel bf16")
    found = json.loads(accel(stack, paths, *words).stdout)
    assert found["best_latency_reduction"] == found["best_latency_reduction_without_int8"] is not None
    assert all(line["top1_agreement"] == 1.0 for line in found["paths"])


def test_a_broken_ipex_is_told_and_does_no_harm(stack: Stack, paths: str, tmp_path: Path) -> None:
    (tmp_path / "intel_extension_for_pytorch.py").write_text("raise OSError('undefined symbol')")
    code = """
        import torch, accel_runtime
        model = torch.nn.Linear(512, 512).eval()
        data = torch.randn(4, 512)
        with torch.no_grad():
            plain = model(data)
            print(torch.allclose(plain, accel_runtime.optimize(model, dtype=torch.float32)(data), atol=1e-5))
    """
    path = os.pathsep.join((str(tmp_path), paths))
    done = stack.run("python", "-c", textwrap.dedent(code), PYTHONPATH=path, ACCEL_ENGINE="ipex")
    assert done.stdout.strip() == "True"
    assert done.stderr.count("IPEX is not used: it cannot be imported: OSError: undefined symbol") == 1
    told = accel(stack, path, "info", ACCEL_ENGINE="ipex").stdout
    assert "warning   IPEX is not used: it cannot be imported: OSError: undefined symbol" in told
