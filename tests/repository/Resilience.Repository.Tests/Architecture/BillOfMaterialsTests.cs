namespace Resilience.Tests.Architecture;

/// <summary>The check of the bills of materials must see what it is for; the bills themselves are read from the packages (<see cref="PackageTests"/>).</summary>
public sealed class BillOfMaterialsTests
{
    private const string Manifest = """<package><dependency id="A" version="1.0.0" /></package>""";

    private static readonly string Bom = """
        {
          "bomFormat": "CycloneDX", "specVersion": "1.6",
          "metadata": { "component": { "bom-ref": "pkg:nuget/P@1", "name": "P" } },
          "components": [
            { "bom-ref": "pkg:nuget/A@1.0.0", "purl": "pkg:nuget/A@1.0.0", "licenses": [ { "expression": "MIT" } ], "hashes": [ { "content": "HASH" } ] },
            { "bom-ref": "pkg:nuget/B@2.0.0", "purl": "pkg:nuget/B@2.0.0", "licenses": [ { "expression": "MIT" } ], "hashes": [ { "content": "HASH" } ] }
          ],
          "dependencies": [
            { "ref": "pkg:nuget/P@1", "dependsOn": [ "pkg:nuget/A@1.0.0" ] },
            { "ref": "pkg:nuget/A@1.0.0", "dependsOn": [ "pkg:nuget/B@2.0.0" ] }
          ]
        }
        """.Replace("HASH", new string('0', 128), StringComparison.Ordinal);

    [Theory]
    [InlineData("", "", "")]
    [InlineData("CycloneDX", "SPDX", "it is not CycloneDX 1.6")]
    [InlineData("\"name\": \"P\"", "\"name\": \"Q\"", "it is not about P")]
    [InlineData("\"dependsOn\": [ \"pkg:nuget/A@1.0.0\" ]", "\"dependsOn\": [ \"pkg:nuget/A@1.0.0\", \"pkg:nuget/B@2.0.0\" ]",
        "pkg:nuget/B@2.0.0 is in the bill and not in the manifest")]
    [InlineData("\"dependsOn\": [ \"pkg:nuget/B@2.0.0\" ]", "\"dependsOn\": []", "pkg:nuget/B@2.0.0 is needed by nothing")]
    [InlineData("\"dependsOn\": [ \"pkg:nuget/B@2.0.0\" ]", "\"dependsOn\": [ \"pkg:nuget/B@2.0.0\", \"pkg:nuget/C@3\" ]", "pkg:nuget/C@3 is no component")]
    [InlineData("\"purl\": \"pkg:nuget/B@2.0.0\"", "\"purl\": \"pkg:nuget/B@2.0.1\"", "pkg:nuget/B@2.0.0 has another address")]
    [InlineData("B@2.0.0\", \"licenses\": [ { \"expression\": \"MIT\" } ]", "B@2.0.0\", \"licenses\": []", "pkg:nuget/B@2.0.0 has no licence")]
    [InlineData("B@2.0.0\", \"licenses\": [ { \"expression\": \"MIT\" } ], \"hashes\": [ { \"content\": \"0",
        "B@2.0.0\", \"licenses\": [ { \"expression\": \"MIT\" } ], \"hashes\": [ { \"content\": \"", "pkg:nuget/B@2.0.0 has no hash")]
    public void A_planted_fault_of_a_bill_is_found(string right, string wrong, string complaint)
    {
        string bom = right.Length == 0 ? Bom : Bom.Replace(right, wrong, StringComparison.Ordinal);
        if (right.Length > 0) bom.Should().NotBe(Bom, "the fault was planted");
        BillOfMaterials.Problems("P", bom, Manifest).Should().BeEquivalentTo(complaint.Length == 0 ? [] : new[] { complaint });
    }

    [Fact]
    public void What_the_manifest_names_must_stand_in_the_bill() =>
        BillOfMaterials.Problems("P", Bom, Manifest.Replace("/></", "/><dependency id=\"D\" version=\"4.0.0\" /></", StringComparison.Ordinal))
            .Should().Equal("pkg:nuget/D@4.0.0 is in the manifest and not in the bill");
}
