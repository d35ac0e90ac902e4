from __future__ import annotations

from accel_runtime.report import Report


def test_what_is_told() -> None:
    report = Report(title="bf16 by onednn")
    first = report.entry("ResNet", 25_557_032)
    for _ in range(3):
        first.served()
    first.made(1.5)
    first.left("shapes that came for the first time")
    report.entry("CrossEntropyLoss", 0).left("it has fewer than 100000 weights")
    report.entry("Net", 200_000).left("training mode (call model.eval())")
    assert list(report.lines()) == [
        "accel: bf16 by onednn",
        "  ResNet (25.6 M weights): 3 of 4 calls optimised; 1 program made in 1.5 s",
        "    1 left alone: shapes that came for the first time",
        "  Net (0.2 M weights): left alone in all of 1 calls",
        "    1 left alone: training mode (call model.eval())",
    ]


def test_nothing_to_tell() -> None:
    assert list(Report(title="fp32 by onednn").lines()) == ["accel: fp32 by onednn", "  no model was called"]


def test_many_models_are_counted() -> None:
    report = Report(title="t")
    for number in range(25):
        report.entry(f"Net{number}", 200_000).served()
    assert list(report.lines())[-1] == "  and 5 more models"
