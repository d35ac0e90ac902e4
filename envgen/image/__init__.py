"""A lock becomes an OCI image, without a container engine.

    base.py     Debian packages  ┐                    ┌ plan.py     which files share a layer (pure)
    content.py  the environment  ├─ parts of entries ─┤ layer.py    a layer's bytes and digests
    config.py   user, services   ┘                    └ layout.py   blobs, manifests and index on disk; push.py

A *part* is what changes as one (a conda package, the Debian base, the configuration); a *layer* holds one part,
several small ones, or a share of a large one. `entries.py` has the words that all of these speak.
"""
