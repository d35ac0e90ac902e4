"""Specs that extend others: what is united, what wins, and what cannot be decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from envgen.errors import Fault, SpecError
from envgen.manifest.parse import parse_spec
from envgen.platforms import Platform

if TYPE_CHECKING:
    from envgen.manifest.env_spec import EnvSpec

BASE = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
channels: [conda-forge]
dependencies: [python]
pypi: [numpy >=1.26, tqdm]
"""


@dataclass(frozen=True)
class Folder:
    """Specs in memory: name -> text; None for one that cannot be read."""

    texts: dict[str, str | None] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        return tuple(self.texts)

    def read(self, name: str) -> str:
        text = self.texts[name]
        if text is None:
            raise SpecError((Fault(where=f"environments/{name}.yaml", what="not UTF-8 text"),))
        return text


def parse(text: str, **others: str | None) -> EnvSpec:
    folder = Folder({"train": text, **others})
    return parse_spec(f"name: train\n{text}", source="environments/train.yaml", folder=folder)


def faults(text: str, **others: str | None) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse(text, **others)
    return [
        f"{fault.where.removeprefix('environments/')} {fault.what}{f' ({fault.hint})' if fault.hint else ''}"
        for fault in caught.value.faults
    ]


def test_a_spec_has_what_its_base_has() -> None:
    spec = parse("extends: base\npypi: [torch]\nchannels: [bioconda]\n", base=BASE)
    assert str(spec.python) == "3.11"
    assert spec.targets[Platform.LINUX_64].glibc == (2, 36)
    assert spec.dependencies == ("python",)
    assert list(map(str, spec.pypi)) == ["numpy>=1.26", "tqdm", "torch"]
    assert spec.channels == ("bioconda", "conda-forge")
    assert spec.bases == ("environments/base.yaml",)


def test_single_values_of_the_spec_win_at_every_depth() -> None:
    base = BASE + 'env: {A: "1", B: "2"}\nimage: {prefix: /opt/base, user: {name: one, uid: 1001}}\n'
    own = 'extends: [base]\npython: "3.12"\nenv: {B: "3"}\nimage: {user: {name: two}}\n'
    own += 'platforms: {linux-64: {cuda: "12.8"}}\n'
    spec = parse(own, base=base)
    assert str(spec.python) == "3.12"
    assert spec.env == {"A": "1", "B": "3"}
    assert spec.image is not None
    assert (spec.image.prefix, spec.image.user.name, spec.image.user.uid) == ("/opt/base", "two", 1001)
    assert (spec.targets[Platform.LINUX_64].glibc, spec.targets[Platform.LINUX_64].cuda) == ((2, 36), "12.8")


def test_name_description_and_default_are_not_inherited() -> None:
    spec = parse("extends: base\n", base=BASE + "name: base\ndescription: a base\ndefault: true\n")
    assert (spec.name, spec.description, spec.default) == ("train", "", False)


def test_a_chain_and_a_diamond_count_each_line_once() -> None:
    left, right = "extends: base\npypi: [left]\n", "extends: base\npypi: [right, numpy >=1.26]\n"
    spec = parse("extends: [left, right]\npypi: [tqdm]\n", base=BASE, left=left, right=right)
    assert list(map(str, spec.pypi)) == ["numpy>=1.26", "tqdm", "left", "right"]
    assert spec.bases == tuple(f"environments/{name}.yaml" for name in ("base", "left", "right"))


def test_requirements_of_both_hold() -> None:
    spec = parse("extends: base\npypi: ['numpy[extra] <3']\ndependencies: [python >=3.11.4]\n", base=BASE)
    assert list(map(str, spec.pypi)) == ["numpy>=1.26", "tqdm", "numpy[extra]<3"]
    assert spec.dependencies == ("python", "python >=3.11.4")


def test_empty_sections_and_empty_bases_change_nothing() -> None:
    spec = parse("extends: [base, nothing]\npypi:\nimage:\n", base=BASE + "indexes:\n", nothing="{}\n")
    assert list(map(str, spec.pypi)) == ["numpy>=1.26", "tqdm"]
    assert parse("extends:\n" + BASE).bases == ()


@pytest.mark.parametrize(
    ("own", "base", "told"),
    [
        (
            "pypi: [tqdm, numpy ==1.25]\n",
            BASE,
            [
                (
                    "train.yaml:3 `numpy==1.25` contradicts `numpy>=1.26` in line 5 of `environments/base.yaml` "
                    "(remove one of them, or the base that has it)"
                )
            ],
        ),
        (
            "pypi: [tqdm @ https://files.example/tqdm-1-py3-none-any.whl]\n",
            BASE,
            [
                (
                    "train.yaml:3 `tqdm @ https://files.example/tqdm-1-py3-none-any.whl` contradicts `tqdm` in line 5 "
                    "of `environments/base.yaml` (remove one of them, or the base that has it)"
                )
            ],
        ),
        (
            "pypi: {torch: 2}\n",
            BASE,
            [
                (
                    "train.yaml:3 `pypi`: line 5 of `environments/base.yaml` has a list, which a mapping cannot extend "
                    "(write the same kind of value in both)"
                ),
                "train.yaml:3 `pypi`: expected a list, got a mapping",
            ],
        ),
        (
            "overrides: [numpy >=2]\n",
            BASE + "overrides: [numpy <2]\n",
            [
                (
                    "train.yaml:3 `numpy` is already required for linux-64, in line 6 of `environments/base.yaml` "
                    "(combine both, for example `>=1,<2`)"
                )
            ],
        ),
        (
            "trust-record: {Foo_bar: x}\n",
            BASE + "trust-record: {foo-bar: x}\n",
            [
                (
                    "base.yaml:6 `trust-record.foo-bar`: `foo-bar` is already defined, "
                    "in line 3 of `environments/train.yaml`"
                )
            ],
        ),
        (
            "",
            BASE + "pypy: [x]\nenv: {PATH: x}\n",
            [
                "base.yaml:6 unknown key `pypy` (did you mean `pypi`?)",
                "base.yaml:7 `env.PATH`: this variable is set by shells, by activation or by the image",
            ],
        ),
        ("", "python: '3.11'\n", ['train.yaml:1 `platforms:` is missing (`platforms: {linux-64: {glibc: "2.36"}}`)']),
        ("", "\t\n", ["base.yaml:1 the line is indented with a tab (indent with spaces)"]),
        ("", "- a\n", ["base.yaml:1 expected a mapping of sections, such as `name: ...`"]),
        ("", None, ["base.yaml not UTF-8 text"]),
    ],
)
def test_what_cannot_be_decided(own: str, base: str | None, told: list[str]) -> None:
    found = faults(f"extends: base\n{own}", base=base)
    assert [one for one in found if "is missing" not in one or one in told] == told


def test_two_bases_that_differ() -> None:
    other = 'python: "3.12"\nplatforms: {linux-64: {glibc: "2.28"}}\n'
    assert faults("extends: [base, other]\n", base=BASE, other=other) == [
        (
            "base.yaml:1 `python`: line 1 of `environments/other.yaml` has another value, and both are extended by one "
            "spec (write `python` in the spec that extends both)"
        ),
        (
            "base.yaml:2 `platforms.linux-64.glibc`: line 2 of `environments/other.yaml` has another value, and both "
            "are extended by one spec (write `platforms.linux-64.glibc` in the spec that extends both)"
        ),
    ]
    own = 'extends: [base, other]\npython: "3.11"\nplatforms: {linux-64: {glibc: "2.31"}}\n'
    assert parse(own, base=BASE, other=other).targets[Platform.LINUX_64].glibc == (2, 31)


def test_specs_that_extend_each_other() -> None:
    assert faults("extends: base\n" + BASE, base="extends: more\n", more="extends: base\n") == [
        "more.yaml:1 `extends` leads back to the spec: `base` -> `more` -> `base` (remove one of them)"
    ]
    assert faults("extends: train\n" + BASE) == [
        "train.yaml:2 `extends` leads back to the spec: `train` -> `train` (remove one of them)"
    ]


def test_a_base_that_is_not_there() -> None:
    told = "train.yaml:2 `extends`: there is no file `bsae.yaml` beside the spec"
    assert faults("extends: bsae\n" + BASE, base=BASE) == [f"{told} (did you mean `base`?)"]
    assert faults("extends: bsae\n" + BASE, serve=BASE) == [f"{told} (there is `serve`)"]
    assert faults("extends: bsae\n" + BASE) == [f"{told} (there is no other spec)"]


@pytest.mark.parametrize("wrong", ["../base", "{a: b}", "[[base]]", "/etc/passwd", "base.yaml/x"])
def test_words_that_are_no_name(wrong: str) -> None:
    assert [one for one in faults(f"extends: {wrong}\n{BASE}", base=BASE) if one.startswith("train.yaml:2 `extends`: ")]


def test_a_long_chain() -> None:
    others = {f"b{n}": f"extends: b{n + 1}\n" for n in range(40)}
    (told,) = faults("extends: b0\n" + BASE, **others)
    assert "more than 16 specs extend each other: train -> b0 -> b1" in told
