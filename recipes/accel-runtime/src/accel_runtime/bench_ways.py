"""The paths that `accel bench` measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A path to measure.

    Attributes:
        name: for people.
        way: what `accel_runtime.bench_worker` does.
        dtype: in which it computes: `fp32`, `bf16`, `fp16` or `int8`.
        variables: set in its process.
        tuned: whether its process has the variables of an activated environment.
    """

    name: str
    way: str
    dtype: str = "fp32"
    variables: tuple[tuple[str, str], ...] = ()
    tuned: bool = True

    @property
    def needs_ipex(self) -> bool:
        """Whether it is a path of IPEX."""
        return "ipex" in self.name


PLAIN = Way(name="eager fp32 (plain torch)", way="eager", tuned=False)

INT8 = "int8"

_IPEX = (("ACCEL_ENGINE", "ipex"),)

CPU_WAYS = (
    Way(name="eager fp32, activated", way="eager"),
    Way(name="autocast bf16", way="eager", dtype="bf16"),
    Way(name="ipex.optimize fp32", way="ipex"),
    Way(name="ipex.optimize fp32, traced", way="ipex traced"),
    Way(name="ipex.optimize bf16", way="ipex", dtype="bf16"),
    Way(name="ipex.optimize bf16, traced", way="ipex traced", dtype="bf16"),
    Way(name="ipex int8, calibrated on these inputs", way="ipex int8", dtype=INT8),
    Way(name="accel fp32", way="accel"),
    Way(name="accel bf16", way="accel", dtype="bf16"),
    Way(name="accel fp32, ipex", way="accel", variables=_IPEX),
    Way(name="accel bf16, ipex", way="accel", dtype="bf16", variables=_IPEX),
)

GPU_WAYS = (
    Way(name="accel fp32", way="accel"),
    Way(name="autocast bf16", way="eager", dtype="bf16"),
    Way(name="autocast fp16", way="eager", dtype="fp16"),
)

COMPILE_WAYS = (
    Way(name="torch.compile fp32", way="compile"),
    Way(name="torch.compile bf16", way="compile", dtype="bf16"),
)
