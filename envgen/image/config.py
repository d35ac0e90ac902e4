"""The configuration of an image: its variables, user, entrypoint and labels, as the OCI image specification has them.

What activating the environment would do is in the variables, because exec, Kubernetes' `command:`, Apptainer and
enroot come past every script: a program sees the same environment however it is started.
"""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.image.runtime_layer import ENTRY, KERNELS
from envgen.manifest.variables import env_at
from envgen.oci.layout import canonical, platform_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.manifest.image_spec import ImageSpec
    from envgen.platforms import Platform

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROJECT = "envgen.project."
"""What labels begin with that hold the digest of a project of the repository."""

_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class LayerNote(Struct, frozen=True, kw_only=True):
    """What a configuration says of a layer.

    Attributes:
        diff_id: digest of the uncompressed tar.
        note: what is in it, for `docker history`.
    """

    diff_id: Sha256
    note: str


def cuda_major(lock: Lock) -> int | None:
    """Find which CUDA the packages of a lock bring, by its major version; None where they bring none."""
    runtime = lock.cuda_runtime
    return int(runtime.version.partition(".")[0]) if runtime else None


def environment_of(
    spec: EnvSpec, image: ImageSpec, *, cuda: int | None, own: Mapping[str, str], kernel: bool = False
) -> dict[str, str]:
    """Return the variables of an image, sorted by name.

    Args:
        spec: of the environment.
        image: its section `image`; what it says wins, over `env` of the spec, too.
        cuda: major version of CUDA in it.
        own: variables that packages declare in `etc/conda/env_vars.d`.
        kernel: whether the image has a kernel of Jupyter that is named after the environment.
    """
    found = {
        **own,
        "PATH": f"{image.prefix}/bin:{_PATH}",
        "CONDA_PREFIX": image.prefix,
        "CONDA_DEFAULT_ENV": spec.name,
        "CONDA_SHLVL": "1",
        "HOME": image.user.home,
        "USER": image.user.name,  # getpass.getuser() of a uid that has no account
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": _CERTIFICATES,
        # `requests` has a bundle of its own, without what the spec adds
        **({"REQUESTS_CA_BUNDLE": _CERTIFICATES} if image.certificates else {}),
        **({"JUPYTER_PATH": f"/{KERNELS}"} if kernel else {}),
        **(_nvidia(cuda) if cuda else {}),
        **env_at(spec.env, image.prefix),
        **image.environment,
    }
    return dict(sorted(found.items()))


def _nvidia(cuda: int) -> dict[str, str]:
    """Return the variables that NVIDIA's container toolkit reads: https://docs.nvidia.com/datacenter/cloud-native/.

    Any driver of the major version will do (minor version compatibility); images that ask for the minor one refuse
    drivers that run them. No `CUDA_VERSION`: it would make the toolkit ask for that version.
    """
    return {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": f"cuda>={cuda}.0",
    }


def moment(when: dt.datetime) -> str:
    """Write a moment as RFC 3339 has it, in UTC and whole seconds."""
    return when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def labels_of(
    spec: EnvSpec,
    image: ImageSpec,
    *,
    cuda: int | None,
    created: dt.datetime | None = None,
    projects: Mapping[str, Sha256] = MappingProxyType({}),
) -> dict[str, str]:
    """List the labels of an image; the spec's own win. `projects` of the repository have digests of their files."""
    found = {"org.opencontainers.image.title": spec.name}
    found |= {f"{_PROJECT}{project}": f"sha256:{digest}" for project, digest in projects.items()}
    if created:
        found["org.opencontainers.image.created"] = moment(created)
    if cuda:
        found["com.nvidia.volumes.needed"] = "nvidia_driver"
    return dict(sorted({**found, **image.labels}.items()))


def annotations_of(labels: Mapping[str, str]) -> dict[str, str]:
    """List the annotations of a manifest: those labels that OCI has words for, and digests of projects."""
    return {key: value for key, value in labels.items() if key.startswith(("org.opencontainers.image.", _PROJECT))}


def image_config(
    image: ImageSpec,
    *,
    platform: Platform,
    environment: Mapping[str, str],
    labels: Mapping[str, str],
    layers: Sequence[LayerNote],
    created: dt.datetime | None,
) -> bytes:
    """Write the configuration: JSON whose bytes are a function of the arguments.

    Args:
        image: the section of the spec.
        platform: linux only.
        environment: variables.
        labels: of the image.
        layers: from the bottom up.
        created: when the image is said to be made; engines take a date of the year 1 without.
    """
    when = {"created": moment(created)} if created else {}
    config = {
        **when,
        **platform_of(platform),
        "config": _run_config(image, environment, labels),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
        "history": [{**when, "created_by": f"envgen: {layer.note}"} for layer in layers],
    }
    return canonical(config)


def _run_config(image: ImageSpec, environment: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Any]:
    ports = {*image.ports, *(str(service.port) for service in image.services if service.port)}
    return {
        "User": f"{image.user.uid}:{image.user.uid}",  # by number: Kubernetes' runAsNonRoot looks at nothing else
        "ExposedPorts": {port if "/" in port else f"{port}/tcp": {} for port in ports},
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "Entrypoint": ["/usr/bin/tini", "--", f"/{ENTRY}"],
        "WorkingDir": image.user.home,
        "Labels": dict(labels),
        "StopSignal": "SIGTERM",
    }
