#!/bin/sh
# Layer check: every #include "..." in core/, datasets/ and analysis/ against the table of
# CONTRIBUTING.md.  Prints each include that crosses a wall and fails.
set -u
allowed() {
    case $1 in
    core/base) echo "core/base" ;;
    core/tensor) echo "core/base core/tensor" ;;
    core/linalg) echo "core/base core/tensor core/linalg" ;;
    core/io) echo "core/base core/tensor core/io" ;;
    core/geom) echo "core/base core/tensor core/linalg core/geom" ;;
    core/stats) echo "core/base core/tensor core/linalg core/stats" ;;
    core/nn) echo "core/base core/tensor core/linalg core/nn" ;;
    core/diffusion) echo "core/base core/tensor core/linalg core/diffusion" ;;
    core/model) echo "core/base core/tensor core/linalg core/io core/nn core/diffusion core/model" ;;
    core) echo "core/base core/tensor core/linalg core/io core/geom core/stats core/nn core/diffusion core/model" ;;
    datasets) echo "core/base core/tensor core/io datasets" ;;
    analysis/bench) echo "core/ analysis/bench analysis/train" ;;
    analysis/dump) echo "core/ datasets analysis/dump" ;;
    analysis/train) echo "core/ datasets analysis/train analysis/figures" ;;
    analysis/directions) echo "core/ datasets analysis/directions" ;;
    analysis/sweep) echo "core/ datasets analysis/directions analysis/sweep" ;;
    analysis/properties) echo "core/ datasets analysis/directions analysis/sweep analysis/properties" ;;
    analysis/compare | analysis/geometry)
        echo "core/ datasets analysis/directions analysis/sweep analysis/properties $1" ;;
    analysis/figures) echo "core/base core/io analysis/figures" ;;
    analysis/report) echo "core/base core/io analysis/figures analysis/report" ;;
    analysis/cli) echo "core/ datasets analysis/" ;;
    esac
}
external() { # header:folder that alone may include it
    cat <<'T'
cblas.h:core/linalg
lapacke.h:core/linalg
hdf5.h:core/io
hdf5_hl.h:core/io
png.h:core/io
jpeglib.h:core/io
jerror.h:core/io
zip.h:core/io
xxhash.h:core/base
utf8proc.h:core/io
dnnl.h:core/nn
mpi.h:analysis/cli
T
}
bad=0
for f in $(find core datasets analysis -name '*.[ch]' | sort); do
    dir=$(dirname "$f")
    ok=$(allowed "$dir")
    [ -n "$ok" ] || { echo "$f: folder $dir is not in the layer table"; bad=1; continue; }
    for inc in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$f"); do
        found=0
        for a in $ok; do case $inc in "$a"/* | "$a"*/*) found=1 ;; esac; done
        [ $found -eq 1 ] || { echo "$f: includes \"$inc\", which $dir may not"; bad=1; }
    done
    for pair in $(external); do
        h=${pair%%:*} only=${pair##*:}
        if grep -q "^#include <$h>" "$f" && [ "$dir" != "$only" ]; then
            echo "$f: includes <$h>, which only $only may"; bad=1
        fi
    done
done
exit $bad
