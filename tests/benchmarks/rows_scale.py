"""Cases of the table: specs of few and of many packages, for several platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.locking import case

if TYPE_CHECKING:
    from tests.benchmarks.measuring import Case

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


def cases() -> list[Case]:
    """List the cases, in the order of the table."""
    return [
        case(f"lock, {size} packages, {count} platforms", requirements, count)
        for size, requirements in _SIZES.items()
        for count in (1, 2, 4)
    ]
