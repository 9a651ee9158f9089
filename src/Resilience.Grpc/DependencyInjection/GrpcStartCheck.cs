using Grpc.Net.Client;
using Grpc.Net.ClientFactory;
using Microsoft.Extensions.Options;

namespace Resilience.Grpc;

/// <summary>Stands in the options so that the host asks, at start, whether the gRPC clients can be made.</summary>
internal sealed class GrpcStartCheck
{
    internal sealed class Validator(GrpcResilienceProvider provider, IOptionsMonitor<GrpcClientFactoryOptions> clients, IServiceProvider services)
        : IValidateOptions<GrpcStartCheck>
    {
        public ValidateOptionsResult Validate(string? name, GrpcStartCheck options)
        {
            string[] problems = [.. provider.Clients.SelectMany(FindProblems)];
            return problems.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
        }

        /// <summary>The channel is not made: its options are.</summary>
        private IEnumerable<string> FindProblems(string client)
        {
            try
            {
                if (provider.Find(client) is null) return [];
                GrpcChannelOptions channel = new() { ServiceProvider = services };
                foreach (Action<GrpcChannelOptions> act in clients.Get(client).ChannelOptionsActions) act(channel);
                return [];
            }
            catch (OptionsValidationException wrong)
            {
                return wrong.Failures;
            }
            catch (Exception error)
            {
                return [(error is InvalidOperationException ? "" : $"The gRPC client '{client}': ") + SafeCalls.MessageOf(error)];
            }
        }
    }
}
