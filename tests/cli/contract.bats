#!/usr/bin/env bats
# What scripts rely on: help wherever it is asked for, params that say what was done, null with its reason.

load support

M="--model random:tiny"

@test "help, a command's own, and that of a command of two words" {
    "$HSPACE" help | grep -q 'direction random'
    "$HSPACE" help pca | grep -q '^Usage: hspace pca '
    "$HSPACE" help direction random | grep -q '^Usage: hspace direction random '
    "$HSPACE" direction --help | grep -q 'direction random'
    fails 2 'wanted one of: .*random' "$HSPACE" direction
    fails 2 "'rnadom' is unknown" "$HSPACE" direction rnadom
}

@test "commands in the documents and in the examples of help know their options" {
    root=$BATS_TEST_DIRNAME/../..
    "$HSPACE" help | sed -n '/^Commands:/,/^$/s/^  \(\([a-z0-9-]\+ \)\{1,2\}\).*/\1/p' >commands.txt
    [ "$(wc -l <commands.txt)" -gt 30 ]
    while read -r command; do "$HSPACE" help $command; done <commands.txt | sed -n 's/^  \(hspace .*\)/\1/p' >lines.txt
    grep -ohE '`hspace [^`]+`|^hspace .*' "$root/README.md" "$root"/docs/*.md | tr -d '`' >>lines.txt
    sed 's/ #.*//; s/ *[|&;].*//' lines.txt | sort -u >all.txt
    [ "$(wc -l <all.txt)" -gt 100 ]
    while read -r _ command rest; do
        [ "$command" != direction ] || command="direction ${rest%% *}"
        "$HSPACE" help $command >help.txt 2>/dev/null || { echo "no command: $command $rest"; false; }
        for option in $(grep -oE -- '--[a-z][a-zA-Z0-9-]*' <<<"$rest"); do
            grep -qE -- "(^|[ ,])$option( |$)" help.txt || { echo "no option $option: $command $rest"; false; }
        done
    done <all.txt
}

@test "an option of one letter is named as it is written" {
    fails 2 '^hspace: -N: 0 is out of range' "$HSPACE" sample $M -N 0 -q -o x.npy
}

@test "a bad image is refused before a store is begun" {
    "$HSPACE" sample $M -N 2 --steps 2 -q -o good/
    head -c 100 good/0001.png >bad.png
    fails 3 '^hspace: bad.png: ' "$HSPACE" dump $M --images good,bad.png --steps 2 -q -o acts.h5
    [ ! -e acts.h5 ]
    [ ! -e acts.h5.journal ]
    fails 3 '^hspace: bad.png: ' "$HSPACE" dump $M --images bad.png --steps 2 -q --dry-run -o acts.h5
}

@test "messages name a file as the user did, links or not" {
    echo junk >real.h5
    ln -s real.h5 link.h5
    fails 3 '^hspace: link.h5: ' "$HSPACE" pca link.h5 -q -o p.h5
    fails 3 '^hspace: real.h5: ' "$HSPACE" pca real.h5 -q -o p.h5
}

@test "params of linearity are those of the sweep it read; every null has its reason" {
    "$HSPACE" dump $M -N 4 --timesteps 900,500,100 -q -o a.h5
    fails 2 '^hspace: a.h5:pc0: a store has no directions' "$HSPACE" export a.h5:pc0 -q -o x.npy
    "$HSPACE" pca a.h5 -k 2 -q -o p.h5
    "$HSPACE" sweep $M --direction p.h5:pc0 --strengths -2,-1,0,1,2 -N 3 --timesteps 900,500,100 --null 3 \
        --readout brightness,x0 --t-edit 500 -q --json -o s.h5 | jq -e '.params["t-edit"] == 500'
    "$HSPACE" linearity --sweep s.h5 --json >l.json || [ $? -ge 10 ]
    jq -e '.params | .strengths == [-2, -1, 0, 1, 2] and .null == 3 and .readout == ["brightness", "x0"]' l.json
    jq -e '.params | .steps == null and .mode == null and .bootstrap == 2000' l.json
    jq -e '[.results.statistics[], .results.effect, .results.null |
        select((.value == null or .ci == null) and .reason == null)] == []' l.json
    "$HSPACE" linearity --sweep s.h5 -q -o l.h5 || [ $? -ge 10 ]
    "$HSPACE" info l.h5 --json | jq -e '.results | .readout == "brightness" and .direction == "pc0" and (.verdict | length) > 0'
}

@test "an output that may not be written is refused before any work" {
    "$HSPACE" dump $M -N 2 --timesteps 900,500 -q -o a.h5
    "$HSPACE" pca a.h5 -k 1 -q -o p.h5
    cp p.h5 kept.h5
    "$HSPACE" sample $M -N 1 --steps 2 -q -o x.npy
    for run in "pca a.h5" "direction random --like p.h5:pc0" "sweep $M --direction p.h5:pc0 -N 1 --timesteps 900,500" \
        "interpolate $M --from x.npy --to x.npy --steps 2"; do
        fails 2 '^hspace: kept.h5: exists; use -f' "$HSPACE" $run -q -o kept.h5
        fails 2 '^hspace: kept.h5: exists; use -f' "$HSPACE" $run -q --dry-run -o kept.h5
        fails 5 '^hspace: none/r.h5: its folder: ' "$HSPACE" $run -q -o none/r.h5
    done
    cmp p.h5 kept.h5
    fails 2 '^hspace: a.h5: is also an input' "$HSPACE" pca a.h5 -f -q -o a.h5
}

@test "every file read is an input, and the schedule is resolved" {
    "$HSPACE" sample $M -N 1 --steps 2 -q --json | jq -e '.params.schedule == "linear"'
    "$HSPACE" dump $M -N 4 --timesteps 900,500 -q -o a.h5
    "$HSPACE" pca a.h5 -k 1 -q -o p.h5
    "$HSPACE" export p.h5:pc0 --t 900 -q -o w.npy
    "$HSPACE" sweep $M --direction p.h5:pc0 --strengths -1,0,1 -N 2 --timesteps 900,500 --readout probe:w.npy --json -q \
        >s.json
    jq -e '[.inputs[].path] == ["random:tiny", "p.h5", "w.npy"]' s.json
    printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }" >beta.npy
    for _ in 1 2 3 4 5; do printf '\xcd\xcc\xcc\x3d'; done >>beta.npy # 0.1
    "$HSPACE" sample $M -N 1 --steps 2 --schedule beta.npy -q --json >n.json
    jq -e '[.inputs[].path] == ["random:tiny", "beta.npy"] and .params.schedule == "beta.npy"' n.json
}

@test "a store still being written is not imported; a benchmark that is only planned times nothing" {
    "$HSPACE" dump $M -N 40000 --steps 4 -q -o part.h5 &
    while [ ! -e part.h5.journal ]; do sleep 0.05; done
    sleep 0.3
    kill -TERM $!
    wait $! || [ $? -eq 75 ]
    fails 2 '^hspace: part.h5: still being written' "$HSPACE" import part.h5 -q -o x.h5
    [ ! -e x.h5 ]
    timeout 10 "$HSPACE" bench --dry-run >plan
    grep -q '^pca: 5 rounds' plan
    timeout 10 "$HSPACE" bench --dry-run --json | jq -e '.results.bench == []'
}

@test "the README's table of effects gives what the README shows" {
    readme="$BATS_TEST_DIRNAME/../../README.md"
    PATH="$(dirname "$HSPACE"):$PATH"
    [ "$(command -v hspace)" -ef "$HSPACE" ]
    sed -n '/^awk /,/^```/p' "$readme" | grep -v '^```' >commands
    sh -e commands >said
    # The lines after the commands, up to the dots.
    sed -n '/^linearity: holds/,/^  \.\.\./p' "$readme" | grep -v '^  \.\.\.' >wanted
    [ "$(wc -l <wanted)" -gt 5 ]
    head -n "$(wc -l <wanted)" said | diff - wanted
}

@test "-o is refused where no file would be written" {
    for run in "info random:tiny" doctor "completion bash" "bench --dry-run"; do
        fails 2 '^hspace: -o: hspace [a-z]+ answers on stdout' "$HSPACE" $run -o out
        [ ! -e out ]
    done
}
