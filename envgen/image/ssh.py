"""The configuration of the image's sshd: what it offers, and whether it forwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envgen.manifest.image_spec import Service

WEAK = {
    "KexAlgorithms": (  # NIST's curves, groups of 2048 bits, and groups that the server picks from a file of Debian
        "ecdh-sha2-*",
        "diffie-hellman-group1-*",
        "diffie-hellman-group14-*",
        "diffie-hellman-group-exchange-*",
    ),
    "Ciphers": ("3des-cbc", "aes*-cbc", "rijndael-cbc@lysator.liu.se"),
    "MACs": (  # SHA-1, tags of 64 bits, and MACs over the plain text instead of what is sent
        "hmac-md5*",
        "hmac-sha1*",
        "umac-64*",
        "umac-128@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
    ),
    "HostKeyAlgorithms": ("ssh-dss*", "ssh-rsa*", "ecdsa-*", "sk-ecdsa-*", "webauthn-*"),
}
"""Keyword of sshd_config(5) -> patterns that are taken from OpenSSH's own list: what `ssh-audit` 3 finds weak in that
of OpenSSH 9.2 (Debian 12). Taken away, not listed: a newer release keeps its newer algorithms, and an older one, which
lacks some of today's, still starts."""

_OPEN = """\
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
AllowAgentForwarding yes
"""

_CLOSED = "DisableForwarding yes\n"


def ssh_config(service: Service) -> str:
    """Write the part of sshd_config(5) that is read before the base's, so that it wins: the first value counts."""
    lists = "".join(f"{keyword} -{','.join(patterns)}\n" for keyword, patterns in WEAK.items())
    return f"{lists}{_OPEN if service.forwarding else _CLOSED}PermitTunnel no\nGatewayPorts no\n"
