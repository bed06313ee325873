#!/bin/sh
# What directions do in another model: faces-a against another training of it, another style, and its untrained twin.
#
#   scripts/compare_study.sh WORK       FACTORS, N (images compared), STEPS, THREADS; PAIRS (b lines twin)
#
# Each model's directions are mean differences in its own h, by what an attribute network reads off its own images; the
# untrained twin has no images to speak of, so its h is labelled by those of faces-a from the same x_T.  Images compared
# have other seeds.  What WORK holds already is not made again.
set -eu
cd "$(dirname "$0")/.."
work=${1:?a folder for what is made}
hspace=${HSPACE:-build/hspace}
factors=${FACTORS:-smile,glasses,age,yaw,hair_length}
n=${N:-64}
steps="--steps ${STEPS:-10}"
pairs=${PAIRS:-b lines twin}
threads=${THREADS:+--threads $THREADS}
twin=random:faces-32:1

verdict() { [ "$1" = 10 ] || [ "$1" = 11 ]; } # an answer, not a failure

made() { [ -e "$1" ] || { echo "$1" >&2 && return 1; }; }

# shellcheck disable=SC2086 # $steps and $threads are two words or none
directions() { # KEY MODEL ATTR [LABELS]
    acts=$work/acts-$1.h5 labels=${4:-$work/labels-$1.csv}
    made "$acts" || $hspace dump --model "$2" -N 512 $steps --seed 1 --keep x_0 --batch 16 $threads -q -o "$acts"
    made "$labels" || $hspace score "$acts" --attr "$3" $threads -q -o "$labels"
    made "$work/means-$1.h5" ||
        $hspace direction mean-diff "$acts" --labels "$labels" --attr "$factors" -q -o "$work/means-$1.h5"
}

# shellcheck disable=SC2086
compare() { # KEY MODEL ATTR
    made "$work/a-$1.h5" || $hspace compare --a faces-a --b "$2" --attr faces-attr --attr-b "$3" \
        --directions-a "$work/means-a.h5" --directions-b "$work/means-$1.h5" --strengths 0,1 -N "$n" $steps --seed 7 \
        --batch 16 $threads -o "$work/a-$1.h5" >"$work/a-$1.txt" || verdict $?
    reports="$reports $work/a-$1.h5"
}

mkdir -p "$work"
reports=
directions a faces-a faces-attr
for pair in $pairs; do
    case $pair in
    b)
        directions b faces-b faces-attr
        compare b faces-b faces-attr
        ;;
    lines)
        directions lines lines-a lines-attr
        compare lines lines-a lines-attr
        ;;
    twin)
        directions twin $twin faces-attr "$work/labels-a.csv"
        compare twin $twin faces-attr
        ;;
    esac
done
# shellcheck disable=SC2086 # a list of files
$hspace report $reports --title "What faces-a shares with other models" -f -o "$work/compare.html"
