from __future__ import annotations

from envgen.debs import Deb, DebianArea
from envgen.diff.comparison import Difference
from envgen.diff.delta import diff_states, state_of
from envgen.lock.debian_lock import IMAGE, BaseRequest, DebianLock
from envgen.platforms import Platform
from envgen.structs import replace
from tests.unit.lock import samples


def debian(*, with_image: bool) -> DebianLock:
    debs = {
        name: Deb(
            name=name,
            version="1-1",
            architecture="amd64",
            archive=DebianArea.DEBIAN,
            path=f"pool/main/{name}.deb",
            sha256=samples.digest(name),
            size=1,
        )
        for name in ("bash", "libffi8")
    }
    return DebianLock.of_uses(
        environment="sample",
        platform=Platform.LINUX_64,
        suites=["bookworm"],
        uses={"python": [debs["libffi8"]], IMAGE: [debs["bash"], debs["libffi8"]]},
        base=BaseRequest(suites=("bookworm",), packages=("bash",), exclude=()) if with_image else None,
    )


def difference(*, with_image: bool) -> Difference:
    new = state_of(samples.lock(), debian(with_image=with_image))
    return Difference(environment="sample", platform=Platform.LINUX_64, delta=diff_states(None, new))


def test_layers_of_the_image_that_change() -> None:
    assert difference(with_image=True).layers == {
        "base": ("bash", "libffi8"),
        "python": ("libffi8", "python"),
        "torch": ("torch",),
        "rest": ("graphviz", "idna", "jsonschema", "numpy", "python_abi", "sympy"),
    }


def test_downloads_of_the_layers_count_what_is_new_or_changed() -> None:
    new = difference(with_image=True)
    sizes = {entry.name: entry.size for entry in new.delta.added}
    assert new.layer_downloads["torch"] == sizes["torch"]
    assert list(new.layer_downloads) == list(new.layers)
    both = state_of(samples.lock(), debian(with_image=True))
    fewer = replace(both, entries=tuple(entry for entry in both.entries if entry.name != "torch"))
    gone = replace(new, delta=diff_states(both, fewer))
    assert gone.layers == {"torch": ("torch",)}
    assert gone.layer_downloads == {"torch": 0}


def test_without_an_image_no_layer_changes() -> None:
    assert difference(with_image=False).layers == {}
    assert difference(with_image=False).layer_downloads == {}
