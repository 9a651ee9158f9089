namespace Resilience;

/// <summary>An action that a viewer asks for.</summary>
/// <param name="Action">isolate or close, for a circuit; turn-off, for a switch that injects faults; look-at-record, record-not-done, record-done and
/// record-unknown, for a gate.</param>
/// <param name="Target">The id of the circuit, the switch or the gate, as in the state.</param>
/// <param name="Record">The id of the record, 64 hexadecimal digits.</param>
/// <param name="Fence">The fence of the record that was looked at.</param>
internal sealed record DashboardAction(string? Action, string? Target, string? Record = null, long? Fence = null);
