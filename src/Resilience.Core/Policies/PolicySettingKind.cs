namespace Resilience.Extensibility;

/// <summary>What the value of a setting looks like.</summary>
public enum PolicySettingKind
{
    /// <summary>True or false.</summary>
    Flag,

    /// <summary>A whole number.</summary>
    Whole,

    /// <summary>A number.</summary>
    Number,

    /// <summary>A span of time.</summary>
    Span,

    /// <summary>One of some words.</summary>
    Choice,

    /// <summary>A text.</summary>
    Text,

    /// <summary>A list of texts.</summary>
    Texts,

    /// <summary>A group of settings.</summary>
    Group,

    /// <summary>A list of groups.</summary>
    Groups,
}
