"""Signatures and attestations of images with one key, offline: what cosign, podman and sigstore's libraries read."""
