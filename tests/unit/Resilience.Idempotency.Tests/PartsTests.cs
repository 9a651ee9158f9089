using System.Security.Cryptography;
using System.Text;

namespace Resilience.Idempotency.Tests;

/// <summary>The small parts: keys and their bytes, what is kept of simple types, rules that judge an outcome, rejections in words.</summary>
public sealed class PartsTests
{
    [Theory]
    [InlineData(3, 5)]
    [InlineData(IdempotencyKey.MaxScopeLength, IdempotencyKey.MaxLength)]
    public void The_id_is_the_hash_of_the_framed_scope_and_key(int scopeLength, int keyLength)
    {
        IdempotencyKey key = new(new string('\u00e9', scopeLength), new string('k', keyLength));
        byte[] scope = Encoding.UTF8.GetBytes(key.Scope), value = Encoding.UTF8.GetBytes(key.Value);
        byte[] framed = [.. "v1\0\0"u8, .. BitConverter.GetBytes(scope.Length), .. scope, .. BitConverter.GetBytes(value.Length), .. value];
        key.ToId().ToArray().Should().Equal(SHA256.HashData(framed));
        key.ToId().ToHex().Should().Be(Convert.ToHexStringLower(SHA256.HashData(framed)));
        key.ToString().Should().Be(key.ToId().ToString()).And.HaveLength(12);
    }

    [Fact]
    public void The_bytes_of_ids_and_fingerprints_go_out_and_in_and_need_room()
    {
        byte[] bytes = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        IdempotencyId.FromBytes(bytes).ToArray().Should().Equal(bytes);
        Fingerprint.FromBytes(bytes).ToArray().Should().Equal(bytes);
        Fingerprint.FromBytes(bytes).ToString().Should().Be("Fingerprint", "the content is confidential");
        IdempotencyId.FromBytes(bytes).GetHashCode().Should().Be(IdempotencyId.FromBytes(bytes).GetHashCode());
        Fingerprint.FromBytes(bytes).GetHashCode().Should().Be(Fingerprint.FromBytes(bytes).GetHashCode());
        FluentActions.Invoking(() => IdempotencyId.FromBytes(bytes.AsSpan(1))).Should().Throw<ArgumentException>().WithMessage("*31*32*");
        FluentActions.Invoking(() => IdempotencyId.FromBytes(bytes).CopyTo(new byte[31])).Should().Throw<ArgumentException>().WithMessage("*32 bytes*");
        FluentActions.Invoking(() => Fingerprint.FromBytes(bytes).CopyTo(new byte[31])).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void A_fingerprint_of_bytes_is_that_of_their_pieces_framed_at_the_end_apart()
    {
        byte[] content = Encoding.UTF8.GetBytes(new string('x', 1000));
        using FingerprintBuilder builder = new();
        Fingerprint whole = builder.AddPiece(content.AsSpan(0, 300)).AddPiece(content.AsSpan(300)).EndPieces().Build();
        Fingerprint again = builder.AddPiece(content).EndPieces().Build();
        again.Should().Be(whole, "the builder is empty again after each, and pieces are no borders");
        builder.Add(content).Build().Should().Be(Fingerprint.Of(content)).And.NotBe(whole, "a piece is framed behind, a part before");
        builder.AddPiece(content).EndPieces().Add((string?)null).Build().Should().NotBe(whole);
        byte[] framed = [.. "fp1\0"u8, .. BitConverter.GetBytes(1000L), .. content];
        Fingerprint.Of(content).ToArray().Should().Equal(SHA256.HashData(framed));
        byte[] texts = [.. "fp1\0"u8, .. BitConverter.GetBytes(6L), .. Encoding.Unicode.GetBytes("abc"), .. BitConverter.GetBytes(-1L),
            .. BitConverter.GetBytes(0L)];
        Fingerprint.Of("abc", null, "").ToArray().Should().Equal(SHA256.HashData(texts));
        string text = new('y', 300); // longer than the buffer of 128 units
        byte[] longer = [.. "fp1\0"u8, .. BitConverter.GetBytes(600L), .. Encoding.Unicode.GetBytes(text)];
        Fingerprint.Of(text).ToArray().Should().Equal(SHA256.HashData(longer));
    }

    public static TheoryData<object> Simple => [true, 7, 1L << 40, 0.25, 12.50m, Guid.Parse("8e03978e-40d5-43dd-bc93-6894a57f9324"), "text",
        new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(1))];

    [Theory]
    [MemberData(nameof(Simple))]
    public async Task A_result_of_a_simple_type_is_kept_and_given_back(object value)
    {
        Task running = value switch
        {
            bool flag => CheckAsync(flag),
            int number => CheckAsync(number),
            long number => CheckAsync(number),
            double number => CheckAsync(number),
            decimal number => CheckAsync(number),
            Guid guid => CheckAsync(guid),
            DateTimeOffset date => CheckAsync(date),
            _ => CheckAsync((string)value),
        };
        await running;

        static async Task CheckAsync<T>(T value)
        {
            using Kit kit = new();
            for (int i = 0; i < 2; i++)
                (await kit.Gate.GetOrAddAsync(new("s", "k"), (_, _) => i == 0 ? new ValueTask<T>(value) : throw new InvalidOperationException("twice")))
                    .Should().Be(value);
        }
    }

    [Fact]
    public void Bytes_are_simple_and_other_types_are_unknown()
    {
        System.Buffers.ArrayBufferWriter<byte> written = new();
        JsonIdempotencySerializer.Simple.Serialize(written, new byte[] { 1, 2, 3 });
        JsonIdempotencySerializer.Simple.Deserialize<byte[]>(written.WrittenSpan).Should().Equal(1, 2, 3);
        JsonIdempotencySerializer.Simple.CanSerialize(typeof(Uri)).Should().BeFalse();
    }

    [Fact]
    public void What_becomes_of_an_outcome_follows_from_verdict_and_error_and_the_point_of_no_return()
    {
        (IdempotencyDisposition Before, IdempotencyDisposition Past) Judged(Outcome<int> outcome) =>
            (IdempotencyOutcomes.Default.Judge(outcome, false), IdempotencyOutcomes.Default.Judge(outcome, true));
        (IdempotencyDisposition, IdempotencyDisposition) kept = (IdempotencyDisposition.Keep, IdempotencyDisposition.Keep);
        Judged(Outcome.Success(1)).Should().Be(kept);
        Judged(Outcome.Result(1, Verdict.Ignored)).Should().Be(kept);
        Judged(Outcome.Result(1, Verdict.Failure)).Should().Be((IdempotencyDisposition.Hold, IdempotencyDisposition.KeepAsOutcomeUnknown));
        Judged(Outcome.Failure<int>(new FormatException())).Should().Be((IdempotencyDisposition.Hold, IdempotencyDisposition.KeepAsOutcomeUnknown));
        Judged(Outcome.Failure<int>(new FormatException(), Verdict.Ignored))
            .Should().Be((IdempotencyDisposition.Hold, IdempotencyDisposition.KeepAsOutcomeUnknown));
        Judged(Outcome.Failure<int>(new TimeoutException())).Should().Be((IdempotencyDisposition.Hold, IdempotencyDisposition.KeepAsOutcomeUnknown));
        Judged(Outcome.Failure<int>(new OperationCanceledException(), Verdict.Ignored))
            .Should().Be((IdempotencyDisposition.Hold, IdempotencyDisposition.KeepAsOutcomeUnknown));
        Judged(Outcome.Rejected<int>(new IdempotencyRejection("", "p", IdempotencyRejectionReason.InFlight, TimeProvider.System)))
            .Should().Be((IdempotencyDisposition.Release, IdempotencyDisposition.KeepAsOutcomeUnknown));
    }

    [Fact]
    public void Rules_are_asked_in_order_and_only_about_what_they_are_for()
    {
        IdempotencyOutcomes rules = IdempotencyOutcomes.Default
            .On<FormatException>(_ => null).On<ArgumentException>(IdempotencyDisposition.Keep).On<FormatException>(IdempotencyDisposition.Hold)
            .OnResult<int>(_ => null).OnResult<int>(n => n > 5 ? IdempotencyDisposition.Release : null).OnResult<string>(_ => IdempotencyDisposition.Hold);
        rules.Judge(Outcome.Failure<int>(new FormatException()), false).Should().Be(IdempotencyDisposition.Hold);
        rules.Judge(Outcome.Failure<int>(new ArgumentNullException("derived")), false).Should().Be(IdempotencyDisposition.Keep);
        rules.Judge(Outcome.Failure<int>(new IOException()), false).Should().Be(IdempotencyDisposition.Hold);
        rules.Judge(Outcome.Success(6), false).Should().Be(IdempotencyDisposition.Release);
        rules.Judge(Outcome.Success(5), false).Should().Be(IdempotencyDisposition.Keep);
        rules.Judge(Outcome.Success("x"), false).Should().Be(IdempotencyDisposition.Hold);
        FluentActions.Invoking(() => rules.On<IOException>((IdempotencyDisposition)99)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*disposition*");
    }

    [Fact]
    public void Every_rejection_says_why_in_words_of_its_own()
    {
        IdempotencyRejection[] all = [.. Enum.GetValues<IdempotencyRejectionReason>()
            .Select(r => new IdempotencyRejection("shop", "policy", r, TimeProvider.System, "abc123", null, new IOException("the disk")))];
        all.Select(r => r.Reason).Should().OnlyHaveUniqueItems().And.OnlyContain(r => r.Contains("policy", StringComparison.Ordinal));
        all.Single(r => r.Why == IdempotencyRejectionReason.ClaimLost).Reason.Should().Contain("abc123").And.Contain("lost while the call ran");
        all.Single(r => r.Why == IdempotencyRejectionReason.StoreUnavailable).Reason.Should().Contain("the disk");
    }

    [Fact]
    public void The_policy_tells_its_choices()
    {
        using Kit waits = new(o => (o.WhenInFlight, o.WhenStoreFails, o.MaxWait) = (WhenInFlight.Wait, WhenStoreFails.RunUnprotected, TimeSpan.FromSeconds(7)));
        string described = new ResiliencePipelineBuilder().AddIdempotency(waits.Gate).Build().Describe().ToString();
        described.Should().Contain("wait up to 7 s").And.Contain("run unprotected");
    }

    [Fact]
    public void An_outcome_that_is_none_is_rejected_by_the_law() =>
        FluentActions.Invoking(() => IdempotencyRules.Complete(default, 1, (IdempotencyCompletion)99, TimeSpan.FromHours(1), 0, out _, out _))
            .Should().Throw<ArgumentOutOfRangeException>().WithMessage("*Completed or OutcomeUnknown*");

    [Fact]
    public void An_unknown_outcome_without_a_payload_says_that_it_was_abandoned()
    {
        IdempotencyResult.Kept(IdempotencyCompletion.OutcomeUnknown, default).Status.Should().Be(IdempotencyStatus.OutcomeUnknown);
        IdempotencyResult.Kept(IdempotencyCompletion.Completed, default).Status.Should().Be(IdempotencyStatus.Unreadable, "what was completed has a payload");
        IdempotencyResult unknown = IdempotencyResult.Kept(IdempotencyCompletion.OutcomeUnknown,
            IdempotencyPayload.Encode(IdempotencyPayloadKind.Error, "x"u8));
        (unknown.Status, unknown.Kind, unknown.Content.Length).Should().Be((IdempotencyStatus.OutcomeUnknown, IdempotencyPayloadKind.Error, 1));
    }
}
