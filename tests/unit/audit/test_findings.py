"""From advisories to findings: one for each vulnerability, whatever its names."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from envgen.audit.advisory import parse_advisory
from envgen.audit.affects import Ecosystem
from envgen.audit.findings import Uncompared, Vulnerability, apply_ignores, findings
from envgen.audit.subjects import Audited, release_of, source_of
from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.manifest.audit_parse import Ignored
from envgen.packages import PackageKind
from tests.builders.osv import advisory

BROKEN = (("introduced", "0"), ("fixed", "2.0"))


def subject(project: str = "spam", version: str = "1.0", *, release: str | None = None) -> Audited:
    ecosystem = Ecosystem.DEBIAN if release else Ecosystem.PYPI
    return Audited(
        name=project,
        version=version,
        kind=PackageKind.DEBIAN if release else PackageKind.WHEEL,
        ecosystem=ecosystem,
        release=release,
        project=project,
        project_version=version,
        is_assumed=False,
        platforms=(),
    )


def found(one: Audited, *records: dict[str, Any]) -> list[Vulnerability | Uncompared]:
    advisories = tuple(parse_advisory(json.dumps(record).encode()) for record in records)
    return list(findings([one], {one.ecosystem: advisories}))


def vulnerabilities(one: Audited, *records: dict[str, Any]) -> list[Vulnerability]:
    return [one for one in found(one, *records) if isinstance(one, Vulnerability)]


def test_two_publishers_of_one_vulnerability_are_one_finding() -> None:
    pysec = advisory("PYSEC-1", "Spam", events=BROKEN, aliases=["CVE-1", "GHSA-1"])
    ghsa = advisory("GHSA-1", "spam", events=BROKEN, aliases=["CVE-1"], database_specific={"severity": "HIGH"})
    (one,) = vulnerabilities(subject(), pysec, ghsa)
    assert (one.id, one.aliases, one.severity, one.fixed) == ("CVE-1", ("GHSA-1", "PYSEC-1"), "HIGH", "2.0")


def test_a_record_can_join_two_others() -> None:
    records = [
        advisory("PYSEC-1", "spam", events=BROKEN),
        advisory("GHSA-1", "spam", events=BROKEN),
        advisory("OSV-1", "spam", events=BROKEN, aliases=["PYSEC-1", "GHSA-1"]),
    ]
    assert [one.id for one in vulnerabilities(subject(), *records)] == ["GHSA-1"]


def test_a_notice_about_several_vulnerabilities_joins_none() -> None:
    cves = [
        advisory(f"DEBIAN-CVE-{n}", "zlib", ecosystem="Debian:12", events=BROKEN, upstream=[f"CVE-{n}"]) for n in (1, 2)
    ]
    notice = advisory("DSA-1", "zlib", ecosystem="Debian:12", events=BROKEN, upstream=["CVE-1", "CVE-2"])
    names = [one.id for one in vulnerabilities(subject("zlib", release="12"), *cves, notice)]
    assert names == ["CVE-1", "CVE-2", "DSA-1"]


def test_another_release_of_debian_is_not_meant() -> None:
    record = advisory("DSA-1", "zlib", ecosystem="Debian:11", events=BROKEN)
    assert found(subject("zlib", release="12"), record) == []
    assert found(subject("zlib", release="11"), record) != []


def test_what_debian_calls_unimportant_does_not_count() -> None:
    record = advisory("CVE-1", "zlib", ecosystem="Debian:12", events=BROKEN, urgency="unimportant")
    (one,) = vulnerabilities(subject("zlib", release="12"), record)
    assert one.is_minor
    assert not one.counts


def test_what_cannot_be_compared_is_told() -> None:
    (one,) = found(subject(), advisory("CVE-1", "spam", events=(("introduced", "0"), ("fixed", "?"))))
    assert isinstance(one, Uncompared)


def test_an_ignore_holds_until_its_last_day_and_by_any_name() -> None:
    record = advisory("PYSEC-1", "spam", events=BROKEN, aliases=["CVE-1"])
    day = dt.date(2026, 12, 1)
    ignored = {"PYSEC-1": Ignored(reason="not reachable", until=day)}
    (same_day,) = apply_ignores(vulnerabilities(subject(), record), ignored, today=day)
    (day_after,) = apply_ignores(vulnerabilities(subject(), record), ignored, today=day + dt.timedelta(days=1))
    assert (same_day.ignored, same_day.counts) == ("not reachable", False)
    assert (day_after.ignored, day_after.counts) == (None, True)


def deb(version: str = "2.36-9+b2") -> Deb:
    return Deb(
        name="libc-bin",
        version=version,
        architecture="amd64",
        archive=DebianArea.DEBIAN,
        path=f"pool/main/g/glibc/libc-bin_{version}_amd64.deb",
        sha256=Sha256.of(b""),
        size=1,
    )


def test_the_source_of_a_deb() -> None:
    assert source_of(deb(), {"source": "glibc"}) == ("glibc", "2.36-9", False)
    assert source_of(deb(), {"source": "glibc (1.203)"}) == ("glibc", "1.203", False)
    assert source_of(deb(), {}) == ("libc-bin", "2.36-9", False)
    assert source_of(deb(), None) == ("glibc", "2.36-9", True)


def test_the_release_of_suites() -> None:
    assert release_of(["bookworm", "bookworm-security"]) == "12"
    assert release_of(["bookworm", "trixie"]) is None
    assert release_of(["sid"]) is None
