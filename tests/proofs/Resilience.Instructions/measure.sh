#!/usr/bin/env bash
# Counts the instructions of each hot path on a stripped native program, under callgrind: the difference of two runs, so start and end cancel out.
# Prints lines "operation instructions", to be compared with instructions.txt beside it.
set -euo pipefail
cd "$(dirname "$0")"
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 3; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
dotnet publish -c Release -o "$out" --nologo -v quiet >&2
program="$out/Resilience.Instructions"
rm -f "$out"/*.dbg # valgrind cannot read it, and would try
few=20000 many=60000

count() {
    DOTNET_gcServer=0 DOTNET_GCHeapCount=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

for operation in ${*:-$("$program" list)}; do
    low=$(count "$operation" $few)
    high=$(count "$operation" $many)
    awk -v name="$operation" -v low="$low" -v high="$high" -v n=$((many - few)) 'BEGIN { printf "%s %.1f\n", name, (high - low) / n }'
done
