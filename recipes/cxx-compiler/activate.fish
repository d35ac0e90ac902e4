# torch.compile asks CXX, Triton CC; what the user has chosen stays.
if test -z "$CC"
    set -gx CC $CONDA_PREFIX/bin/gcc
    set -gx __ENVGEN_CC 1
end
if test -z "$CXX"
    set -gx CXX $CONDA_PREFIX/bin/g++
    set -gx __ENVGEN_CXX 1
end
