#!/bin/sh
# The main job from end to end: info, dump, pca, random controls, sweeps, linearity, one HTML page.
#
#   scripts/demo.sh [OUT]          MODEL, ARCH: a model of your own; N, STEPS, STRENGTHS, THREADS, SEED
#
# Without MODEL: faces-a, the model that ships, read by faces-attr.
set -eu
cd "$(dirname "$0")/.."
hspace=build/hspace
out=${1:-hspace-demo}
n=${N:-20}
steps="--steps ${STEPS:-20}"
seed=${SEED:-0}
model=${MODEL:-faces-a}
arch=${ARCH:-}
readouts=x0,h_later:1,brightness
strengths=${STRENGTHS:--2:2:0.5} # in standard deviations of h
factors=
if [ "$model" = faces-a ]; then
    factors="smile hair_length light background" # their truth is known
    readouts=x0,h_later:1$(printf ',attr:%s' $factors)
    strengths=${STRENGTHS:--1:1:0.25}
fi

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
    run $hspace dump $model_is -N $((n * 3)) $steps --seed "$seed" $threads -f -o "$out/acts.h5"
    run $hspace pca "$out/acts.h5" -k 5 -f -o "$out/pca.h5"
    run $hspace direction random --like "$out/pca.h5:pc0" --seed $((seed + 1)) -f -o "$out/random.h5"
    for d in pc0 pc1 random0; do
        case $d in pc*) from=$out/pca.h5 ;; *) from=$out/random.h5 ;; esac
        run $hspace sweep $model_is --direction "$from:$d" --strengths=$strengths -N "$n" $steps --seed "$seed" \
            --null 8 --readout $readouts $threads -f -o "$out/$d.h5" --strip "$out/$d.png"
        run $hspace linearity --sweep "$out/$d.h5" --readout x0 --seed "$seed" -f -o "$out/$d-linearity.h5"
    done
    for a in $factors; do
        run $hspace linearity --sweep "$out/pc0.h5" --readout "attr:$a" --seed "$seed" -f -o "$out/pc0-$a-linearity.h5"
    done
    run $hspace plot "$out"/*-linearity.h5 -f -o "$out/linearity.pdf"
    run $hspace report "$out/acts.h5" "$out/pca.h5" "$out/pc0.h5" "$out/pc1.h5" "$out/random0.h5" "$out"/*-linearity.h5 \
        "$out/pc0.png" "$out/pc1.png" "$out/random0.png" --title "Directions of ${arch:-$model}" -f -o "$out/report.html"
}
printf '\nThe page: %s\n' "$(cd "$out" && pwd)/report.html"
