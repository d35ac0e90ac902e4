from __future__ import annotations

from envgen.image.base_files import alternatives, merged_links


def test_only_top_folders_that_are_there() -> None:
    paths = ["usr/bin/a", "usr/lib64/ld.so", "usr/sbin/b", "usr/share/c", "usr/lib"]
    assert [link.path for link in merged_links(paths)] == ["bin", "lib64", "sbin"]


def test_the_best_alternative_that_is_there() -> None:
    def found(*paths: str) -> dict[str, str]:
        return {link.path: link.target for link in alternatives(paths)}

    assert found() == {}
    assert found("usr/bin/more") == {"usr/bin/pager": "more"}
    assert found("usr/bin/more", "usr/bin/less") == {"usr/bin/pager": "less"}
    assert found("usr/bin/cpp") == {"usr/lib/cpp": "../bin/cpp"}
