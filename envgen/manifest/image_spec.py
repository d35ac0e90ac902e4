"""The section `image:` of a spec: what is around the environment in an OCI image, and how it starts.

All of its keys may be left out; `image: {}` is an image with the defaults below.

    image:
      base:                               # Debian packages, unpacked without running their scripts
        suites: [bookworm, bookworm-updates, bookworm-security]  # the default follows from `glibc` of the platform
        sets: [workstation]               # what people work with: git, rsync, an editor, ...
        packages: [git, "libze1 [amd64]"] # beside the default ones; [...] names Debian architectures
        exclude: [g++]                    # left out, with what only they need
        drop: [usr/share/perl5/**]        # files left out, beside the default ones
      prefix: /opt/env                    # where the environment lies: below /opt, /srv or /home
      user: {name: user, uid: 1000}       # who runs; never root
      services:                           # what starts where `run` names no command
        jupyter: {port: 8888}             # with a token always, from JUPYTER_TOKEN or made at start
        ssh: {port: 2222, forwarding: true} # with keys only, from SSH_AUTHORIZED_KEYS or a mounted file
        board: {command: tensorboard --logdir runs --port 6006, port: 6006}
      ports: [9000, 5353/udp]             # exposed beside those of the services
      environment: {DATA: "${home}/data"} # variables; `${prefix}`, `${home}` and `${user}` are known
      labels: {org.opencontainers.image.vendor: Example}
      certificates: [ca.pem]              # of a company, beside those of Debian; paths in the project
      layers: {count: 60, size: 2 GB}     # at most so many, none larger before compression
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.glibc import NO_GLIBC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.glibc import Glibc
    from envgen.platforms import Platform

RELEASES = (("bookworm", (2, 36)), ("trixie", (2, 41)))
"""Debian 12, whose glibc every wheel index of today serves, and what has a newer one, with their versions of glibc."""

CORE = ("base-files", "bash", "ca-certificates", "coreutils", "libc-bin", "tini")
"""What the image itself is made with or started by; it cannot be excluded."""

PACKAGES = (
    *CORE,
    "dash",  # /bin/sh
    "debianutils",  # which
    "diffutils",
    "findutils",
    "g++",  # torch.compile and Triton compile at run time
    "grep",
    "gzip",
    "hostname",
    "libc6-dev",
    "libze1 [amd64]",  # Level Zero's loader, which oneAPI's SYCL runtime loads
    "mawk",
    "ncurses-base",  # descriptions of terminals
    "netbase",  # names of protocols and services
    "ocl-icd-libopencl1 [amd64]",  # OpenCL's loader
    "openssh-client",
    "openssh-server",
    "procps",
    "sed",
    "tar",
    "tzdata",
    "util-linux",
)
"""What is in every base unless it is excluded."""

SETS = {
    "workstation": (
        "bzip2",
        "curl",
        "file",
        "git",
        "less",
        "libstdc++6",  # servers of remote editors need it, also where g++ is excluded
        "nano",
        "ncurses-bin",  # tput, infocmp
        "openssh-client",  # scp and sftp; the daemon of the default packages serves both
        "openssh-server",
        "patch",
        "rsync",
        "tar",
        "unzip",
        "vim-tiny",
        "xz-utils",
    )
}
"""Named lists of packages, for `base.sets`."""

EXCLUDE = (
    "adduser",
    "debconf",
    "dpkg",
    "init-system-helpers",
    "libpam-modules",  # SSH lets nobody in by password, and there is no login
    "libpam-runtime",
    "lsb-base",
    "passwd",
    "perl",
    "perl-base",
    "runit-helper",
    "sysvinit-utils",
    "ucf",
)
"""What packages depend on for their maintainer scripts, or for ways of use that an image has not."""

DROP = (
    "usr/bin/*lto-dump*",  # 31 MB that show what is in an object file
    "usr/share/bug/**",
    "usr/share/doc-base/**",
    "usr/share/doc/*/**",  # not the copyright files
    "usr/share/info/**",
    "usr/share/lintian/**",
    "usr/share/locale/**",
    "usr/share/man/**",
)
"""Files of Debian's packages that are in no base."""

PREFIX = "/opt/env"
"""One for every environment: layers of a package are shared by all images with one prefix."""


class BasePackage(Struct, frozen=True, kw_only=True):
    """A Debian package by name, on all architectures or only on some (Debian's names of them)."""

    name: str
    only: tuple[str, ...] = ()


class BaseSpec(Struct, frozen=True, kw_only=True):
    """The Debian packages below the environment.

    Attributes:
        suites: of Debian; the newest version in any of them counts. empty: those of `suites_for`.
        packages: wanted, the default ones first, then those of sets; what is excluded counts as not wanted.
        exclude: names at which the closure stops.
        drop: patterns of files that are left out, relative to the root.
    """

    suites: tuple[str, ...] = ()
    packages: tuple[BasePackage, ...]
    exclude: tuple[str, ...] = EXCLUDE
    drop: tuple[str, ...] = DROP

    def suites_for(self, glibc: Glibc | None) -> tuple[str, ...]:
        """Return the suites: without own ones the oldest release with the glibc that the environment may rely on."""
        if self.suites:
            return self.suites
        release = next((name for name, has in RELEASES if has >= (glibc or NO_GLIBC)), RELEASES[-1][0])
        return (release, f"{release}-updates", f"{release}-security")

    def wanted(self, platform: Platform) -> tuple[str, ...]:
        """List the packages wanted on a platform, sorted."""
        names = {p.name for p in self.packages if not p.only or platform.debian_arch in p.only}
        return tuple(sorted(names - set(self.exclude)))


class Service(Struct, frozen=True, kw_only=True):
    """What runs by default.

    Attributes:
        name: `jupyter` and `ssh` are known, any other has a command.
        command: a line of shell; empty for those that are known.
        port: TCP, or None for a command that listens to nothing.
        forwarding: whether SSH forwards ports, sockets and the agent; for `ssh` alone.
    """

    name: str
    command: str = ""
    port: int | None = None
    forwarding: bool = False


class ImageUser(Struct, frozen=True, kw_only=True):
    """Who runs in the image: an account of its own, whose group has its name and number."""

    name: str = "user"
    uid: int = 1000

    @property
    def home(self) -> str:
        """Return the home directory, absolute."""
        return f"/home/{self.name}"


class ImageSpec(Struct, frozen=True, kw_only=True):
    """The section `image:`.

    Attributes:
        base: Debian packages.
        prefix: where the environment lies, absolute and normalised.
        user: who runs.
        services: what starts by default, in the order of the spec.
        ports: exposed beside those of services: `8888` or `5353/udp`.
        environment: variables, places put in.
        labels: of the image.
        certificates: files with certificates of authorities that are trusted beside Debian's, relative to the project.
        layers: at most so many.
        layer_size: bytes that no layer exceeds, before compression.
    """

    base: BaseSpec
    prefix: str = PREFIX
    user: ImageUser = field(default_factory=ImageUser)
    services: tuple[Service, ...] = ()
    ports: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    certificates: tuple[str, ...] = ()
    layers: int = 60
    layer_size: int = 2_000_000_000
