"""Cases of the table: requirements that are hard to resolve, since releases of theirs exclude one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.locking import case

if TYPE_CHECKING:
    from tests.benchmarks.measuring import Case

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
    return [case(f"lock, {what}", requirements, 1) for what, requirements in _HARD.items()]
