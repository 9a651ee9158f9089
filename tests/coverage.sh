#!/usr/bin/env bash
# What share of the core package's lines and branches the tests reach, over all test projects together: a line or a branch is reached when
# any run reaches it, so the branches are united one by one (method, line, offset, path), not counted per run. Prints the files that are not
# whole, and ends with the totals. Fails below 98 % of the lines or 95 % of the branches.
#   tests/coverage.sh            runs the tests and measures (about ten minutes)
#   tests/coverage.sh FOLDER     sums up the reports that are in the folder already
#   tests/coverage.sh -r FOLDER  runs the tests and leaves the reports in the folder
set -euo pipefail
cd "$(dirname "$0")/.."
reports="${1:-}"
if [ -z "$reports" ] || [ "$reports" = -r ]; then
    if [ "$reports" = -r ]; then reports=$2; else
        reports=$(mktemp -d)
        trap 'rm -rf "$reports"' EXIT
    fi
    collect() {
        dotnet test "tests/$1" -c Release --nologo --collect:"XPlat Code Coverage;Format=opencover;Include=[Resilience.Core]*" --results-directory "$reports/$1" --filter "$2"
    }
    # What needs servers, publishes binaries, runs programs or is about the documents reaches nothing more of the core, or not from here.
    collect unit/Resilience.Tests 'FullyQualifiedName~Resilience'
    collect proofs/Resilience.Proofs.Tests 'FullyQualifiedName~SimulationTests'
    collect repository/Resilience.Repository.Tests 'FullyQualifiedName~Samples'
    collect unit/Resilience.Idempotency.Tests 'FullyQualifiedName~Resilience'
    collect integration/Resilience.AspNetCore.Tests 'FullyQualifiedName~Resilience'
    collect unit/Resilience.Extensions.Tests 'FullyQualifiedName~Resilience'
fi

find "$reports" -name 'coverage.opencover.xml' -exec cat {} + | awk '
    function attribute(name) {
        if (!match($0, " " name "=\"[^\"]*\"")) return ""
        return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
    }
    /<File uid=/ {
        file = attribute("fullPath")
        isCore = sub(/.*\/src\/Resilience.Core\//, "src/Resilience.Core/", file) && file !~ /\/obj\//
        name[attribute("uid")] = isCore ? file : ""
    }
    /<Name>/ { method = $0 }
    /<SequencePoint / {
        file = name[attribute("fileid")]
        if (file == "") next
        line = file SUBSEP attribute("sl")
        if (!(line in hits)) hits[line] = 0
        if (attribute("vc") + 0 > 0) hits[line] = 1
    }
    /<BranchPoint / {
        file = name[attribute("fileid")]
        if (file == "") next
        branch = file SUBSEP attribute("sl") SUBSEP method SUBSEP attribute("offset") SUBSEP attribute("path")
        if (!(branch in taken)) taken[branch] = 0
        if (attribute("vc") + 0 > 0) taken[branch] = 1
    }
    END {
        for (line in hits) {
            split(line, p, SUBSEP)
            total++
            if (hits[line]) good++; else missed[p[1]] = missed[p[1]] " " p[2]
            files[p[1]]
        }
        for (branch in taken) {
            split(branch, p, SUBSEP)
            all++
            if (taken[branch]) some++; else open[p[1]] = open[p[1]] " " p[2]
        }
        for (file in files) if (file in missed || file in open) printf "%s  lines not reached:%s  branches not taken on:%s\n", file, (file in missed ? missed[file] : " -"), (file in open ? open[file] : " -") | "sort"
        close("sort")
        if (!total || !all) { print "no report of the core was found"; exit 1 }
        printf "lines %d of %d, %.1f %%; branches %d of %d, %.1f %%\n", good, total, 100 * good / total, some, all, 100 * some / all
        exit !(good >= 0.98 * total && some >= 0.95 * all)
    }'
