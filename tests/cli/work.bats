#!/usr/bin/env bats
# What --dry-run says a command has to do is what the network counts when it does it.
load support

prepare() {
    printf 'file,on\n' >l.csv
    for i in $(seq 0 20); do echo "$i,$((i % 2))"; done >>l.csv
    "$HSPACE" dump --model random:tiny --steps 3 -N 21 --keep eps -q -o a.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on -q -o d.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on --space eps -q -o e.h5
    "$HSPACE" pca a.h5 -k 1 -q -o p.h5
    "$HSPACE" sample --model random:tiny -N 3 --steps 4 -q -o im/
}

# same COMMAND...: encodes and decodes, planned and counted.
same() {
    "$HSPACE" "$@" --model random:tiny -f -o r.h5 --dry-run --json >plan.json 2>err.txt
    "$HSPACE" "$@" --model random:tiny -f -o r.h5 --json >run.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
    jq -e '.results | .encodes > 0 and .decodes > 0 and .plan.seconds > 0 and .plan.bytes > 0' plan.json
    [ "$(jq -c '.results | [.encodes, .decodes]' plan.json)" = "$(jq -c '.results | [.encodes, .decodes]' run.json)" ] || {
        echo "$*"; jq -c '.results | [.encodes, .decodes]' plan.json run.json; false; }
}

@test "sweep: strengths, nulls, a rival, an interval, symmetric, of eps, of images, any batch" {
    prepare
    same sweep --direction d.h5 --strengths=-1:1:0.5 --null 2 -N 5 --steps 6
    same sweep --direction d.h5 --strengths=-1:1:0.5 --null 2 -N 5 --steps 6 --rival e.h5 --t-edit 400 --batch 3
    same sweep --direction d.h5 --strengths=0,1 --null 2 -N 5 --steps 6 --mode symmetric --t-edit 400
    same sweep --direction e.h5 --strengths=0,1,2 --null 2 -N 5 --steps 6 --t-edit 400
    same sweep --direction d.h5 --strengths=0,1,2 -N 5 --steps 6 --t-edit 1000
    same sweep --direction d.h5 --strengths=-1:1:0.5 --null 2 --images im/ --steps 6
}

@test "consistency: all steps or some, asymmetric and symmetric" {
    prepare
    same consistency --direction d.h5 -N 3 --steps 6 --t-edit 400
    same consistency --direction d.h5 -N 3 --steps 7 --at 3 --mode symmetric --nulls 2
    same consistency --direction d.h5 -N 3 --steps 7 --at 3 --nulls 2 --rival e.h5
}

@test "linearity and homogeneity: strengths, nulls, a rival, the derivative, delta networks, naturalness, any batch" {
    prepare
    same linearity --direction d.h5 --strengths=-1:1:0.5 --null 2 -N 3 --steps 6 --readout brightness
    same linearity --direction d.h5 --strengths=-1:1:0.5 --null 2 -N 3 --steps 6 --readout brightness,x0 --t-edit 400 --rival e.h5
    same linearity --direction d.h5 --strengths=0,1 --null 0 -N 3 --steps 4 --readout x0 --mode symmetric --controls none
    same linearity --direction e.h5 --strengths=0,1,2 --null 2 --images im/ --steps 4 --readout x0
    same linearity --direction d.h5 --direction p.h5 --strengths=-1:1:0.5 --null 2 -N 3 --steps 6 --readout brightness,x0 --t-edit 400 --batch 2
    same linearity --direction e.h5 --direction e.h5 --strengths=0,1 --null 0 -N 3 --steps 4 --readout x0 --mode symmetric
    same homogeneity --direction d.h5 --strengths=-1:1:0.5 --nulls 2 -N 5 --steps 6 --t-edit 400 --batch 3
    same homogeneity --direction d.h5 --strengths 1 --nulls 2 -N 5 --steps 6 --mode symmetric --rival e.h5
    same homogeneity --direction d.h5 --strengths 1 --null none --images im/ --steps 6 --controls none
}

@test "robustness: arms, matchings, one image, any batch" {
    same robustness -N 4 --steps 7 --levels 0.1,1
    same robustness -N 4 --steps 7 --levels 0.1,1 --arms h_p,eps_p --batch 3
    same robustness -N 20 --steps 6 --levels 0.1,1 --matching norm --batch 7
    same robustness -N 1 --steps 2 --levels 0.1,1 --matching relative
}

@test "controls: an untrained U-Net, shuffled labels, untrained networks, x_T" {
    models="$BATS_TEST_DIRNAME/../../datasets/models"
    M="--model faces-a --steps 3 -f -o r.h5" few="-N 2 --readout x0"
    printf 'file,on\n' >l.csv
    for i in $(seq 0 11); do echo "$i,$((i % 2))"; done >>l.csv
    "$HSPACE" dump --model faces-a --steps 3 -N 12 -q -o a.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on -q -o d.h5
    for c in "homogeneity --strengths 1,2 --nulls 1 --controls x-T --direction d.h5 -N 16 --readout feat" \
        "sweep --strengths=-1,0,1 --null 1 --controls h-covariance --direction $models/faces-a/smile-clip.h5 -N 4 --readout x0" \
        "sweep --strengths=0,1 --null 1 --controls all --direction d.h5" \
        "sweep --strengths=0,1 --null 5 --controls untrained-unet,x-T --direction d.h5" \
        "sweep --strengths=0,1 --null 1 --controls all --direction $models/faces-a/smile-clip.h5" \
        "sweep --strengths=0,1 --null 2 --controls untrained-unet --direction $models/faces-a/smile-clip.h5" \
        "linearity --strengths=0,1 --null 5 --direction d.h5" \
        "linearity --strengths=-1,0,1 --null 2 --controls untrained-unet,x-T --direction d.h5 --direction $models/faces-a/smile-clip.h5" \
        "linearity --strengths=0,1 --null 1 --direction $models/faces-a/smile-clip.h5" \
        "homogeneity --strengths 1,2 --nulls 1 --direction d.h5" \
        "homogeneity --strengths 1 --nulls 5 --transfers 1 --direction $models/faces-a/smile-clip.h5" \
        "consistency --at 2 --nulls 1 --direction d.h5" \
        "consistency --at 2 --nulls 1 --direction $models/faces-a/smile-clip.h5"; do
        [[ "$c" == *-N* ]] || c="$c $few"
        "$HSPACE" $c $M --dry-run --json >plan.json
        "$HSPACE" $c $M --json >run.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
        [ "$(jq -c '.results | [.encodes, .decodes]' plan.json)" = "$(jq -c '.results | [.encodes, .decodes]' run.json)" ] || {
            echo "$c"; jq -c '.results | [.encodes, .decodes]' plan.json run.json; false; }
    done
}
