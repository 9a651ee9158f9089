namespace Resilience.Tests;

public sealed class SkeletonTests
{
    [Fact]
    public void The_root_is_found() => File.Exists(Path.Combine(Repository.Root, "Resilience.sln")).Should().BeTrue();
}
