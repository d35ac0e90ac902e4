"""Reports to render."""

from __future__ import annotations

from typing import Any

from envgen.report.model import (
    Report,
    ReportedAdvisory,
    ReportedAudit,
    ReportedBudget,
    ReportedChange,
    ReportedComponent,
    ReportedDifference,
    ReportedFinding,
    ReportedFolder,
    ReportedImage,
    ReportedLayer,
    ReportedLink,
    ReportedPackage,
    ReportedSource,
)

HOSTILE = """</script><script>throw Error("ran")</script>'"><img src=x onerror=throw&amp;\u202e\x1b[31m"""
"""A name that would run, close a tag or an attribute, or turn text around."""


def package(name: str = "torch", **facts: Any) -> ReportedPackage:
    """Make a package of 100 bytes."""
    usual: dict[str, Any] = {"version": "1.0", "kind": "wheel", "group": "torch", "installed": 100}
    return ReportedPackage(name=name, **usual | facts)


def report(**facts: Any) -> Report:
    """Make a report with little in it."""
    little: dict[str, Any] = {
        "environment": "demo",
        "platform": "linux-64",
        "others": (),
        "made": "2026-01-02",
        "packages": (package(),),
        "stack": (),
        "links": (),
        "image": None,
        "findings": (),
        "unread": (),
        "has_policy": False,
        "audit": ReportedAudit(advisories=(), has_database=False, sources=(), uncovered=(), remarks=()),
    }
    return Report(**little | facts)


def hostile() -> Report:
    """Make a report with everything in it, of which every text is hostile."""
    bad = HOSTILE
    folder = ReportedFolder(name=bad, size=90, folders=(ReportedFolder(name="lib", size=50),))
    layer = ReportedLayer(group="torch", size=100, packages=(bad, "more"), touched=(bad,))
    change = ReportedChange(name=bad, kind="wheel", before=bad, after=bad, growth=10)
    finding = ReportedFinding(
        rule="LIB001", severity="error", what=bad, files=(bad,), file_count=25, remedy=bad, accepted=None
    )
    advisory = ReportedAdvisory(id=bad, package=bad, version=bad, what=bad, severity=bad, fixed=bad, ignored=bad)
    source = ReportedSource(name=bad, date=bad)
    return report(
        environment=bad,
        others=(bad,),
        packages=(
            package(bad, version=bad, license=bad, rejected=True, folders=(folder,)),
            package("x", installed=None),
        ),
        stack=(ReportedComponent(what="PyTorch", name=bad, version=bad, reasons=((bad, bad),)),),
        links=(ReportedLink(source=None, target=bad, words=bad),),
        image=ReportedImage(planned=False, layers=(layer,), why=bad),
        findings=(finding,),
        unread=(bad,),
        audit=ReportedAudit(
            advisories=(advisory,), has_database=True, sources=(source,), uncovered=(bad,), remarks=(bad,)
        ),
        difference=ReportedDifference(against=bad, changes=(change,), download_before=None, download_after=10),
        budget=ReportedBudget(limit=1, total=2, causes={bad: 2}),
    )
