#!/bin/sh
# The main job from end to end: info, dump, pca, random controls, sweeps, linearity, one HTML page.
#
#   scripts/demo.sh [OUT]          MODEL, ARCH: a model of your own; N, STEPS, STRENGTHS, THREADS, SEED
#
# Without MODEL: the 64 x 64 faces of ../shared/data where they are, else an untrained network
# (every picture says so).
set -eu
cd "$(dirname "$0")/.."
hspace=build/hspace
out=${1:-hspace-demo}
shared=${HSPACE_SHARED_DATA:-../shared/data}
n=${N:-8}
seed=${SEED:-0}
strengths=${STRENGTHS:--2:2:0.5} # in standard deviations of h
model=${MODEL:-}
arch=${ARCH:-}
steps="--steps ${STEPS:-10}"
if [ -z "$model" ] && [ -r "$shared/anime64/anime64_ddpm_f16.safetensors" ]; then
    model=$shared/anime64/anime64_ddpm_f16.safetensors
    arch=anime64
    # Its schedule ends in almost pure noise: start where alpha_bar is .002, not 3e-9.
    steps="--timesteps 290,258,226,194,162,130,98,66,34,0"
    # h of this model is nearly one common vector: one standard deviation over images moves no picture.
    strengths=${STRENGTHS:--24:24:6}
fi
[ -n "$model" ] || model=random:tiny

model_is="--model $model${arch:+ --arch $arch}"
threads=${THREADS:+--threads $THREADS}

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { # shows the command and runs it; a verdict (10, 11) is an answer, not a failure
    say "$@"
    rc=0
    "$@" || rc=$?
    case $rc in 0 | 10 | 11) ;; *) exit "$rc" ;; esac
}

mkdir -p "$out"
# shellcheck disable=SC2086 # the options are words on purpose
{
    run $hspace info $model${arch:+ --arch $arch}
    run $hspace dump $model_is -N "$n" $steps --seed "$seed" $threads -f -o "$out/acts.h5"
    run $hspace pca "$out/acts.h5" -k 5 -f -o "$out/pca.h5"
    run $hspace direction random --like "$out/pca.h5:pc0" --seed $((seed + 1)) -f -o "$out/random.h5"
    for d in pc0 pc1 random0; do
        case $d in pc*) from=$out/pca.h5 ;; *) from=$out/random.h5 ;; esac
        run $hspace sweep $model_is --direction "$from:$d" --strengths=$strengths -N "$n" $steps --seed "$seed" \
            --null 3 --readout x0,h_later:1,brightness $threads -f -o "$out/$d.h5" --strip "$out/$d.png"
        run $hspace linearity --sweep "$out/$d.h5" --readout x0 --seed "$seed" -f -o "$out/$d-linearity.h5"
    done
    run $hspace plot "$out/pc0-linearity.h5" "$out/pc1-linearity.h5" "$out/random0-linearity.h5" -f -o "$out/linearity.pdf"
    run $hspace report "$out/acts.h5" "$out/pca.h5" \
        "$out/pc0.h5" "$out/pc1.h5" "$out/random0.h5" \
        "$out/pc0-linearity.h5" "$out/pc1-linearity.h5" "$out/random0-linearity.h5" \
        "$out/pc0.png" "$out/pc1.png" "$out/random0.png" \
        --title "Directions of ${arch:-$model}" -f -o "$out/report.html"
}
printf '\nThe page: %s\n' "$(cd "$out" && pwd)/report.html"
