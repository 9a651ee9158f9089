#!/usr/bin/env bash
# What a program pulls in and how large it becomes: a console program with one resilient HttpClient, with our package and with
# Microsoft.Extensions.Http.Resilience; packages of the whole closure, and bytes of the native binary. Prints a table.
set -euo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
version=$(sed -n 's/.*<Version>\(.*\)<\/Version>.*/\1/p' Directory.Build.props)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for package in Resilience.Core Resilience.Extensions; do
    dotnet pack "src/$package" -c Release -o "$work/feed" -v quiet >/dev/null
done
dotnet nuget list source --format short | awk '/^E /{print $2}' > "$work/sources"

program() { # folder, package, version, call
    mkdir -p "$work/$1"
    cat > "$work/$1/$1.csproj" <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings>
    <PublishAot>true</PublishAot><InvariantGlobalization>true</InvariantGlobalization><RestorePackagesPath>$work/packages</RestorePackagesPath>
    <RestoreSources>$work/feed;$(paste -sd';' "$work/sources")</RestoreSources>
  </PropertyGroup>
  <ItemGroup><PackageReference Include="$2" Version="$3" /></ItemGroup>
</Project>
XML
    cat > "$work/$1/Program.cs" <<CS
using Microsoft.Extensions.DependencyInjection;

ServiceCollection services = new();
$([ -n "$4" ] && echo "services.AddHttpClient(\"c\").$4();" || echo "services.AddHttpClient(\"c\");")
await using ServiceProvider provider = services.BuildServiceProvider();
Console.WriteLine(provider.GetRequiredService<IHttpClientFactory>().CreateClient("c").Timeout);
CS
    dotnet publish "$work/$1" -c Release -o "$work/$1/out" -v quiet >/dev/null
    packages=$(awk '/^  "libraries": \{/ { inside = 1 } /^  "projectFileDependencyGroups"/ { inside = 0 } inside && /"type": "package"/ { n++ } END { print n + 0 }' \
        "$work/$1/obj/project.assets.json")
    echo "| $5 | $packages | $(stat -c %s "$work/$1/out/$1") |"
}

echo "| program | packages | native binary, bytes |"
echo "|---|---|---|"
program bare Microsoft.Extensions.Http 10.0.0 "" "HttpClient alone (Microsoft.Extensions.Http 10.0.0)"
program ours Resilience.Extensions "$version" AddStandardResilience "AddStandardResilience"
program theirs Microsoft.Extensions.Http.Resilience 10.11.0 AddStandardResilienceHandler "AddStandardResilienceHandler 10.11.0"
