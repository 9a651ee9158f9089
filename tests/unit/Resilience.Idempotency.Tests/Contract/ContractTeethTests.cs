using Resilience.Testing;
using Resilience.Tests;

namespace Resilience.Idempotency.Tests.Contract;

/// <summary>The suite rejects a store for each way in which a store can be wrong: no teeth, no trust.</summary>
public sealed class ContractTeethTests
{
    public static TheoryData<Flaw> Flaws => [.. Enum.GetValues<Flaw>().Where(f => f != Flaw.None)];

    [Theory]
    [MemberData(nameof(Flaws))]
    public async Task The_suite_finds_a_planted_flaw(Flaw flaw)
    {
        ContractReport report = await IdempotencyStoreContract.CheckAsync(new Subject(flaw));

        report.IsKept.Should().BeFalse($"the flaw {flaw} breaks a law");
    }

    [Fact]
    public async Task The_suite_accepts_a_second_implementation_of_the_contract()
    {
        ContractReport report = await IdempotencyStoreContract.CheckAsync(new Subject(Flaw.None));

        report.ToString().Should().Be($"All {IdempotencyStoreContract.Laws.Count} laws hold.");
    }

    [Fact]
    public async Task Every_law_is_the_one_that_some_flaw_breaks()
    {
        HashSet<string> broken = [];
        foreach (Flaw flaw in Enum.GetValues<Flaw>())
        {
            ContractReport report = await IdempotencyStoreContract.CheckAsync(new Subject(flaw));
            broken.UnionWith(report.Failed.Select(f => f.Key));
        }

        IdempotencyStoreContract.Laws.Select(l => l.Name).Where(n => !broken.Contains(n)).Should().BeEmpty("a law that nothing breaks checks nothing");
    }

    private sealed class Subject(Flaw flaw) : IdempotencyStoreSubject
    {
        private readonly ManualTime _time = new();
        private FlawedStore? _store;

        public override ValueTask<IIdempotencyStore> OpenAsync()
        {
            if (_store is null || flaw == Flaw.ClientsDoNotShare) _store = new(flaw, _time);
            return new(_store);
        }

        public override Task PassAsync(TimeSpan span)
        {
            _time.Advance(span);
            return Task.CompletedTask;
        }

        public override ValueTask<bool> TryCorruptAsync(IdempotencyId id)
        {
            _store!.Corrupt(id);
            return new(true);
        }
    }
}
