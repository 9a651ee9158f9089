#!/usr/bin/env bash
# Searches for inputs that break a promise of a parser, guided by coverage: AFL++ over the oracles of tests/proofs/Resilience.Fuzz, with the library
# instrumented in a copy. Ends with 1 and prints the inputs if any were found; keep them in tests/proofs/Resilience.Fuzz/inputs/TARGET.
#   tests/fuzz.sh [SECONDS] [TARGET...]   seconds for each target (default 60); targets as in tests/proofs/Resilience.Fuzz (default all)
# Needs afl-fuzz (apt-get install afl++).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"
shift || true
[ $# -gt 0 ] || set -- header retry-after record response settings
command -v afl-fuzz >/dev/null || { echo "afl-fuzz is missing: apt-get install afl++"; exit 2; }
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
export AFL_SKIP_BIN_CHECK=1 AFL_NO_UI=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_FORKSRV_INIT_TMOUT=60000

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet tool restore >/dev/null
dotnet publish tests/proofs/Resilience.Fuzz -c Release -o "$work/program" --nologo -v quiet
for assembly in Resilience.Core Resilience.Extensions Resilience.AspNetCore; do dotnet sharpfuzz "$work/program/$assembly.dll"; done

code=0
for target in "$@"; do
    # The plain program says the words: the instrumented one wants a fuzzer around it.
    dotnet run --project tests/proofs/Resilience.Fuzz -c Release --no-build -- words "$target" >"$work/$target.dict"
    afl-fuzz -i "tests/proofs/Resilience.Fuzz/inputs/$target" -o "$work/$target" -x "$work/$target.dict" -t 10000 -m none -V "$seconds" \
        dotnet "$work/program/Resilience.Fuzz.dll" afl "$target" >"$work/$target.log" 2>&1 || { tail -n 20 "$work/$target.log"; exit 2; }
    runs=$(sed -n 's/^execs_done *: //p' "$work/$target/default/fuzzer_stats")
    paths=$(sed -n 's/^corpus_count *: //p' "$work/$target/default/fuzzer_stats")
    found=$(find "$work/$target/default/crashes" "$work/$target/default/hangs" -name 'id:*' | wc -l)
    echo "$target: $runs inputs in $seconds s, $paths kept for new paths, $found broken promises or hangs"
    [ "$found" -eq 0 ] && continue
    code=1
    mkdir -p "$work/found/$target"
    find "$work/$target/default/crashes" "$work/$target/default/hangs" -name 'id:*' -exec cp {} "$work/found/$target" \;
    dotnet run --project tests/proofs/Resilience.Fuzz -c Release --no-build -- replay "$target" "$work/found/$target" || true
done
exit $code
