#!/bin/sh
# What each kind of direction does to each factor of faces-a: one table, as a file and in a report.
#
#   scripts/edit_study.sh WORK       FACTORS, METHODS, N (held-out seeds), STEPS, THREADS; MODEL
#
# Each method finds its direction on seeds of its own; each is then swept on N new ones with every factor read out, and
# `hspace edit-success` chooses the strength and says what happened.  What WORK holds already is not made again.
# Components of pca and jacobian: the one (and the sign) that moved the factor most on 16 other seeds.
set -eu
cd "$(dirname "$0")/.."
work=${1:?a folder for what is made}
hspace=${HSPACE:-build/hspace}
model=${MODEL:-faces-a}
factors=${FACTORS:-smile glasses age yaw hair_hue}
methods=${METHODS:-mean-diff probe asyrp-clip asyrp-attr pca jacobian}
n=${N:-64}
steps="--steps ${STEPS:-20}"
threads=${THREADS:+--threads $THREADS}
all=attr:smile,attr:mouth_open,attr:eye_open,attr:brow,attr:face_width,attr:age,attr:skin,attr:hair_length
all=$all,attr:hair_hue,attr:beard,attr:glasses,attr:hat,attr:yaw,attr:light,attr:background

target_text() {
    case $1 in
    smile) echo "a smiling face" ;;
    glasses) echo "a face with glasses" ;;
    age) echo "an old face" ;;
    yaw) echo "a face looking right" ;;
    hair_hue) echo "a face with blue hair" ;;
    esac
}

make_once() { # FILE COMMAND...: the command writes FILE with -o
    file=$1
    shift
    [ -e "$file" ] || {
        echo "$file" >&2
        # shellcheck disable=SC2086 # none or two words
        "$@" $threads -q -f -o "$file"
    }
}

sweep() { # FILE DIRECTION STRENGTHS N SEED READOUTS [OPTIONS]
    out=$1 direction=$2 strengths=$3 count=$4 seed=$5 readouts=$6
    shift 6
    # shellcheck disable=SC2086
    make_once "$out" $hspace sweep --model "$model" --direction "$direction" --strengths="$strengths" -N "$count" \
        $steps --seed "$seed" --batch 16 --readout "$readouts" "$@"
}

# The component K of a file, and its sign, that moves a factor most at the smallest strengths of a trial sweep.
best() { # FILE FACTOR STRENGTHS PREFIX: prints "NAME SIGN"
    for k in 0 1 2 3 4; do
        trial=$work/trial-$(basename "$1" .h5)-$4$k.h5
        sweep "$trial" "$1:$4$k" "$3" 16 11 "$all"
        $hspace linearity --sweep "$trial" --readout "attr:$2" --json 2>/dev/null |
            jq -r --arg name "$4$k" '(.results.statistics[] | select(.name == "slope") | .value) as $b
                | "\($b | fabs) \($name) \(if $b < 0 then "-" else "+" end)"' || true
    done | sort -g | tail -1 | cut -d' ' -f2-
}

signed() { # SIGN S1 S2 ...: the strengths with 0, on that side
    sign=$1
    shift
    list=0
    for s; do
        [ "$sign" = - ] && list="$list,-$s" || list="$list,$s"
    done
    echo "$list"
}

mkdir -p "$work"
# shellcheck disable=SC2086 # $steps is two words
$hspace dump --model "$model" -N 1024 $steps --seed 1 --keep x_0 --batch 16 $threads -q -o "$work/acts.h5" # resumes
make_once "$work/labels.csv" $hspace score "$work/acts.h5"
make_once "$work/clean.csv" $hspace score "$work/acts.h5" --readout feat
list=$(echo "$factors" | tr ' ' ,)
make_once "$work/mean-diff.h5" $hspace direction mean-diff "$work/acts.h5" --labels "$work/labels.csv" --attr "$list"
make_once "$work/probe.h5" $hspace direction probe "$work/acts.h5" --labels "$work/labels.csv" --attr "$list"

tables=
targets=
for method in $methods; do
    for factor in $factors; do
        out=$work/$factor-$method.h5
        case $method in
        mean-diff) sweep "$out" "$work/mean-diff.h5:$factor" 0,0.125,0.25,0.375,0.5,0.75 "$n" 7 "$all,feat,x0" ;;
        probe) sweep "$out" "$work/probe.h5:$factor" 0,0.5,1,2,3,4 "$n" 7 "$all,feat,x0" ;;
        asyrp-attr)
            # shellcheck disable=SC2086
            make_once "$work/f-attr-$factor.h5" $hspace direction asyrp --model "$model" --readout "attr:$factor" \
                --by "$([ "$factor" = glasses ] && echo 8 || echo 2)" -N 64 $steps --trajectories 25 --t-edit 200 --seed 3
            sweep "$out" "$work/f-attr-$factor.h5" 0,0.0625,0.125,0.1875,0.25,0.375,0.5,0.625 "$n" 7 "$all,feat,x0" --t-edit 200
            ;;
        asyrp-clip)
            # shellcheck disable=SC2086
            make_once "$work/f-clip-$factor.h5" $hspace direction asyrp --model "$model" --source "a face" \
                --target "$(target_text "$factor")" -N 64 $steps --trajectories 25 --t-edit 200 --seed 3
            sweep "$out" "$work/f-clip-$factor.h5" 0,0.25,0.5,0.75,1,1.5 "$n" 7 "$all,feat,x0" --t-edit 200
            ;;
        pca)
            make_once "$work/pca.h5" $hspace pca "$work/acts.h5" -k 5
            set -- $(best "$work/pca.h5" "$factor" -0.25,0,0.25 pc)
            sweep "$out" "$work/pca.h5:$1" "$(signed "$2" 0.125 0.25 0.5 1 2)" "$n" 7 "$all,feat,x0"
            ;;
        jacobian)
            # shellcheck disable=SC2086
            make_once "$work/jacobian.h5" $hspace direction jacobian --model "$model" --map x0/h -k 5 --t 500 -N 8 \
                $steps --seed 5
            set -- $(best "$work/jacobian.h5" "$factor" -10,0,10 sv)
            sweep "$out" "$work/jacobian.h5:$1" "$(signed "$2" 2.5 5 10 20 40)" "$n" 7 "$all,feat,x0"
            ;;
        esac
        tables="$tables $out"
        targets="$targets,$factor"
    done
done
# shellcheck disable=SC2086 # lists of files
$hspace edit-success $tables --target "${targets#,}" --clean "$work/clean.csv" -f -o "$work/success.h5"

# Random directions of the mean differences' norms, at the strengths that were chosen for those.
random=
for factor in $factors; do
    s=$($hspace edit-success "$work/$factor-mean-diff.h5" --target "$factor" --clean "$work/clean.csv" --json |
        jq -r '.results.edits[0].strength')
    [ "$s" != 0 ] || continue
    sweep "$work/$factor-random.h5" "$work/mean-diff.h5:$factor" "0,$s" "$n" 7 "attr:$factor,x0" --null 8
    random="$random $work/$factor-random.h5"
done
# shellcheck disable=SC2086
$hspace edit-success $random -f -o "$work/random.h5" 2>/dev/null
$hspace report "$work/success.h5" "$work/random.h5" --title "Edits of $model" -f -o "$work/edits.html"
