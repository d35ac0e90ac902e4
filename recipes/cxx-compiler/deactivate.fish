if set -q __ENVGEN_CC
    set -e CC __ENVGEN_CC
end
if set -q __ENVGEN_CXX
    set -e CXX __ENVGEN_CXX
end
