#!/bin/sh
# ADWIN beside river's Rust ADWIN on one stream, in one run: observations per second, and their ratio.
#
#   VENV=/path/to/venv core/decay/parity/compare_speed.sh
#
# The crate is built with opt-level 3 in every profile. Makes the environment when it is not there. River is called the fastest way Python can: the Rust object's bound method on a list.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-"$here/../../../target/venv-river"}
[ -x "$venv/bin/python" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q river==0.26.1; }
stream=$(mktemp)
trap 'rm -f "$stream"' EXIT
cat > "$stream.py" <<'P'
import random, sys, time
from river._river_rust.drift import AdaptiveWindowing
from river.drift import ADWIN
generator = random.Random(5)
n = 2_000_000
values = [float(generator.random() < (0.2 if i // 100_000 % 2 == 0 else 0.3)) for i in range(n)]
with open(sys.argv[1], "w") as out:
    out.write("\n".join("1" if value else "0" for value in values) + "\n")
best = wrapped = 1e9
for _ in range(3):
    helper, found = AdaptiveWindowing(delta=0.002, clock=32, max_buckets=5, min_window_length=5, grace_period=10), 0
    start = time.perf_counter()
    for value in values:
        if helper.update(value):
            found += 1
            helper = AdaptiveWindowing(delta=0.002, clock=32, max_buckets=5, min_window_length=5, grace_period=10)
    best = min(best, time.perf_counter() - start)
# What the loop and one call of a built-in method cost by themselves, so that they can be taken off.
idle, method = 1e9, [].count
for _ in range(3):
    start = time.perf_counter()
    for value in values:
        if method(value):
            pass
    idle = min(idle, time.perf_counter() - start)
detector = ADWIN()
start = time.perf_counter()
for value in values:
    detector.update(value)
wrapped = time.perf_counter() - start
print(n / best, n / max(best - idle, 1e-9), n / wrapped, found)
P
set -- $("$venv/bin/python" "$stream.py" "$stream")
rm -f "$stream.py"
river=$1 bare=$2 wrapped=$3 drifts=$4
set -- $(cd "$here/../../.." && cargo run -q -p homeostat-decay --example decay_speed "$stream")
awk -v ours="$1" -v found="$2" -v river="$river" -v bare="$bare" -v wrapped="$wrapped" -v drifts="$drifts" 'BEGIN {
    printf "ADWIN, observations a second\n"
    printf "  ours                                    %12.0f   %d drifts\n", ours, found
    printf "  river, its ADWIN class                  %12.0f   ratio %.1f\n", wrapped, ours / wrapped
    printf "  river, its Rust object                  %12.0f   ratio %.1f   %d drifts\n", river, ours / river, drifts
    printf "  river, its Rust object, loop taken off  %12.0f   ratio %.1f\n", bare, ours / bare
    exit !(ours >= bare && found == drifts)
}'
