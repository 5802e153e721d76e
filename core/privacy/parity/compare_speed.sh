#!/bin/sh
# Speed beside Microsoft Presidio in one run: ours on a whole file, Presidio's default pattern recognizers on its first part
# (they would need minutes for all of it), on one core each, one after the other.
#
#   compare_speed.sh PYTHON [FILE] [KILOBYTES]
#
# PYTHON is an interpreter with presidio-analyzer installed. Without FILE a sample is written to the temporary directory.
set -eu
python=${1:?"give a Python interpreter that has presidio-analyzer"}
here=$(dirname "$0")/..
file=${2:-}
kilobytes=${3:-200}
if [ -z "$file" ]; then
    file=$(mktemp)
    trap 'rm -f "$file"' EXIT
    find "$here/../.." -name target -prune -o \( -name '*.rs' -o -name '*.md' \) -type f -print | sort | xargs cat | head -c 10000000 > "$file"
fi
(cd "$here" && cargo run --quiet --release --example privacy_speed -- "$file")
head -c "$((kilobytes * 1000))" "$file" | "$python" -c '
import sys, time
from presidio_analyzer import RecognizerRegistry
from presidio_analyzer.pattern_recognizer import PatternRecognizer
from presidio_analyzer.predefined_recognizers import PhoneRecognizer
registry = RecognizerRegistry()
registry.load_predefined_recognizers(languages=["en"])
recognizers = [r for r in registry.recognizers if isinstance(r, (PatternRecognizer, PhoneRecognizer))]
text = sys.stdin.buffer.read().decode("utf-8", "ignore")
lines = text.splitlines(True)
chunks, chunk = [], ""
for line in lines:
    chunk += line
    if len(chunk) > 4000:
        chunks.append(chunk)
        chunk = ""
chunks.append(chunk)
started = time.perf_counter()
found = sum(len(r.analyze(c, r.supported_entities, None)) for c in chunks for r in recognizers)
seconds = time.perf_counter() - started
print(f"Presidio: {len(recognizers)} recognizers, {len(text.encode())} bytes: {len(text.encode()) / seconds / 1e6:.4f} MB/s, {found} findings")
'
