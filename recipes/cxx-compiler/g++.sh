#!/bin/sh
# Headers, start files and libgcc are the bundle's, as are assembler and linker; the C library is this machine's.
root=${{ prefix }}/${{ debian }}
exec "$root/usr/bin/g++-12" --sysroot="$root" -B"$root/usr/bin/" -specs="$root/machine.specs" "$@"
