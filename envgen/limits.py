"""How much of what comes from outside is read: sizes, counts and lengths, all in one place.

Each is far above what public indexes hold, and far below what fills a machine. What is larger is refused, with its
size or the limit in the message.
"""

from __future__ import annotations

TEMPLATE_OUTPUT = 1 << 20
"""Characters that a template of a recipe renders to; the longest of the shipped recipes has 800."""

METADATA = 8 << 20
"""Bytes of a wheel's METADATA; real ones end below 1 MiB."""

WHEEL_DIRECTORY = 64 << 20
"""Bytes of a remote wheel that are fetched at once for its METADATA; the directory of 10,000 files has 1 MB."""

REQUIREMENTS = 10_000
"""`Requires-Dist` fields of one METADATA; the most seen are 500, all of them extras."""

REQUIREMENT = 16_384
"""Characters of one requirement, its marker included."""

VERSION = 255
"""Characters of one version or build string: it is part of a file's name, and Linux ends those at 255 bytes."""

DEBIAN_INDEX = 1 << 30
"""Bytes of an unpacked `Packages`; Debian 12 has 50 MB."""

ARTIFACT = 16 << 30
"""Bytes of one downloaded file, whose size an index may not know or get wrong; the largest wheel seen has 4 GB."""

DEB = 16 << 30
"""Bytes of one unpacked part of a `.deb`; the largest of Debian 12 has 4 GB."""

DEB_CONTROL = 64 << 20
"""Bytes of the unpacked control files of a `.deb`, which are in memory; the longest of Debian 12 have 3 MB."""

XZ_MEMORY = 256 << 20
"""Bytes that xz may use to unpack; `xz -9`, the most that Debian uses, needs 65 MB."""

DOCUMENT = 64 << 20
"""Characters of one YAML or JSON document; the page of the wheel index with the most files has 12 MB."""

BLOBS = 100_000
"""Files of an OCI layout; a bundle of two platforms with images has 600."""

MANIFEST = 4 << 20
"""Bytes of one OCI manifest or index: what registries take at most; a bundle of 500 files has 200 kB."""

NODES = 500_000
"""Values in one YAML document, aliases counted as often as they are used; a lock of 1000 packages has 40,000."""

DEPTH = 50
"""Values of a YAML document inside each other; a lock has 5 levels."""

TOML = 1 << 18
"""Characters of one TOML document; configurations of uv and pip have a few thousand."""

LINE = 4096
"""Characters of one line of TOML: a dotted key takes memory with the square of its parts."""

ELF_TABLE = 256 << 20
"""Bytes of one table of an ELF file; the largest seen are 60 MB, the strings of a library of torch."""

ELF_SYMBOLS = 2_000_000
"""Symbols of one ELF file; the most seen are 170,000."""

ELF_VERSIONS = 20_000
"""Symbol versions that one ELF file needs or defines; the most seen are 300."""

ADVISORY = 8 << 20
"""Bytes of one record of a vulnerability database; the largest, which list every release of a kernel, have 1 MB."""

ADVISORIES = 2_000_000
"""Records of one archive of a vulnerability database; all ecosystems together have 700,000."""

SUMMARY = 300
"""Characters of an advisory's summary that are kept."""

PACKAGE = 32 << 30
"""Bytes that a conda package unpacks to; the largest that was converted, a wheel of torch with CUDA, has 3 GB."""

PACKAGE_FILES = 1_000_000
"""Files of a conda package; the largest seen have 60,000."""

SOURCE = 16 << 30
"""Bytes that a source archive unpacks to; pyspark, among the largest, has 0.5 GB."""

SOURCE_FILES = 500_000
"""Files of a source archive; the largest seen have 30,000."""

BUILD_SECONDS = 3 * 3600
"""Seconds that one step of a build may take; the sources of large CUDA extensions compile for hours."""

BUILD_LOG = 512 << 20
"""Bytes that a build may write to its log; the largest seen, of a CUDA extension with `-v`, has 40 MB."""

BUILD_LOG_LINES = 40
"""Lines of the end of a failed build's log that are shown."""

BUILD_LOG_LINE = 1000
"""Characters of each that are shown."""

SIDECAR = 4 << 20
"""Bytes of the attestations of one package; one has 1 kB, with a certificate and a log entry 10 kB."""
