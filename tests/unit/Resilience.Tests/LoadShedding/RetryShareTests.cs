namespace Resilience.Tests.LoadShedding;

/// <summary>The share of repeated requests, against a list of all of them.</summary>
public sealed class RetryShareTests
{
    private const long SecondMs = 1024;

    [Fact]
    public void A_few_requests_prove_nothing()
    {
        RetryShare share = new();
        for (int i = 0; i < 19; i++) share.Count(5_000, isRepeated: true);
        share.Of(5_000).Should().Be(0);
        share.Count(5_000, isRepeated: true);
        share.Of(5_000).Should().Be(1);
    }

    [Fact]
    public void It_agrees_with_a_list_of_all_requests()
    {
        Random random = new(18);
        for (int round = 0; round < 200; round++)
        {
            RetryShare share = new();
            List<(long Second, bool IsRepeated)> all = [];
            long now = random.NextInt64(-100_000, 1_000_000);
            for (int i = 0; i < 400; i++)
            {
                now += random.Next(4) == 0 ? random.Next(3_000) : random.Next(60);
                bool isRepeated = random.Next(3) == 0;
                share.Count(now, isRepeated);
                all.Add((now >> 10, isRepeated));
                (long, bool IsRepeated)[] last = [.. all.Where(r => r.Second > (now >> 10) - 10)];
                share.Of(now).Should().BeApproximately(last.Length < 20 ? 0 : (double)last.Count(r => r.IsRepeated) / last.Length, 1e-12);
            }
        }
    }

    [Fact]
    public void A_second_that_is_full_stays_full()
    {
        RetryShare share = new();
        for (int i = 0; i < (1 << 20) + 10; i++) share.Count(7 * SecondMs, isRepeated: true);
        share.Of(7 * SecondMs).Should().Be(1, "a count that overflowed would be one of another second");
        share.Of(17 * SecondMs).Should().Be(0);
    }

    [Fact]
    public void Counts_of_threads_are_not_lost()
    {
        RetryShare share = new();
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 20_000; i++) share.Count(0, isRepeated: (i & 1) == 0);
        });
        share.Of(0).Should().Be(0.5);
    }
}
