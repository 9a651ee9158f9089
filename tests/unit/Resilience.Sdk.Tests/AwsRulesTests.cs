using System.Globalization;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.S3;
using Resilience.DriverTests;

namespace Resilience.Tests.Sdks;

/// <summary>The rows of AWS, each said by a server to a real client of the SDK, through a pipeline that retries and counts.</summary>
public sealed class AwsRulesTests
{
    private static readonly BasicAWSCredentials Credentials = new("a", "b");

    private static OutcomeClassifier Rules(OutcomeClassifier rules) => rules.Aws();

    private static AmazonDynamoDBClient Table(Uri address) => new(
        Credentials,
        new AmazonDynamoDBConfig { ServiceURL = address.ToString(), MaxErrorRetry = 0, AuthenticationRegion = "eu-west-1", DisableLogging = true });

    private static Func<CancellationToken, Task> Get(AmazonDynamoDBClient table) =>
        token => table.GetItemAsync(new("orders", new Dictionary<string, AttributeValue> { ["id"] = new("1") }), token);

    private static string Json(string code) => $$"""{"__type":"com.amazonaws.dynamodb.v20120810#{{code}}","message":"said by a test"}""";

    [Fact]
    public async Task Each_row_of_the_table_is_repeated_and_counted_as_it_says()
    {
        int status = 400;
        await using Service service = await Service.OpenAsync(_ => status);
        service.Headers["Content-Type"] = "application/x-amz-json-1.0";
        using AmazonDynamoDBClient table = Table(service.Address);
        List<string> wrong = [];
        foreach (TransportRow row in AwsErrors.All)
        {
            bool isStatus = char.IsAsciiDigit(row.Code[0]);
            status = row.Code switch { "5*" => 507, "*" => 404, _ => isStatus ? int.Parse(row.Code, CultureInfo.InvariantCulture) : 400 };
            service.Bad = isStatus || row.Code == "*" ? "{}" : Json(row.Code);
            int before = service.Count;
            Driven driven = await Driven.By(Rules, Get(table));
            if (driven.DifferenceTo(row) is { } difference) wrong.Add(difference);
            if (service.Count - before != driven.Calls) wrong.Add($"{row.Code}: {service.Count - before} requests and {driven.Calls} calls");
        }

        wrong.Should().BeEmpty();
    }

    [Fact]
    public async Task Without_the_table_throttling_counts_against_the_service()
    {
        await using Service service = await Service.OpenAsync(_ => 400);
        (service.Headers["Content-Type"], service.Bad) = ("application/x-amz-json-1.0", Json("ThrottlingException"));
        using AmazonDynamoDBClient table = Table(service.Address);
        (await Driven.By(rules => rules, Get(table))).Counted.Should().BePositive();
        Driven own = await Driven.By(
            rules => rules.Aws().On<AmazonServiceException>(e => e.ErrorCode == "ThrottlingException" ? Classification.Permanent : null), Get(table));
        own.Should().Match<Driven>(d => d.Calls == 1 && d.Counted == 1, "a rule of the user comes first");
    }

    [Fact]
    public async Task S3_says_the_same_in_XML()
    {
        await using Service service = await Service.OpenAsync(_ => 503);
        service.Headers["Content-Type"] = "application/xml";
        service.Bad = "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
        using AmazonS3Client s3 = new(
            Credentials,
            new AmazonS3Config { ServiceURL = service.Address.ToString(), ForcePathStyle = true, MaxErrorRetry = 0, AuthenticationRegion = "eu-west-1" });
        Driven driven = await Driven.By(Rules, token => s3.GetObjectAsync("bucket", "key", token));
        driven.Should().Match<Driven>(d => d.Calls == 2 && d.Counted == 0);
        driven.Outcome.Exception.Should().BeOfType<AmazonS3Exception>().Which.ErrorCode.Should().Be("SlowDown");
    }

    [Theory]
    [InlineData("x-amz-retry-after", "1500", 1500)]
    [InlineData("Retry-After", "3", 3000)]
    [InlineData("x-amz-retry-after", "-5", null)]
    [InlineData("x-amz-retry-after", "99999999999", null)]
    [InlineData("Retry-After", "soon", null)]
    public async Task When_to_come_back_is_read_from_the_answer(string header, string value, int? milliseconds)
    {
        await using Service service = await Service.OpenAsync(_ => 400);
        (service.Headers["Content-Type"], service.Headers[header], service.Bad) = ("application/x-amz-json-1.0", value, Json("ThrottlingException"));
        using AmazonDynamoDBClient table = Table(service.Address);
        List<TimeSpan?> said = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().Classify(Rules).AddRetry(o => o.ShouldRetry = attempt =>
        {
            said.Add(attempt.RetryAfter);
            return false;
        }).Build();
        (await pipeline.TryExecuteAsync(async token =>
        {
            await Get(table)(token);
            return 0;
        })).IsSuccess.Should().BeFalse();
        said.Should().Equal(milliseconds is { } ms ? TimeSpan.FromMilliseconds(ms) : null);
    }

    [Fact]
    public async Task A_service_that_cannot_be_reached_is_judged_as_a_socket()
    {
        Service service = await Service.OpenAsync();
        Uri address = service.Address;
        await service.DisposeAsync();
        using AmazonDynamoDBClient table = Table(address);
        Driven driven = await Driven.By(Rules, Get(table));
        driven.Should().Match<Driven>(d => d.Calls == 2 && d.Counted == 2);
    }

    /// <summary>The SDK has added or taken away a code: look at it.</summary>
    [Fact]
    public void The_codes_of_the_SDK_are_those_of_the_table()
    {
        StandardRetryPolicy theirs = new(new AmazonS3Config());
        AwsErrors.All.Where(r => r.Classification.IsOverload && !char.IsAsciiDigit(r.Code[0])).Select(r => r.Code)
            .Should().BeEquivalentTo(theirs.ThrottlingErrorCodes.Append("EC2ThrottledException"), "EC2 documents one more");
        theirs.TimeoutErrorCodesToRetryOn.Should().OnlyContain(code => AwsErrors.Judge(code, 400)!.Value.Verdict == Verdict.Failure);
        theirs.HttpStatusCodesToRetryOn.Should().OnlyContain(status => AwsErrors.Judge(null, (int)status)!.Value.Verdict == Verdict.Failure);
    }

    [Theory]
    [InlineData("5*", 404, Verdict.Ignored)] // a code that looks like a row of a status is none
    [InlineData("503", 404, Verdict.Ignored)]
    [InlineData("*", 500, Verdict.Failure)]
    [InlineData("", 200, null)]
    [InlineData(null, null, null)]
    public void A_code_is_no_status_and_no_error_is_no_row(string? code, int? status, Verdict? verdict) =>
        (AwsErrors.Judge(code, status)?.Verdict).Should().Be(verdict);
}
