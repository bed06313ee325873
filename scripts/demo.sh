#!/bin/sh
# The main job from end to end: info, dump, directions and a random control, sweeps, linearity, one HTML page.
#
#   scripts/demo.sh [OUT]          MODEL, ARCH: a model of your own; N, STEPS, STRENGTHS, THREADS, SEED
#
# Without MODEL: faces-a, the model that ships, read by faces-attr; smile and age are mean differences then.
set -eu
cd "$(dirname "$0")/.."
hspace=build/hspace
out=${1:-hspace-demo}
n=${N:-16}
steps="--steps ${STEPS:-20}"
seed=${SEED:-0}
model=${MODEL:-faces-a}
arch=${ARCH:-}
model_is="--model $model${arch:+ --arch $arch}"
threads=${THREADS:+--threads $THREADS}

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { # shows the command and runs it; a verdict (10, 11) is an answer, not a failure
    say "$@"
    rc=0
    "$@" || rc=$?
    case $rc in 0 | 10 | 11) ;; *) exit "$rc" ;; esac
}

dump() { # N OPTIONS...
    count=$1
    shift
    run $hspace dump $model_is -N "$count" $steps "$@" --seed "$seed" $threads -f -o "$out/acts.h5"
    run $hspace pca "$out/acts.h5" -k 5 -f -o "$out/pca.h5"
}

control() { # FILE NAME: a random direction of that one's norms
    run $hspace direction random --like "$out/$1:$2" --seed $((seed + 1)) -f -o "$out/random.h5"
}

shown=
sweep() { # FILE NAME READOUT: what the direction does to new images, and whether the read-out follows a line
    run $hspace sweep $model_is --direction "$out/$1:$2" --strengths="$strengths" -N "$n" $steps --seed $((seed + 1)) \
        --null 8 --readout "$readouts" $threads -f -o "$out/$2.h5" --strip "$out/$2.png"
    run $hspace linearity --sweep "$out/$2.h5" --readout "$3" --seed "$seed" -f -o "$out/$2-linearity.h5"
    shown="$shown $2"
}

mkdir -p "$out"
# shellcheck disable=SC2086 # the options are words on purpose
{
    run $hspace info $model${arch:+ --arch $arch}
    if [ "$model" = faces-a ]; then
        strengths=${STRENGTHS:--1:1:0.25} # of the difference between the most and the least smiling quarter
        readouts=attr:smile,attr:age,attr:glasses,attr:yaw,x0,h_later:1
        dump $((n * 16)) --keep x_0
        run $hspace score "$out/acts.h5" $threads -f -o "$out/labels.csv"
        run $hspace direction mean-diff "$out/acts.h5" --labels "$out/labels.csv" --attr smile,age -f -o "$out/means.h5"
        control means.h5 smile
        sweep means.h5 smile attr:smile
        sweep means.h5 age attr:age
        sweep pca.h5 pc0 x0
        sweep random.h5 random0 attr:smile
    else
        strengths=${STRENGTHS:--2:2:0.5} # in standard deviations of h
        readouts=x0,h_later:1,brightness
        dump $((n * 4))
        control pca.h5 pc0
        sweep pca.h5 pc0 x0
        sweep pca.h5 pc1 x0
        sweep random.h5 random0 x0
    fi
    set --
    for d in $shown; do set -- "$@" "$out/$d-linearity.h5"; done
    run $hspace plot "$@" -f -o "$out/linearity.pdf"
    for d in $shown; do set -- "$@" "$out/$d.h5" "$out/$d.png"; done
    run $hspace report "$out/acts.h5" "$out/pca.h5" "$@" --title "Directions of ${arch:-$model}" -f -o "$out/report.html"
}
printf '\nThe page: %s\n' "$(cd "$out" && pwd)/report.html"
