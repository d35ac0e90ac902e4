"""Cases of the table: specs of many packages, for several platforms, and such that are hard to resolve.

Python comes from a channel in the project, which has it for every platform, so that the wheels make the difference.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks.measuring import Case, Goal, added
from tests.builders.channel import Channel
from tests.builders.stubs import conda_python

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.bench_create import Timing
    from tests.benchmarks.measuring import Bench

_DAY = "2026-11-22"
_PYTHON = "3.11"

_PLATFORMS = {
    "linux-64": ('{glibc: "2.36", cuda: "12.8"}', "x86_64-manylinux_2_36"),
    "linux-aarch64": ('{glibc: "2.36"}', "aarch64-manylinux_2_36"),
    "osx-arm64": ('{macos: "13.0"}', "aarch64-apple-darwin"),
    "win-64": ("{}", "x86_64-pc-windows-msvc"),
}
"""Platform -> what its machines have, and uv's name of it."""

_SIZES = {
    10: ["requests", "rich", "click"],
    100: ["jupyterlab", "ipykernel"],
    400: [
        "jupyterlab", "notebook", "pandas", "scipy", "scikit-learn", "matplotlib", "dask[complete]", "bokeh", "altair",
        "plotly", "sphinx", "mkdocs-material", "fastapi[standard]", "flask", "django", "celery", "boto3", "kubernetes",
        "google-cloud-storage", "google-cloud-bigquery", "azure-storage-blob", "sqlalchemy", "alembic", "pytest",
        "pytest-xdist", "hypothesis", "black", "ruff", "mypy", "pre-commit", "tox", "nox", "twine", "httpx", "aiohttp",
        "scrapy", "selenium", "openai", "anthropic", "transformers", "datasets", "gradio", "streamlit", "wandb",
        "mlflow", "statsmodels", "seaborn", "networkx", "sympy", "numba", "polars", "duckdb", "pyarrow", "xarray",
        "zarr", "fsspec", "s3fs", "gcsfs", "opentelemetry-sdk", "opentelemetry-exporter-otlp", "prometheus-client",
        "paramiko", "ansible-core", "jinja2-cli", "typer", "textual", "pydantic-settings", "strawberry-graphql",
        "uvicorn[standard]", "gunicorn", "redis", "pymongo", "psycopg[binary]", "elasticsearch", "kafka-python",
        "nltk", "spacy", "gensim", "lightgbm", "xgboost", "optuna", "ray", "shapely", "geopandas", "rasterio", "folium",
    ],
}  # fmt: skip
"""Packages of the solution, about -> requirements."""

_HARD = {
    "boto": ["boto3", "botocore", "aiobotocore"],
    "langchain": ["langchain", "langchain-community", "langchain-openai"],
    "Hugging Face": ["transformers", "datasets", "accelerate", "peft", "trl"],
    "streamlit, gradio": ["streamlit", "gradio"],
    "dask": ["dask[complete]"],
    "jax": ["jax", "flax", "optax"],
    "tensorflow": ["tensorflow"],
}


def cases() -> list[Case]:
    """List the cases, in the order of the table."""
    sizes = [(f"{size} packages", requirements) for size, requirements in _SIZES.items()]
    scaled = [
        _case(f"lock, {what}, {count} platforms", requirements, count)
        for what, requirements in sizes
        for count in (1, 2, 4)
    ]
    hard = [_case(f"lock, {what}", requirements, 1) for what, requirements in _HARD.items()]
    return [*scaled, *hard]


def _case(job: str, requirements: list[str], count: int) -> Case:
    envgen = partial(_envgen, job=job, requirements=requirements, count=count)
    uv = partial(_uv, job=job, requirements=requirements, count=count)
    return Case(job=job, envgen=envgen, uv=uv, goal=Goal(most=2.0))


def _envgen(bench: Bench, *, job: str, requirements: list[str], count: int) -> Timing:
    """Lock anew, with all pages and METADATA cached."""
    project = bench.project(_folder(job))
    bench.once(f"envgen, {job}", partial(_prepare, bench, project, requirements, count))
    for lock in (project / "locks").glob("*"):
        lock.unlink()
    return _lock(bench, project)


def _prepare(bench: Bench, project: Path, requirements: list[str], count: int) -> None:
    _write(project, requirements, count)
    _lock(bench, project)


def _lock(bench: Bench, project: Path) -> Timing:
    return bench.envgen("lock", project=project, cache="scale-store")


def _write(project: Path, requirements: list[str], count: int) -> None:
    """Write the spec and the channel."""
    channel = Channel()
    platforms = list(_PLATFORMS)[:count]
    for at, platform in enumerate(platforms):
        packages = conda_python(subdir=platform)
        channel.add(*(packages if at == 0 else packages[:1]))
    for path, data in channel.site().items():
        file = project / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    targets = "".join(f"  {platform}: {_PLATFORMS[platform][0]}\n" for platform in platforms)
    wanted = "".join(f"  - {requirement}\n" for requirement in requirements)
    text = f'python: "{_PYTHON}"\nplatforms:\n{targets}channels: [.{channel.prefix}]\ndependencies: [python]\n'
    (project / "environments").mkdir(exist_ok=True)
    spec = f"name: scale\n{text}pypi:\n{wanted}exclude-newer: {_DAY}\n"
    (project / "environments/scale.yaml").write_text(spec, encoding="utf-8")


def _uv(bench: Bench, *, job: str, requirements: list[str], count: int) -> Timing:
    project = bench.project(f"{_folder(job)}-uv")
    (project / "requirements.in").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    peers = [peer for _, peer in list(_PLATFORMS.values())[:count]]
    bench.once(f"uv, {job}", lambda: _compile(bench, project, peers))
    return _compile(bench, project, peers)


def _compile(bench: Bench, project: Path, peers: list[str]) -> Timing:
    for peer in peers:
        (project / f"{peer}.txt").unlink(missing_ok=True)  # its versions would be preferred
    return added([bench.compile(project, peer, _PYTHON, _DAY, "scale-uv") for peer in peers])


def _folder(job: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in job)
