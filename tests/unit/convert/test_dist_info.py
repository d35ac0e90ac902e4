"""The dist-info that pip leaves behind in the package of a recipe."""

from __future__ import annotations

import base64
import csv
import hashlib
from typing import TYPE_CHECKING

from envgen.convert.dist_info import settle_dist_info

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.11/site-packages"


def test_what_pip_says_of_the_build_is_removed_and_record_lists_what_is_there(tmp_path: Path) -> None:
    info = tmp_path / SITE / "spam-1.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/spam").write_text("#!/prefix/bin/python\n")
    (tmp_path / SITE / "spam.py").write_text("x = 1\n")
    (info / "INSTALLER").write_text("conda\n")
    (info / "direct_url.json").write_text('{"url": "file:///build/1234"}')
    (info / "REQUESTED").write_text("")
    rows = ["spam.py,,", "__pycache__/spam.cpython-311.pyc,,", "../../../bin/spam,,", "../../../../outside,,"]
    rows += [f"spam-1.dist-info/{name},sha256=wrong,9" for name in ("INSTALLER", "direct_url.json", "REQUESTED")]
    (info / "RECORD").write_text("\n".join([*rows, "spam-1.dist-info/RECORD,,"]))
    (tmp_path.parent / "outside").write_text("")
    settle_dist_info(tmp_path, rewritten={"bin/spam"})
    assert sorted(path.name for path in info.iterdir()) == ["INSTALLER", "RECORD"]
    with (info / "RECORD").open(newline="") as stream:
        found = {row[0]: row[1:] for row in csv.reader(stream)}
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).decode().rstrip("=")
    assert found["spam.py"] == [f"sha256={digest}", "6"]
    assert found["../../../bin/spam"] == ["", ""]
    assert found.keys() == {"spam.py", "../../../bin/spam", "spam-1.dist-info/INSTALLER", "spam-1.dist-info/RECORD"}
