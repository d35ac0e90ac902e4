"""What went to a channel, as `build` and `publish` print it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.cli.sizes import counted, human_size

if TYPE_CHECKING:
    from typing import Any

    from envgen.cli.console import Console
    from envgen.ops import PublishResult


def show_published(console: Console, done: PublishResult, *, as_json: bool) -> None:
    """Print the packages of a channel: one line each, or all as JSON."""
    if as_json:
        console.json(_document(done))
        return
    for one in done.packages:
        console.data(f"{one.archive.sha256}  {one.path}")
    sent = [one for one in done.packages if not one.was_there]
    total = human_size(sum(one.archive.size for one in sent))
    there = len(done.packages) - len(sent)
    if any(one.attested for one in done.packages):
        console.say(f"{counted(len(done.packages), 'package')} attested; `envgen verify CHANNEL --key` verifies it")
    console.say(f"{counted(len(sent), 'package')} published to {done.channel}, {total}; {there} were there")


def _document(done: PublishResult) -> dict[str, Any]:
    packages = [
        {
            "file": one.path,
            "sha256": one.archive.sha256,
            "md5": one.archive.md5,
            "bytes": one.archive.size,
            "sent": not one.was_there,
            "attested": one.attested,
        }
        for one in done.packages
    ]
    return {"channel": done.channel, "packages": packages}
