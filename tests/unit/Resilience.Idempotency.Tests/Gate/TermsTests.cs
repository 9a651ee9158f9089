namespace Resilience.Idempotency.Tests.Gate;

/// <summary>Gates under terms of their own before the same store.</summary>
public sealed class TermsTests
{
    [Fact]
    public async Task Equal_terms_are_one_gate_before_the_same_store_and_no_terms_are_the_gate_itself()
    {
        using Kit kit = new();
        IdempotencyTerms terms = new() { Retention = TimeSpan.FromHours(1) };
        IdempotencyGate own = kit.Gate.For(terms);
        IdempotencyId id = Kit.NewId();
        await (await own.EnterAsync(id, default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, "1"u8.ToArray());

        kit.Gate.For(terms with { }).Should().BeSameAs(own).And.NotBeSameAs(kit.Gate);
        kit.Gate.For(new()).Should().BeSameAs(kit.Gate);
        (own.Name, own.Store, own.Retention).Should().Be((kit.Gate.Name, kit.Gate.Store, TimeSpan.FromHours(1)));
        (await kit.Gate.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.Replayed);
        kit.Time.Advance(TimeSpan.FromHours(1));
        (await kit.Gate.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.Claimed, "it was kept under its own terms");
    }

    [Fact]
    public async Task A_claim_is_renewed_by_its_own_lease_until_the_gate_is_disposed_of()
    {
        UnrulyStore? store = null;
        Kit kit = new(wrap: inner => store = new(inner));
        IdempotencyGate own = kit.Gate.For(new() { Lease = TimeSpan.FromSeconds(3) });
        (await own.EnterAsync(Kit.NewId(), default)).Claim!.Fence.Should().BePositive();
        await kit.PassAsync(TimeSpan.FromSeconds(6), 60);
        int renewed = store!.Asked.Count(a => a == "renew");

        kit.Dispose();
        await kit.PassAsync(TimeSpan.FromSeconds(6), 60);

        renewed.Should().BeGreaterThanOrEqualTo(3, "a lease of 3 s is renewed within 1.1 s, one of 30 s not at all in this time");
        store.Asked.Count(a => a == "renew").Should().Be(renewed);
    }

    [Fact]
    public void Terms_that_do_not_fit_the_gate_are_rejected_by_name()
    {
        using Kit kit = new();

        kit.Gate.Invoking(g => g.For(new() { Retention = TimeSpan.FromSeconds(1), MaxAttempts = 0 })).Should().Throw<ResilienceOptionsException>()
            .Which.Problems.Select(p => p.Option).Should().Equal("Retention", "MaxAttempts");
    }
}
