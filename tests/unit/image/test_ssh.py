"""What the image's sshd offers: by the text, and by what the machine's own sshd reads from it where there is one."""

from __future__ import annotations

import shutil
import subprocess
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from envgen.image.base_files import TEXTS
from envgen.image.ssh import WEAK, ssh_config
from envgen.manifest.image_spec import Service
from envgen.project.shipped import image_entry

if TYPE_CHECKING:
    from pathlib import Path

SSH = Service(name="ssh", port=2222)
OFFERED = {  # by OpenSSH 9.2 (Debian 12) without a configuration, and what its newer and older releases add
    "KexAlgorithms": "sntrup761x25519-sha512@openssh.com curve25519-sha256 curve25519-sha256@libssh.org "
    "ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 diffie-hellman-group-exchange-sha256 "
    "diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 diffie-hellman-group14-sha256 "
    "mlkem768x25519-sha256 diffie-hellman-group14-sha1",
    "Ciphers": "chacha20-poly1305@openssh.com aes128-ctr aes192-ctr aes256-ctr aes128-gcm@openssh.com "
    "aes256-gcm@openssh.com aes128-cbc aes256-cbc 3des-cbc",
    "MACs": "umac-64-etm@openssh.com umac-128-etm@openssh.com hmac-sha2-256-etm@openssh.com "
    "hmac-sha2-512-etm@openssh.com hmac-sha1-etm@openssh.com umac-64@openssh.com umac-128@openssh.com hmac-sha2-256 "
    "hmac-sha2-512 hmac-sha1 hmac-sha1-96",
    "HostKeyAlgorithms": "ssh-ed25519 ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519@openssh.com rsa-sha2-512 "
    "rsa-sha2-256 rsa-sha2-512-cert-v01@openssh.com ecdsa-sha2-nistp256 ecdsa-sha2-nistp521-cert-v01@openssh.com "
    "sk-ecdsa-sha2-nistp256@openssh.com ssh-rsa ssh-rsa-cert-v01@openssh.com",
}
LEFT = {
    "KexAlgorithms": "sntrup761x25519-sha512@openssh.com curve25519-sha256 curve25519-sha256@libssh.org "
    "diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 mlkem768x25519-sha256",
    "Ciphers": "chacha20-poly1305@openssh.com aes128-ctr aes192-ctr aes256-ctr aes128-gcm@openssh.com "
    "aes256-gcm@openssh.com",
    "MACs": "umac-128-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com",
    "HostKeyAlgorithms": "ssh-ed25519 ssh-ed25519-cert-v01@openssh.com sk-ssh-ed25519@openssh.com rsa-sha2-512 "
    "rsa-sha2-256 rsa-sha2-512-cert-v01@openssh.com",
}


@pytest.mark.parametrize("keyword", WEAK)
def test_weak_algorithms_are_taken_away(keyword: str) -> None:
    (line,) = (line for line in ssh_config(SSH).splitlines() if line.startswith(f"{keyword} "))
    patterns = line.removeprefix(f"{keyword} -").split(",")
    left = [name for name in OFFERED[keyword].split() if not any(fnmatchcase(name, p) for p in patterns)]
    assert left == LEFT[keyword].split()


def test_forwarding_is_off_unless_the_spec_asks() -> None:
    off = ssh_config(SSH).splitlines()
    on = ssh_config(Service(name="ssh", port=2222, forwarding=True)).splitlines()
    assert set(off) - set(on) == {"DisableForwarding yes"}
    assert set(on) - set(off) == {
        "AllowTcpForwarding yes",
        "AllowStreamLocalForwarding yes",
        "AllowAgentForwarding yes",
    }
    assert {"PermitTunnel no", "GatewayPorts no"} <= {*off} & {*on}


def test_the_entry_reads_it_before_the_base() -> None:
    assert r"Include %s/sshd_config\nInclude /etc/ssh/sshd_config" in image_entry()  # the first value counts


def effective(folder: Path, service: Service) -> dict[str, str]:
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if sshd is None:
        pytest.skip("needs sshd")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    file = folder / "config"
    file.write_text(f"HostKey {key}\n{ssh_config(service)}{TEXTS['etc/ssh/sshd_config']}")
    done = subprocess.run([sshd, "-T", "-f", file], capture_output=True, text=True, check=False)
    if "privilege separation" in done.stderr.lower():
        pytest.skip("sshd is installed, and not set up")
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_sshd_reads_the_same(tmp_path: Path) -> None:
    found = effective(tmp_path, SSH)
    assert (found["disableforwarding"], found["permittunnel"], found["x11forwarding"]) == ("yes", "no", "no")
    for keyword, patterns in WEAK.items():
        names = found[keyword.lower()].split(",")
        assert names
        assert not [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
