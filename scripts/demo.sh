#!/bin/sh
# The main job from end to end: info, dump, directions, their verdicts beside a random control, one HTML page.
#
#   scripts/demo.sh [OUT]          MODEL, ARCH: a model of your own; N, STEPS, STRENGTHS, ARMS, CONTROLS, THREADS, SEED
#                                  FACTORS=smile,age: smile, and other factors of faces-a whose mean differences are asked about
#                                  PICTURES=1: robustness in all three matchings, and a PNG of each property
#
# Sized for five minutes on two cores: each image more is some 20 s, all the controls are half as much again.
# Without MODEL: faces-a, the model that ships, read by faces-attr; smile is a mean difference then, and
# smile_clip is Asyrp's f_t, trained on "a face" -> "a smiling face" with faces-clip (FULL=1 trains it again); and
# faces-b, another training of it, is asked whether it has the smile in common.
set -eu
cd "$(dirname "$0")/.."
hspace=build/hspace
out=${1:-hspace-demo}
n=${N:-12}
steps="--steps ${STEPS:-8}"
controls=${CONTROLS:-untrained-unet,shuffled-labels,untrained-ft}
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

# Is what smiles in faces-a what smiles in faces-b, which saw the same images from other first weights?
# shellcheck disable=SC2086
other_model() {
    run $hspace dump --model faces-b -N $((n * 16)) $steps --keep x_0 --seed "$seed" $threads -f -o "$out/acts-b.h5"
    run $hspace score "$out/acts-b.h5" $threads -f -o "$out/labels-b.csv"
    run $hspace direction mean-diff "$out/acts-b.h5" --labels "$out/labels-b.csv" --attr smile -f -o "$out/means-b.h5"
    run $hspace compare --a faces-a --b faces-b --directions-a "$out/means.h5:smile" --directions-b "$out/means-b.h5:smile" \
        --strengths 0,1 -N $((n * 3)) $steps --seed $((seed + 1)) --batch 16 $threads -f -o "$out/compare.h5"
}

mkdir -p "$out"
# shellcheck disable=SC2086 # the options are words on purpose
{
    run $hspace info $model${arch:+ --arch $arch}
    if [ "$model" = faces-a ]; then
        dump $((n * 16)) --keep x_0
        run $hspace score "$out/acts.h5" $threads -f -o "$out/labels.csv"
        factors=${FACTORS:-smile}
        run $hspace direction mean-diff "$out/acts.h5" --labels "$out/labels.csv" --attr "$factors" -f -o "$out/means.h5"
        control means.h5 smile
        clip=datasets/models/faces-a/smile-clip.h5 # made by the command below
        if [ -n "${FULL:-}" ]; then
            clip=$out/smile-clip.h5
            run $hspace direction asyrp --model faces-a --source "a face" --target "a smiling face" -N 64 --steps 20 \
                --trajectories 25 --t-edit 200 --seed 3 --name smile_clip $threads -f -o "$clip"
        fi
        directions="-D $out/means.h5 -D $clip"
        also=attr:smile,attr:age,attr:glasses,attr:yaw
        results="$(echo "$factors" | tr , ' ') smile_clip"
    else
        dump $((n * 4))
        control pca.h5 pc0
        directions="-D $out/pca.h5:pc0 -D $out/pca.h5:pc1"
        also=brightness
        factors=
        results='pc0 pc1'
    fi
    # strengths: of the difference between the quarters of most and least, of standard deviations of h, or of f_t (found with
    # 20 steps: fewer steps add it up less often, so it is taken so much larger)
    run $hspace verify $model_is $directions --control "$out/random.h5:random0" --strengths="${STRENGTHS:--1:1:0.25}" --rescale count \
        --also "$also" --at 3 --controls "$controls" --arms "${ARMS:-h_p,eps_p}" -N "$n" $steps --seed $((seed + 1)) --batch 16 $threads -o "$out/verify/"
    set --
    for r in $results random0; do
        set -- "$@" "$out/verify/$r.h5" "$out/verify/$r.png"
        for p in homogeneity linearity consistency; do set -- "$@" "$out/verify/$r-$p.h5"; done
    done
    set -- "$@" "$out/verify/robustness.h5"
    if [ -n "${PICTURES:-}" ]; then
        for matching in norm relative; do
            run $hspace robustness $model_is --matching $matching --arms "${ARMS:-h_p,eps_p}" -N "$n" $steps --seed $((seed + 1)) \
                $threads -f -o "$out/robustness-$matching.h5"
            set -- "$@" "$out/robustness-$matching.h5"
        done
        first=${results%% *}
        for p in homogeneity linearity consistency; do
            run $hspace plot "$out/verify/$first-$p.h5" --width 3.25 -f -o "$out/$p.png"
        done
        run $hspace plot "$out/verify/robustness.h5" --width 3.25 -f -o "$out/robustness.png"
    fi
    if [ -n "$factors" ]; then
        other_model
        set -- "$out/compare.h5" "$@"
        sweeps=
        for r in $results; do sweeps="$sweeps $out/verify/$r.h5"; done
        run $hspace edit-success $sweeps --target "$factors,smile" -f -o "$out/success.h5"
        set -- "$out/success.h5" "$@"
    fi
    run $hspace report "$out/acts.h5" "$out/pca.h5" "$@" --control random0 \
        --title "Is h-space of ${arch:-$model} what it is said to be?" -f -o "$out/report.html"
}
printf '\nThe page: %s\n' "$(cd "$out" && pwd)/report.html"
