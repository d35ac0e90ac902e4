#!/bin/sh
# Headers, start files, libraries, assembler and linker are the bundle's.
root=${{ prefix }}/${{ debian }}
exec "$root/usr/bin/g++-12" --sysroot="$root" -B"$root/usr/bin/" -specs="$root/link.specs" "$@"
