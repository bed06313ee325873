#!/bin/sh
# Submits a dump as an array of N shards, their index after it, and the pca after that:
#   scripts/slurm/submit.sh 8 acts.h5 pca.h5 --model faces-a -N 2000 --steps 40
# SBATCH="--partition=long --time=2:00:00" adds options to every job, RANKS=4 has pca run on four ranks.
set -eu
[ $# -ge 4 ] || { sed -n '2,4s/^# *//p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
shards=$1 acts=$2 pca=$3
shift 3
export HSPACE_SHARDS="$shards"
# shellcheck disable=SC2086  # several options in one variable
a=$(sbatch --parsable ${SBATCH:-} --array="0-$((shards - 1))" "$here/dump.sbatch" "$@" -o "$acts")
m=$(sbatch --parsable ${SBATCH:-} --dependency="afterok:$a" "$here/merge.sbatch" "$acts")
p=$(sbatch --parsable ${SBATCH:-} --dependency="afterok:$m" --ntasks="${RANKS:-1}" "$here/pca.sbatch" "$acts" -o "$pca")
echo "dump $a (array of $shards), merge $m, pca $p"
