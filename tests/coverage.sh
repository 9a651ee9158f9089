#!/usr/bin/env bash
# What share of the core package's lines and branches the tests reach, over all test projects together. Prints the files that are not whole,
# and ends with the totals. Fails below 98 % of the lines or 95 % of the branches.
#   tests/coverage.sh            runs the tests and measures (about ten minutes)
#   tests/coverage.sh FOLDER     sums up the reports that are in the folder already
set -euo pipefail
cd "$(dirname "$0")/.."
reports="${1:-}"
if [ -z "$reports" ]; then
    reports=$(mktemp -d)
    trap 'rm -rf "$reports"' EXIT
    collect() { dotnet test "tests/$1" -c Release --nologo --collect:"XPlat Code Coverage" --results-directory "$reports" --filter "$2"; }
    collect Resilience.Tests 'FullyQualifiedName!~PackageTests&FullyQualifiedName!~AotTests&FullyQualifiedName!~SampleTests&FullyQualifiedName!~Simulations.S&FullyQualifiedName!~Evidence&FullyQualifiedName!~Documentation&FullyQualifiedName!~InstructionGate'
    collect Resilience.Idempotency.Tests 'FullyQualifiedName!~Sqlite&FullyQualifiedName!~PostgreSql&FullyQualifiedName!~Redis&FullyQualifiedName!~Chaos'
    collect Resilience.Extensions.Tests 'FullyQualifiedName~Resilience'
fi

# One line of a file may be in several reports, and in several classes of one: it is reached when it is reached anywhere. Of its branches the most that one run reached count.
find "$reports" -name 'coverage.cobertura.xml' -exec cat {} + | awk '
    function attribute(name) {
        if (!match($0, name "=\"[^\"]*\"")) return ""
        return substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 3)
    }
    /<source>/ { source = $0; gsub(/.*<source>|<\/source>.*/, "", source) }
    /<class / {
        file = source attribute("filename")
        counts = sub(/.*\/?src\/Resilience\//, "src/Resilience/", file) && file !~ /\/obj\//
    }
    /<line / && counts {
        key = file SUBSEP attribute("number")
        if (!(key in hits)) hits[key] = 0
        if (attribute("hits") + 0 > 0) hits[key] = 1
        if (attribute("branch") == "True") {
            split(attribute("condition-coverage"), part, /[(\/)]/)
            if (part[2] + 0 > reached[key] + 0) reached[key] = part[2] + 0
            if (part[3] + 0 > branches[key] + 0) branches[key] = part[3] + 0
        }
    }
    END {
        for (key in hits) {
            split(key, p, SUBSEP)
            lines[p[1]]++; total++
            if (hits[key]) good++; else missed[p[1]] = missed[p[1]] " " p[2]
            all += branches[key]; some += reached[key]
            if (branches[key] > reached[key]) open[p[1]] = open[p[1]] " " p[2]
        }
        for (file in lines) if (file in missed || file in open) printf "%s  lines not reached:%s  branches not reached on:%s\n", file, (file in missed ? missed[file] : " -"), (file in open ? open[file] : " -") | "sort"
        close("sort")
        printf "lines %d of %d, %.1f %%; branches %d of %d, %.1f %%\n", good, total, 100 * good / total, some, all, 100 * some / all
        exit !(good >= 0.98 * total && some >= 0.95 * all)
    }'
