#!/usr/bin/env bash
# Mutation testing of what is pure: changes the rules in thousands of small ways, one at a time, and asks the tests that are about them. Which
# files and which tests: tests/proofs/mutants/*.json. Which mutants survive, and why: tests/proofs/mutants/*.survivors. Fails when one survives
# that is not in the list, when one is noticed that is listed as changing nothing, and when fewer than 95 % of those that change anything are
# noticed.
# Reports: artifacts/mutants/GROUP/reports; the last results: docs/verification/mutants.md.
#   tests/mutants.sh [GROUP...]   core idempotency client endpoint; default all of them (about an hour on two cores)
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- core idempotency client endpoint
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
dotnet tool restore >/dev/null
dotnet build tests/proofs/Resilience.Mutants -c Release --nologo -v quiet
root=$PWD code=0
for group in "$@"; do
    case "$group" in
        core) project=unit/Resilience.Tests ;;
        idempotency) project=unit/Resilience.Idempotency.Tests ;;
        client) project=unit/Resilience.Extensions.Tests ;;
        endpoint) project=integration/Resilience.AspNetCore.Tests ;;
        *) echo "there is no group '$group'"; exit 2 ;;
    esac
    rm -rf "artifacts/mutants/$group"
    (cd "tests/$project" && dotnet stryker --config-file "$root/tests/proofs/mutants/$group.json" --output "$root/artifacts/mutants/$group") || code=1
    echo "== $group"
    dotnet tests/proofs/Resilience.Mutants/bin/Release/net10.0/Resilience.Mutants.dll judge \
        "artifacts/mutants/$group/reports/mutation-report.json" "tests/proofs/mutants/$group.survivors" || code=1
done
exit $code
