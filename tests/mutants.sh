#!/usr/bin/env bash
# Mutation testing of what is pure: changes the rules in thousands of small ways, one at a time, and asks the tests that are about them. Which
# files and which tests: tests/mutants/*.json. Fails when fewer than 95 % of the mutants of a group are noticed (90 % of group core, where
# 44 of 586 change nothing); docs/verification/mutants.md says of the survivors why. Reports: artifacts/mutants/GROUP/reports.
#   tests/mutants.sh [GROUP...]   core idempotency client endpoint; default all of them (an hour or two on two cores)
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- core idempotency client endpoint
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
dotnet tool restore >/dev/null
root=$PWD code=0
for group in "$@"; do
    case "$group" in
        core) project=Resilience.Tests ;;
        idempotency) project=Resilience.Idempotency.Tests ;;
        client) project=Resilience.Extensions.Tests ;;
        endpoint) project=Resilience.AspNetCore.Tests ;;
        *) echo "there is no group '$group'"; exit 2 ;;
    esac
    (cd "tests/$project" && dotnet stryker --config-file "$root/tests/mutants/$group.json" --output "$root/artifacts/mutants/$group") || code=1
done
exit $code
