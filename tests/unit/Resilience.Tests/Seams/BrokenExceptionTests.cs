using System.Data.Common;
using System.Net.Sockets;
using System.Reflection;
using System.Reflection.Emit;

namespace Resilience.Tests.Seams;

/// <summary>Exceptions of users in which every member throws that a class can override: derived from every class of exceptions of the framework.
/// The defaults look into exceptions before a link has anything to fall back on, so none of it may come up.</summary>
public sealed class BrokenExceptionTests
{
    private static readonly Type[] Broken = [.. Bases().Select(Break)];

    private static IEnumerable<Type> Bases() =>
        new[] { typeof(Exception), typeof(DbException), typeof(HttpRequestException), typeof(SocketException) }
            .SelectMany(type => type.Assembly.GetExportedTypes())
            .Where(type => typeof(Exception).IsAssignableFrom(type) && !type.IsSealed && !type.ContainsGenericParameters && ConstructorOf(type) is not null);

    private static ConstructorInfo? ConstructorOf(Type type) => type
        .GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
        .FirstOrDefault(c => c.GetParameters().Length == 0 && (c.IsPublic || c.IsFamily || c.IsFamilyOrAssembly));

    /// <summary>A class derived from this one whose overrides do nothing but throw.</summary>
    private static Type Break(Type type)
    {
        TypeBuilder made = AssemblyBuilder.DefineDynamicAssembly(new("Broken"), AssemblyBuilderAccess.Run).DefineDynamicModule("Broken")
            .DefineType("Broken" + type.Name, TypeAttributes.Public, type);
        ILGenerator begin = made.DefineConstructor(MethodAttributes.Public, CallingConventions.HasThis, []).GetILGenerator();
        begin.Emit(OpCodes.Ldarg_0);
        begin.Emit(OpCodes.Call, ConstructorOf(type)!);
        begin.Emit(OpCodes.Ret);
        foreach (MethodInfo method in type.GetMethods(BindingFlags.Instance | BindingFlags.Public).Where(m => m.IsVirtual && !m.IsFinal))
        {
            ILGenerator body = made.DefineMethod(
                method.Name,
                (method.Attributes & ~(MethodAttributes.NewSlot | MethodAttributes.Abstract)) | MethodAttributes.Virtual,
                method.ReturnType,
                [.. method.GetParameters().Select(p => p.ParameterType)]).GetILGenerator();
            body.Emit(OpCodes.Newobj, typeof(TimeZoneNotFoundException).GetConstructor([])!);
            body.Emit(OpCodes.Throw);
        }

        return made.CreateType();
    }

    private static Exception New(Type type) => (Exception)Activator.CreateInstance(type)!;

    /// <summary>The classes of exceptions on which a reader stumbles.</summary>
    private static Type[] StumblesOver(Func<Exception, object?> read) => [.. Broken.Where(type =>
    {
        try
        {
            _ = read(New(type));
            return false;
        }
        catch (Exception)
        {
            return true;
        }
    })];

    [Fact]
    public void No_member_of_an_exception_that_throws_comes_up_from_the_defaults()
    {
        Broken.Length.Should().BeGreaterThan(60);
        StumblesOver(static error => OutcomeClassifier.Default.Judge(error, callCancelled: false)).Should().BeEmpty();
        StumblesOver(static error => OutcomeClassifier.Default.Judge(new AggregateException(error, error), callCancelled: false)).Should().BeEmpty();
        StumblesOver(static error => OutcomeClassifier.Default.Judge(new IOException("x", error), callCancelled: false)).Should().BeEmpty();
    }

    [Fact]
    public void The_check_finds_a_default_that_reads_what_may_throw()
    {
        StumblesOver(static error => error.Message).Should().HaveCount(Broken.Length);
        StumblesOver(static error => error.Data).Should().HaveCount(Broken.Length);
        StumblesOver(static error => error is InvalidOperationException { Source: "x" }).Should()
            .Contain(type => type.BaseType == typeof(InvalidOperationException));
        StumblesOver(static error => new HashSet<object> { error }).Should().HaveCount(Broken.Length);
        StumblesOver(static error => error is DbException { IsTransient: true }).Should().ContainSingle(type => type.BaseType == typeof(DbException));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_exception_whose_members_all_throw_keeps_no_place(bool isAsync)
    {
        ConcurrencyLimit limit = new(new ConcurrencyLimitOptions { MaxConcurrent = 1 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "x" }
            .AddTimeout(TimeSpan.FromMinutes(1)).AddRetry(new RetryOptions { MaxRetries = 1, BaseDelay = TimeSpan.FromTicks(1) })
            .AddCircuitBreaker(new CircuitBreakerOptions { MinimumCalls = 10_000 }).AddConcurrencyLimit(limit).Build();
        foreach (Type type in Broken)
        {
            Exception error = New(type);
            Outcome<int> outcome = await pipeline.TryExecuteAsync<int>(async _ =>
            {
                if (isAsync) await Task.Yield();
                throw error;
            });
            limit.Running.Should().Be(0, type.Name);
            outcome.Exception.Should().BeSameAs(error, type.Name);
        }
    }
}
