if [ -n "${__ENVGEN_CC:-}" ]; then
    unset CC __ENVGEN_CC
fi
if [ -n "${__ENVGEN_CXX:-}" ]; then
    unset CXX __ENVGEN_CXX
fi
