"""What stands beside an image: the artifact, the layout with it, and the index under a tag."""

from __future__ import annotations

import json
import shutil
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from envgen.digest import Sha256
from envgen.oci.archive import write_archive
from envgen.oci.layout import blob_path, write_attachments, write_layout
from envgen.oci.referrer import CYCLONEDX, added, lists, sbom, tag_of, without_types
from envgen.oci.verify import Limits, check_layout
from envgen.platforms import Platform
from envgen.structs import replace
from envgen.system.process import run
from tests.builders.images import make_image, make_layout
from tests.builders.registry import SKOPEO

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.oci.layout import Image, Layout
    from envgen.system.store import Store

LIMITS = Limits(layers=60, size=10**9)
TEXT = '{"bomFormat": "CycloneDX"}\n'
OTHER: dict[str, Any] = {"digest": "sha256:" + "1" * 64, "mediaType": "m", "size": 1}


def with_sbom(store: Store, directory: Path, *images: Image) -> Layout:
    attachments = [sbom(image, TEXT, name=f"demo.{image.platform}.sbom") for image in images]
    return write_layout(images, directory, name="demo", blob=store.need_blob, attachments=attachments)


def blob(layout: Layout, descriptor: dict[str, Any]) -> bytes:
    return blob_path(layout.directory, Sha256(descriptor["digest"][7:])).read_bytes()


def test_the_artifact(store: Store, tmp_path: Path) -> None:
    image = make_image(store)
    layout = with_sbom(store, tmp_path / "out", image)
    write_attachments(layout.attachments, tmp_path / "beside")
    (top,) = json.loads((layout.directory / "index.json").read_bytes())["manifests"]
    assert top["digest"] == f"sha256:{layout.digest}"
    (entry,) = json.loads((tmp_path / "beside/index.json").read_bytes())["manifests"]
    assert entry["artifactType"] == CYCLONEDX
    layout = replace(layout, directory=tmp_path / "beside")
    manifest = json.loads(blob(layout, entry))
    assert manifest["subject"] == {"mediaType": top["mediaType"], "digest": top["digest"], "size": top["size"]}
    assert manifest["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
    }
    assert blob(layout, manifest["layers"][0]).decode() == TEXT
    assert manifest["layers"][0]["mediaType"] == CYCLONEDX


def test_the_image_stays_as_it_is(store: Store, tmp_path: Path) -> None:
    image = make_image(store)
    plain = make_layout(store, tmp_path / "plain", image)
    assert with_sbom(store, tmp_path / "out", image).digest == plain.digest


def test_one_thing_is_at_the_top_of_a_layout(store: Store, tmp_path: Path) -> None:
    images = [make_image(store, platform=platform) for platform in (Platform.LINUX_64, Platform.LINUX_AARCH64)]
    layout = with_sbom(store, tmp_path / "out", *images)
    assert [attachment.subject for attachment in layout.attachments] == list(layout.manifests.values())
    assert check_layout(layout.directory, limits=LIMITS) == ()
    index = json.loads((layout.directory / "index.json").read_bytes())
    index["manifests"].append(index["manifests"][0])
    (layout.directory / "index.json").write_text(json.dumps(index))
    faults = check_layout(layout.directory, limits=LIMITS)
    assert faults == ("index.json: 2 manifests, expected one image or index",)


@pytest.mark.skipif(not SKOPEO, reason="skopeo is not installed")
def test_other_tools_take_the_layout_without_a_further_word(store: Store, tmp_path: Path) -> None:
    layout = with_sbom(store, tmp_path / "out", make_image(store))
    told = json.loads(run(["skopeo", "inspect", f"oci:{layout.directory}"]).stdout)
    assert told["Digest"] == f"sha256:{layout.digest}"
    run(["skopeo", "--insecure-policy", "copy", f"oci:{layout.directory}", f"oci:{tmp_path / 'copy'}:demo"])
    index = json.loads((tmp_path / "copy/index.json").read_bytes())
    assert [entry["digest"] for entry in index["manifests"]] == [f"sha256:{layout.digest}"]


@pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not installed")
def test_umoci_takes_the_layout_without_a_further_word(store: Store, tmp_path: Path) -> None:
    layout = with_sbom(store, tmp_path / "out", make_image(store))
    told = json.loads(run(["umoci", "stat", "--json", "--image", str(layout.directory)]).stdout)
    assert "history" in told


def test_an_archive_holds_the_image_alone(store: Store, tmp_path: Path) -> None:
    image = make_image(store)
    write_archive(with_sbom(store, tmp_path / "out", image), tmp_path / "with.tar")
    write_archive(make_layout(store, tmp_path / "plain", image), tmp_path / "plain.tar")
    assert (tmp_path / "with.tar").read_bytes() == (tmp_path / "plain.tar").read_bytes()
    with tarfile.open(tmp_path / "with.tar") as archive:
        assert "index.json" in archive.getnames()


def test_the_index_under_a_tag_keeps_what_is_there(store: Store) -> None:
    attachment = sbom(make_image(store), TEXT, name="x")
    assert tag_of(attachment.subject) == f"sha256-{attachment.subject}"
    assert not lists(None, attachment)
    first = json.loads(added(None, attachment))
    assert first["manifests"] == [attachment.entry]
    assert lists(first, attachment)
    second = json.loads(added({"manifests": [OTHER, attachment.entry], "annotations": {"a": "b"}}, attachment))
    assert second["manifests"] == [OTHER, attachment.entry]
    assert second["annotations"] == {"a": "b"}


def test_types_are_left_out_where_they_are_ours_alone(store: Store) -> None:
    attachment = sbom(make_image(store), TEXT, name="x")
    plain = without_types(added({"manifests": [OTHER]}, attachment), attachment)
    assert plain
    assert [entry.get("artifactType") for entry in json.loads(plain)["manifests"]] == [None, None]
    assert lists(json.loads(plain), attachment)
    assert without_types(added({"manifests": [{**OTHER, "artifactType": "theirs"}]}, attachment), attachment) is None
