using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Resilience.Tests.Architecture;

namespace Resilience.Tests.Docs;

/// <summary>The consumer of the page on messages, copied as it stands, in a host with a queue that delivers at least once.</summary>
public sealed class MessagesPageTests : IDisposable
{
    private const string Usings = """
        global using System; global using System.Collections.Generic; global using System.Threading; global using System.Threading.Tasks;
        global using Resilience; global using Microsoft.Extensions.DependencyInjection;
        """;

    /// <summary>A broker in memory, and a billing that does as the order says. What happens is told as text, since no type here is known outside.</summary>
    private const string Around = """
        using System.Collections.Concurrent;
        using System.Runtime.CompilerServices;
        using System.Text;
        using System.Threading.Channels;

        public sealed class Broker(Action<string> tell) : IQueue
        {
            private readonly Channel<Delivery> _waiting = Channel.CreateUnbounded<Delivery>();
            public void Send(string id, string order) => _waiting.Writer.TryWrite(new(id, Encoding.UTF8.GetBytes(order)));
            public IAsyncEnumerable<Delivery> ReceiveAsync(CancellationToken stop) => _waiting.Reader.ReadAllAsync(stop);
            public Task AcknowledgeAsync(Delivery d) { tell($"{d.Id} acknowledged"); return Task.CompletedTask; }
            public Task DeliverAgainAsync(Delivery d, TimeSpan after) { tell($"{d.Id} again"); _waiting.Writer.TryWrite(d); return Task.CompletedTask; }
            public Task MoveToDeadLettersAsync(Delivery d, string why) { tell($"{d.Id} dead: {why}"); return Task.CompletedTask; }
        }

        public sealed class Till(Action<string> tell) : IBilling
        {
            public async ValueTask ChargeAsync(byte[] order, string key, CancellationToken stop)
            {
                string text = Encoding.UTF8.GetString(order);
                tell($"charge {text} under {key}");
                if (text == "broken") throw new InvalidOperationException("it cannot be charged");
                await Task.Yield();
            }
        }

        public static class Run
        {
            public static Action<string, string> Add(IServiceCollection services, string database, Action<string> tell)
            {
                Broker broker = new(tell);
                services.AddSingleton<IQueue>(broker).AddSingleton<IBilling>(new Till(tell));
                services.AddBillingConsumer(database);
                return broker.Send;
            }
        }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    private static Type Compiled()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "idempotency", "messages.md"));
        string block = page.Split("```csharp\n").Skip(1).Select(b => b.Split("```")[0])
            .Single(b => b.Contains("class BillingConsumer", StringComparison.Ordinal));
        CSharpCompilation compilation = CSharpCompilation.Create(
            "MessagesPage", [.. new[] { Usings, block, Around }.Select(s => CSharpSyntaxTree.ParseText(s))], References.Packages,
            new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        using MemoryStream assembly = new();
        compilation.Emit(assembly).Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error).ShouldBeNone();
        return Assembly.Load(assembly.ToArray()).GetType("Run")!;
    }

    [Fact]
    public async Task The_consumer_of_the_page_processes_once_across_restarts_and_ends_a_poison_message()
    {
        MethodInfo add = Compiled().GetMethod("Add")!;
        Journal first = new(), second = new();
        await using (Service service = await Service.StartAsync(add, _folder, first))
        {
            service.Send("m1", "book");
            service.Send("m1", "book"); // the acknowledgement was lost
            service.Send("m2", "broken");
            service.Send("m3", "pen");
            await first.UntilAsync(lines => lines.Any(l => l.StartsWith("m2 dead", StringComparison.Ordinal)) && lines.Contains("m3 acknowledged"));
        }

        await using (Service service = await Service.StartAsync(add, _folder, second))
        {
            service.Send("m1", "book");
            service.Send("m2", "broken");
            await second.UntilAsync(lines => lines.Count >= 2);
        }

        first.Of("m1 ").Should().Equal("m1 acknowledged", "m1 acknowledged");
        first.Of("charge book").Should().ContainSingle();
        first.Of("charge broken").Should().HaveCount(3, "the page says three attempts")
            .And.OnlyContain(l => l == first.Of("charge broken")[0], "all under the same key");
        first.Of("m2 ").Should().Equal("m2 again", "m2 again", "m2 again", "m2 dead: it failed as often as it may");
        second.Lines.Should().Equal("m1 acknowledged", "m2 dead: it failed as often as it may");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private sealed class Service(IHost host, Action<string, string> send) : IAsyncDisposable
    {
        internal Action<string, string> Send => send;

        internal static async Task<Service> StartAsync(MethodInfo add, string folder, Journal journal)
        {
            HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
            builder.Services.AddLogging(l => l.ClearProviders());
            Action<string,
                string> send = (Action<string, string>)add.Invoke(null, [builder.Services, Path.Combine(folder, "messages.db"), (Action<string>)journal.Add])!;
            IHost host = builder.Build();
            await host.StartAsync();
            return new(host, send);
        }

        public async ValueTask DisposeAsync()
        {
            await host.StopAsync();
            await ((IAsyncDisposable)host).DisposeAsync();
        }
    }

    private sealed class Journal
    {
        private readonly Lock _gate = new();
        private readonly List<string> _lines = [];

        internal IReadOnlyList<string> Lines
        {
            get
            {
                lock (_gate) return [.. _lines];
            }
        }

        internal void Add(string line)
        {
            lock (_gate) _lines.Add(line);
        }

        internal IReadOnlyList<string> Of(string start) => [.. Lines.Where(l => l.StartsWith(start, StringComparison.Ordinal))];

        internal async Task UntilAsync(Func<IReadOnlyList<string>, bool> holds)
        {
            using CancellationTokenSource limit = new(TimeSpan.FromMinutes(2));
            while (!holds(Lines)) await Task.Delay(5, limit.Token);
        }
    }
}
