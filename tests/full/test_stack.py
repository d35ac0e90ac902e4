"""What the environment of the whole stack must be able to do."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rattler

from envgen.prefix.verify import verify_prefix

if TYPE_CHECKING:
    from tests.full.conftest import Stack

pytestmark = pytest.mark.full


def test_versions_are_those_of_the_spec(stack: Stack) -> None:
    code = """
        import torch, torchvision, intel_extension_for_pytorch as ipex
        nccl = ".".join(map(str, torch.cuda.nccl.version()))
        print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version(), nccl)
        print(torchvision.__version__, ipex.__version__)
    """
    first, second = stack.python(textwrap.dedent(code)).splitlines()
    assert first == "2.8.0+cu128 12.8 91002 2.27.3"
    assert second == "0.23.0+cu128 2.8.0+cpu"


def test_convolution_and_ipex_forward_pass_agree_with_plain_torch(stack: Stack) -> None:
    code = """
        import copy, torch, torchvision, intel_extension_for_pytorch as ipex
        torch.manual_seed(0)
        model = torchvision.models.resnet18().eval()
        image = torch.randn(2, 3, 64, 64)
        with torch.no_grad():
            plain = model(image)
            fast = ipex.optimize(copy.deepcopy(model))(image)
        print(torch.nn.Conv2d(3, 8, 3)(image).shape, torch.allclose(plain, fast, atol=1e-3))
    """
    assert stack.python(textwrap.dedent(code)).strip() == "torch.Size([2, 8, 62, 62]) True"


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the host")
def test_torch_compile(stack: Stack, tmp_path: Path) -> None:
    code = """
        import torch
        model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU()).eval()
        data = torch.randn(4, 8)
        with torch.no_grad():
            print(torch.allclose(model(data), torch.compile(model)(data), atol=1e-5))
    """
    assert stack.python(textwrap.dedent(code), TORCHINDUCTOR_CACHE_DIR=str(tmp_path)).strip() == "True"


def test_python_header_is_where_sysconfig_says(stack: Stack) -> None:
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    assert Path(stack.python(code).strip(), "Python.h").is_file()


def test_pip_finds_nothing_broken(stack: Stack) -> None:
    assert stack.run("python", "-m", "pip", "check").stdout.strip() == "No broken requirements found."


def test_jupyter_lab_answers(stack: Stack) -> None:
    done = stack.run("jupyter", "lab", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()[0].isdigit()


def test_standard_library_is_whole(stack: Stack) -> None:
    modules = "ssl, sqlite3, ctypes, lzma, bz2, readline, curses, zlib, hashlib, uuid, dbm, zoneinfo, decimal"
    assert stack.python(f"import {modules}; print(ssl.OPENSSL_VERSION_NUMBER > 0)").strip() == "True"


def test_venv_and_pip_inside_it(stack: Stack, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    assert stack.run("python", "-m", "venv", str(venv)).returncode == 0
    done = stack.run(str(venv / "bin/pip"), "--version")
    assert str(venv) in done.stdout


def test_conda_meta_is_complete_and_true(stack: Stack) -> None:
    assert verify_prefix(stack.prefix) == ()


def test_py_rattler_reads_every_record(stack: Stack) -> None:
    records = [rattler.PrefixRecord.from_path(path) for path in (stack.prefix / "conda-meta").glob("*.json")]
    names = {str(record.name.normalized) for record in records}
    assert {"python", "pytorch", "nvidia-cudnn-cu12", "intel-extension-for-pytorch"} <= names


def test_wheels_claim_no_archive(stack: Stack) -> None:
    torch = next(
        record
        for path in (stack.prefix / "conda-meta").glob("pytorch-*.json")
        if (record := rattler.PrefixRecord.from_path(path))
    )
    assert torch.sha256 is None
    assert torch.md5 is None
    assert "checksum=sha256:" in torch.url


def test_second_create_has_nothing_to_do(stack: Stack) -> None:
    done = stack.envgen("create", "pt28-accel", "--prefix", str(stack.prefix))
    assert "up to date, nothing to do" in done.stderr
