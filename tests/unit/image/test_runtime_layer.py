from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from envgen.errors import UserError
from envgen.image.entries import Directory, Entry, File, Literal
from envgen.image.runtime_layer import ENTRY, runtime_entries
from envgen.image.ssh import ssh_config
from envgen.manifest.image_spec import BaseSpec, ImageSpec, ImageUser, Service
from envgen.structs import replace

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = ImageSpec(base=BaseSpec(packages=()))
VARIABLES = {"PATH": "/opt/env/bin:/usr/bin", "HOME": "/home/user", "ODD": 'a "b" $c `d` \\e }f'}


def texts(image: ImageSpec = IMAGE, **variables: str) -> dict[str, str]:
    entries = runtime_entries(image, environment={**VARIABLES, **variables}, entry_script="#!/bin/bash\n")
    return {entry.path: content(entry) for entry in entries if isinstance(entry, File)}


def content(entry: Entry) -> str:
    assert isinstance(entry, File)
    assert isinstance(entry.source, Literal)
    return entry.source.data.decode()


def test_the_user_has_an_account_and_no_password() -> None:
    found = texts(replace(IMAGE, user=ImageUser(name="ada", uid=4711)))
    assert "ada:*:4711:4711::/home/ada:/bin/bash\n" in found["etc/passwd"]
    assert "ada:*:4711:\n" in found["etc/group"]
    assert {line.split(":")[1] for line in found["etc/passwd"].splitlines()} == {"*"}
    assert "sshd:" in found["etc/passwd"]


def test_every_uid_can_write_into_the_home() -> None:
    entries = runtime_entries(IMAGE, environment=VARIABLES, entry_script="")
    assert Directory(path="home/user", mode=0o1777, uid=1000, gid=1000) in entries
    assert [entry.path for entry in entries] == sorted({entry.path for entry in entries})


def test_a_group_of_the_system_is_no_user() -> None:
    with pytest.raises(UserError, match="`staff`"):
        texts(replace(IMAGE, user=ImageUser(name="staff", uid=1000)))


def test_services_stand_beside_the_entry() -> None:
    services = (
        Service(name="jupyter", port=8888),
        Service(name="watch", command="while :;\tdo\n sleep 1; done"),
    )
    found = texts(replace(IMAGE, services=services))
    assert found["usr/local/lib/envgen/services"] == "jupyter\t8888\t-\nwatch\t-\twhile :; do sleep 1; done\n"
    assert found[ENTRY] == "#!/bin/bash\n"
    assert texts()["usr/local/lib/envgen/services"] == ""


def test_only_the_service_ssh_brings_its_configuration() -> None:
    path = "usr/local/lib/envgen/sshd_config"
    ssh = Service(name="ssh", port=2222)
    assert path not in texts(replace(IMAGE, services=(Service(name="jupyter", port=8888),)))
    assert texts(replace(IMAGE, services=(ssh,)))[path] == ssh_config(ssh)


def test_drivers_of_opencl_are_announced_where_its_loader_looks() -> None:
    opencl = {"intel-cpu.icd": "/build/machine/lib/libintelocl.so", "bare.icd": "libother.so.1\n"}
    entries = runtime_entries(IMAGE, environment=VARIABLES, entry_script="", opencl=opencl)
    found = {entry.path: content(entry) for entry in entries if entry.path.startswith("etc/OpenCL/")}
    assert found == {
        "etc/OpenCL/vendors/bare.icd": "libother.so.1\n",
        "etc/OpenCL/vendors/intel-cpu.icd": "/opt/env/lib/libintelocl.so\n",
    }


def test_login_shells_get_the_variables(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text(texts()["etc/profile.d/envgen.sh"])
    script = f'. {tmp_path}/profile; printf "%s\\n" "$PATH" "$ODD" "$HOME"'
    for given, shown in (({}, VARIABLES["ODD"]), ({"ODD": "mine"}, "mine")):
        environment = {"PATH": "/bin", "HOME": "/root", **given}
        done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == ["/opt/env/bin:/usr/bin", shown, "/root"]


def test_the_kernel_has_the_name_of_the_environment() -> None:
    entries = runtime_entries(IMAGE, environment=VARIABLES, entry_script="", kernel="train")
    found = {entry.path: content(entry) for entry in entries if "kernels" in entry.path}
    kernel = json.loads(found["usr/local/share/jupyter/kernels/python3/kernel.json"])
    assert (kernel["display_name"], kernel["argv"][0]) == ("train", "/opt/env/bin/python")
    assert "kernels" not in " ".join(texts())
