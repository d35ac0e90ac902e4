# torch.compile asks CXX, Triton CC; what the user has chosen stays.
if [ -z "${CC:-}" ]; then
    export CC="${CONDA_PREFIX}/bin/gcc" __ENVGEN_CC=1
fi
if [ -z "${CXX:-}" ]; then
    export CXX="${CONDA_PREFIX}/bin/g++" __ENVGEN_CXX=1
fi
