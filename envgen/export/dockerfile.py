"""A `Dockerfile` for sites that must build with a container engine: the lock's environment by envgen itself.

It is built in the project's folder, so that the engine sees spec, locks and recipes, and serves every locked platform.
`envgen image` makes the same environment into an image without an engine, and reproducibly; this is the second best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.export.export_input import Exported
from envgen.indexes import variable_of
from envgen.templates import fill

if TYPE_CHECKING:
    from envgen.export.export_input import ExportInput

_PREFIX = "/opt/env"

_TEMPLATE = """\
# syntax=docker/dockerfile:1
# {{ environment }} for {{ platforms | join(", ") }}. Made by `envgen export`; build it in the project's folder:
#     docker build -f Dockerfile -t {{ environment }} --build-arg ENVGEN=<envgen {{ version }}> .
# ENVGEN is what pip installs: the address of a wheel with its digest, or git+<repository>@<commit>.
# A mirror is a build argument: --build-arg ENVGEN_PYPI=https://mirror.example/simple

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ARG ENVGEN
ARG ENVGEN_PYPI=""
ARG ENVGEN_DEBIAN=""
ARG ENVGEN_DEBIAN_SECURITY=""
ARG ENVGEN_CHANNEL=""
{%- for variable in variables %}
ARG {{ variable }}=""
{%- endfor %}
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \\
 && rm -rf /var/lib/apt/lists/*
RUN : "${ENVGEN:?say where envgen comes from: --build-arg ENVGEN=...}" \\
 && python3 -m venv /opt/envgen \\
 && /opt/envgen/bin/pip install --no-cache-dir ${ENVGEN_PYPI:+--index-url "$ENVGEN_PYPI"} "$ENVGEN"
WORKDIR /project
COPY . .
RUN --mount=type=cache,target=/cache,sharing=locked \\
    ENVGEN_CACHE=/cache /opt/envgen/bin/envgen create {{ environment }} --prefix {{ prefix }}

FROM ${BASE}
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends ca-certificates \\
 && rm -rf /var/lib/apt/lists/*
COPY --from=build {{ prefix }} {{ prefix }}
ENV PATH={{ prefix }}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
    CONDA_PREFIX={{ prefix }} \\
    CONDA_DEFAULT_ENV={{ environment }}
{%- if cuda %}
ENV NVIDIA_VISIBLE_DEVICES=all \\
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
{%- endif %}
RUN useradd --create-home --uid 1000 user
USER user
WORKDIR /home/user
CMD ["python"]
"""


def render(inputs: ExportInput) -> Exported:
    """Write the recipe for an engine; it serves all platforms."""
    text = fill(
        _TEMPLATE,
        environment=inputs.locks[0].environment,
        platforms=[str(lock.platform) for lock in inputs.locks],
        version=inputs.tool[1],
        prefix=_PREFIX,
        variables=_variables(inputs),
        cuda=any(lock.target.cuda for lock in inputs.locks),
    )
    return Exported(text=text)


def _variables(inputs: ExportInput) -> list[str]:
    """List the variables that the addresses of indexes are taken from."""
    indexes = [index for lock in inputs.locks for index in inputs.indexes_of(lock)]
    found = [name for index in indexes for name in (variable_of(index.name), *index.variables)]
    return list(dict.fromkeys(found))
