from __future__ import annotations

from importlib.resources import files

import pytest

from envgen.errors import SpecError
from envgen.names import CondaName, NameTable, ProjectName, project_name

TABLE = """
same = ["numpy", "build"]
[renamed]
torch = "pytorch"
build = "python-build"
[clashes]
nvidia-nccl-cu12 = ["nccl"]
"""


@pytest.fixture(scope="module")
def shipped() -> NameTable:
    return NameTable.from_toml((files("envgen") / "data" / "names.toml").read_text(encoding="utf-8"))


def test_a_table_is_read_from_toml() -> None:
    table = NameTable.from_toml(TABLE)
    assert table.conda_name(ProjectName("torch")) == "pytorch"
    assert table.project(CondaName("python-build")) == "build"
    assert table.same == {"numpy", "build"}
    assert table.clashes == {"nvidia-nccl-cu12": ("nccl",)}


def test_an_empty_text_is_an_empty_table() -> None:
    assert NameTable.from_toml("") == NameTable()


def test_a_project_whose_name_is_taken_gets_another() -> None:
    table = NameTable.from_toml(TABLE)
    assert table.conda_name(ProjectName("pytorch")) == "pypi-pytorch"
    assert table.conda_name(ProjectName("numpy")) == "numpy"


def test_a_package_that_no_project_becomes() -> None:
    table = NameTable.from_toml(TABLE)
    assert table.project(CondaName("build")) is None
    assert table.project(CondaName("torch")) is None
    assert table.project(CondaName("pytorch")) == "torch"
    assert table.project(CondaName("pypi-pytorch")) == "pytorch"


def test_the_names_of_a_spec_come_on_top() -> None:
    table = NameTable.from_toml(TABLE).overridden({"torch": "my-torch", "Spam_Ham": "spam"})
    assert table.conda_name(ProjectName("torch")) == "my-torch"
    assert table.conda_name(project_name("spam.ham")) == "spam"
    assert {"torch", "spam-ham", "numpy"} <= table.same


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("same = ", "Invalid value"),
        ("sane = []", "unknown key"),
        ("same = {}", "not a list"),
        ("renamed = 3", "not a dict"),
        ('same = ["NumPy"]', "not a project name: 'NumPy'"),
        ("same = [3]", "not a project name: 3"),
        ('[renamed]\ntorch = "PyTorch"', "not a conda package name: 'PyTorch'"),
        ('[renamed]\ntorch = ["pytorch"]', "not a conda package name"),
        ('[clashes]\ntorch = ["libtorch", 3]', "not a conda package name"),
        ('[renamed]\na = "x"\nb = "x"', "2 projects map to `x`"),
    ],
)
def test_a_faulty_table_is_refused(text: str, fault: str) -> None:
    with pytest.raises(SpecError, match=fault):
        NameTable.from_toml(text)


def test_all_faults_are_told() -> None:
    with pytest.raises(SpecError) as caught:
        NameTable.from_toml('same = ["A", "B"]\nother = 1')
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize(
    ("project", "name"),
    [
        ("torch", "pytorch"),
        ("build", "python-build"),
        ("graphviz", "python-graphviz"),
        ("tzdata", "python-tzdata"),
        ("zstd", "python-zstd"),
        ("blosc", "python-blosc"),
        ("snappy", "pypi-snappy"),
        ("typing-extensions", "typing_extensions"),
        ("numpy", "numpy"),
    ],
)
def test_the_shipped_table_knows(shipped: NameTable, project: str, name: str) -> None:
    assert shipped.conda_name(ProjectName(project)) == name
    assert shipped.project(CondaName(name)) == project


def test_what_binary_wheels_are_compiled_against_never_comes_from_a_channel(shipped: NameTable) -> None:
    assert not shipped.same & {"torch", "torchvision", "triton", "mkl", "intel-openmp", "tbb", "nvidia-nccl-cu12"}


def test_no_project_of_the_shipped_table_clashes_with_itself(shipped: NameTable) -> None:
    own = {project: shipped.conda_name(project) for project in shipped.clashes}
    assert [p for p, name in own.items() if name in shipped.clashes[p]] == []


def test_no_two_projects_of_the_shipped_table_share_a_name(shipped: NameTable) -> None:
    projects = shipped.same | shipped.renamed.keys() | shipped.clashes.keys()
    assert len({shipped.conda_name(project) for project in projects}) == len(projects)


def test_the_libraries_of_the_stack_enter_once(shipped: NameTable) -> None:
    pairs = {
        "nvidia-cudnn-cu12": "libcudnn",
        "nvidia-nccl-cu12": "nccl",
        "nvidia-cublas-cu12": "libcublas",
        "nvidia-cuda-runtime-cu12": "cuda-cudart",
        "nvidia-cusparselt-cu12": "cusparselt",
        "intel-openmp": "llvm-openmp",
    }
    assert all(name in shipped.clashes[ProjectName(project)] for project, name in pairs.items())
