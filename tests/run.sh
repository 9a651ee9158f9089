#!/usr/bin/env bash
# Builds everything and runs all the tests. Needs the .NET SDK alone: tests whose server, browser or tool is missing are skipped by name. Ends
# with the names of what was skipped and one line: N passed, N failed, N skipped.
#   tests/run.sh                 all tests
#   tests/run.sh --deep          the same with larger bounds (more than an hour)
#   CI=true tests/run.sh         what is missing fails, but for the names in tests/absent-in-ci.txt
# The tests of one project: dotnet test tests/unit/Resilience.Tests
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1

say() { printf '== %s (%s)\n' "$1" "$(date +%H:%M:%S)"; }
stop() { say "$1"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

hang=10m # without a test that ends
case "${1:-}" in
    "") ;;
    --deep) export RESILIENCE_DEEP=1; hang=100m ;; # the soak alone takes an hour
    *) stop "unknown argument '$1': there is only --deep" ;;
esac

command -v dotnet >/dev/null || stop "the .NET SDK is missing: global.json says which"

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

say "build"
dotnet tool restore >/dev/null || say "the .NET tools of the repository could not be restored: what needs them is skipped, or fails under CI=true"
dotnet build Resilience.sln -c Release --nologo -v quiet || stop "the build failed"

say "test"
code=0
dotnet test Resilience.sln -c Release --no-build --nologo --logger trx --results-directory "$results" --blame-hang-timeout "$hang" || code=$?

# Sum up the counters of all result files. What was executed and did not pass has failed; a run that broke off (its exit code
# says so) without a failed test counts as a failure, and so does a run of nothing.
totals=$(find "$results" -name '*.trx' -exec cat {} + | { grep -o '<Counters [^>]*>' || true; } | awk -v code="$code" '
    function number(name) {
        if (!match($0, " " name "=\"[0-9]+\"")) return 0
        return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) + 0
    }
    { total += number("total"); passed += number("passed"); executed += number("executed") }
    END {
        failed = executed - passed
        if (failed == 0 && (code != 0 || passed == 0)) failed = 1
        printf "%d passed, %d failed, %d skipped", passed, failed, total - executed
    }')
say "skipped"
find "$results" -name '*.trx' -exec cat {} + | { grep -o '<UnitTestResult [^>]*outcome="NotExecuted"[^>]*>' || true; } | sed 's/.* testName="\([^"]*\)".*/   \1/' | sort
say "done"
echo "$totals"
case "$totals" in
    *" 0 failed"*) exit 0 ;;
    *) [ "$code" -ne 0 ] && exit "$code" || exit 1 ;;
esac
