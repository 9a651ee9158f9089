using CsCheck;
using Grpc.Core;

namespace Resilience.Tests;

/// <summary>Answers as they are stored.</summary>
public sealed class AnswerRecordTests
{
    private static readonly Gen<Metadata.Entry> Entries = Gen.OneOf(
        Gen.Select(Gen.Char['a', 'z'].Array[1, 8], Gen.String, (k, v) => new Metadata.Entry(new(k), v)),
        Gen.Select(Gen.Char['a', 'z'].Array[1, 8], Gen.Byte.Array, (k, v) => new Metadata.Entry(new string(k) + "-bin", v)));

    private static readonly Gen<GrpcAnswer> Answers = Gen.Select(
        Gen.Int[0, 16], Gen.String, Entries.List[0, 4], Gen.Byte.Array, Gen.Bool, (status, detail, trailers, message, hasMessage) => new GrpcAnswer
        {
            Status = new((StatusCode)status, detail),
            Trailers = trailers,
            Message = hasMessage ? message : null,
        });

    [Fact]
    public void What_is_written_is_read_again() => Answers.Sample(
        answer =>
        {
            GrpcAnswer? read = GrpcAnswer.Decode(answer.Encode(int.MaxValue));
            return read is not null && Text(read) == Text(answer);
        },
        iter: 2000);

    [Fact]
    public void What_is_cut_or_changed_is_no_answer_or_another_and_never_an_exception() => Gen.Select(Answers, Gen.Double[0, 1], Gen.Byte).Sample(
        (answer, where, with) =>
        {
            byte[] record = answer.Encode(int.MaxValue);
            int at = (int)(where * (record.Length - 1));
            GrpcAnswer.Decode(record.AsMemory(0, at));
            record[at] = with;
            GrpcAnswer.Decode(record);
        },
        iter: 5000);

    [Fact]
    public void Anything_can_be_given_to_it() => Gen.Byte.Array[0, 60].Sample(bytes => { GrpcAnswer.Decode(bytes); }, iter: 20_000);

    /// <summary>Records that would be read as something that was never written.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("0000")]
    [InlineData("FFFF45010000000000")]
    [InlineData("0000040000000000000000")]
    [InlineData("000000000000000100")]
    [InlineData("00000000000000000041")]
    [InlineData("000000FFFFFFFF0000")]
    [InlineData("00000000000000010001000A000000")]
    [InlineData("0000000000000001000100200000000041")]
    public void A_record_that_is_none_is_not_read(string hex) => GrpcAnswer.Decode(Convert.FromHexString(hex)).Should().BeNull();

    private static string Text(GrpcAnswer answer) =>
        $"{answer.Status.StatusCode} {Utf8(answer.Status.Detail)} {string.Join(' ', answer.Trailers.Select(Text))} "
        + (answer.Message is { } message ? Convert.ToHexString(message.Span) : "none") + answer.IsOmitted;

    private static string Text(Metadata.Entry entry) => $"{entry.Key}={(entry.IsBinary ? Convert.ToHexString(entry.ValueBytes) : Utf8(entry.Value))}";

    /// <summary>Halves of pairs cannot be written.</summary>
    private static string Utf8(string text) => System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));
}
