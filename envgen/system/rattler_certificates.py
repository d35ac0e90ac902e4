"""CA certificates for rattler: its clients cannot be made without one, also where no server is asked."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files

_FILE, _FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"


def settle_certificates() -> bool:
    """Return whether rattler finds CA certificates on this machine.

    Where it finds none, it gets one that has expired and whose key was not kept: clients can be made, and trust no
    server. That is set in the variables of this process, since rattler takes it from nowhere else, before a client is
    made; what is started for the user gets the variables as they were.
    """
    variables = os.environ  # noqa: TID251  rattler reads this one
    if variables.get(_FILE) == _no_authority():
        return False
    if _has_certificates(variables.get(_FILE), variables.get(_FOLDER)):
        return True
    variables[_FILE] = _no_authority()
    variables.pop(_FOLDER, None)
    return False


@cache  # a check takes 6 ms
def _has_certificates(file: str | None, folder: str | None) -> bool:  # noqa: ARG001  rattler reads these variables
    from rattler.networking import Client  # noqa: PLC0415  for those who link or ask a channel

    try:
        Client()
    except ValueError:  # `builder error`
        return False
    return True


def _no_authority() -> str:
    return str(files("envgen") / "data" / "no-authority.pem")
