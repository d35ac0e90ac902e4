from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from envgen.errors import UserError
from envgen.system.connection import bypasses, proxy_for, tls_context

if TYPE_CHECKING:
    from pathlib import Path

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        ({"HTTPS_PROXY": "proxy:3128"}, PROXY),
        ({"HTTP_PROXY": PROXY}, None),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "host"}, None),
    ],
)
def test_proxies(environment: dict[str, str], expected: str | None) -> None:
    assert proxy_for("https://host/a", environment) == expected


def test_a_kind_of_proxy_that_is_not_supported() -> None:
    with pytest.raises(UserError, match="socks5h"):
        proxy_for("https://host/a", {"ALL_PROXY": "socks5h://127.0.0.1"})


@pytest.mark.parametrize(
    ("no_proxy", "expected"),
    [
        ("", False),
        ("*", True),
        ("pkg.corp.example", True),
        ("corp.example", True),
        (".corp.example", True),
        ("*.corp.example", True),
        ("a, CORP.example ,b", True),
        ("corp.example:8080", True),
        ("corp.example:8081", False),
        ("orp.example", False),
        ("example.org", False),
        (",", False),
    ],
)
def test_exceptions(no_proxy: str, *, expected: bool) -> None:
    assert bypasses("Pkg.corp.example", 8080, no_proxy) is expected


def test_certificates_of_a_file_or_a_folder(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert len(tls_context({"SSL_CERT_FILE": str(tmp_path / "ca.pem")}).get_ca_certs()) == 1
    assert tls_context({"REQUESTS_CA_BUNDLE": str(tmp_path)}).get_ca_certs() == []
    assert tls_context({}).verify_mode is ssl.CERT_REQUIRED


def test_certificates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(UserError, match=r"ca.pem"):
        tls_context({"PIP_CERT": str(tmp_path / "ca.pem")})
