namespace Resilience;

/// <summary>A rule for exceptions of a type.</summary>
internal readonly record struct ExceptionRule(Type Type, Func<Exception, Classification?> Judge);
