namespace Resilience;

/// <summary>Lets one thread build a thing while the others that need the same thing wait for it. The one that builds holds no lock, because building runs
/// code of the user: a factory may wait for a thread that builds another thing.</summary>
/// <remarks>
/// A build that needs itself would wait for ever. It is found by its call chain: a build knows the build that it was begun by, also across threads, as far
/// as the execution context flows. A wait that would close a circle of such needs is an exception instead, in the thread that would close it.
/// </remarks>
/// <typeparam name="TKey">What is built. Its text names it in the exception.</typeparam>
internal sealed class BuildGate<TKey>
{
    private readonly string _what;
    private readonly object _gate = new(); // a monitor: threads wait on it, and the schedule tests can stop at it
    private readonly List<Build> _active = []; // few: what is being built right now
    private readonly AsyncLocal<Build?> _current = new();

    /// <param name="what">What is built, in one word for the exception.</param>
    internal BuildGate(string what) => _what = what;

    /// <summary>What is found, or what is built when nothing is. Of threads that ask at once for the same key one builds; the others look again when it
    /// has ended, and build themselves if it has failed.</summary>
    /// <param name="key">What is needed.</param>
    /// <param name="find">Looks for what was built; null when it is not there.</param>
    /// <param name="build">Builds it and puts it where <paramref name="find"/> sees it.</param>
    /// <exception cref="InvalidOperationException">It is needed to build itself.</exception>
    internal T GetOrBuild<T>(TKey key, Func<TKey, T?> find, Func<TKey, T> build)
        where T : class
    {
        Build? outer = _current.Value;
        while (true)
        {
            if (find(key) is { } known) return known;
            if (TryBegin(key, outer) is not { } mine) continue;
            _current.Value = mine;
            try
            {
                return find(key) ?? build(key); // another thread may have built it between the look and the turn
            }
            finally
            {
                _current.Value = outer;
                End(mine);
            }
        }
    }

    /// <summary>The turn to build; null after another thread's turn has ended.</summary>
    private Build? TryBegin(TKey key, Build? outer)
    {
        lock (_gate)
        {
            if (_active.Find(b => EqualityComparer<TKey>.Default.Equals(b.Key, key)) is not { } other)
            {
                Build mine = new(key, outer);
                _active.Add(mine);
                return mine;
            }

            if (Needs(other, outer, []))
                throw new InvalidOperationException($"The {_what} '{key}' needs itself, by way of {string.Join(" > ", outer!.Chain())}.");
            outer?.WaitsFor.Add(other);
            try
            {
                while (!other.IsOver) Monitor.Wait(_gate); // ends: a build is over however it ends
            }
            finally
            {
                outer?.WaitsFor.Remove(other);
            }

            return null;
        }
    }

    private void End(Build mine)
    {
        lock (_gate)
        {
            mine.IsOver = true;
            _active.Remove(mine);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Whether a build can end only after one of this chain has: it is one of them, it waits for such a one, or one that it has begun does.</summary>
    private bool Needs(Build build, Build? chain, HashSet<Build> seen)
    {
        if (chain is null || !seen.Add(build)) return false;
        return chain.Chain().Contains(build)
            || build.WaitsFor.Exists(w => Needs(w, chain, seen))
            || _active.Exists(b => b.Outer == build && Needs(b, chain, seen));
    }

    private sealed class Build(TKey key, Build? outer)
    {
        internal TKey Key => key;

        /// <summary>The build in which this one was begun.</summary>
        internal Build? Outer => outer;

        /// <summary>Several, where a build asks on several threads. Under the gate.</summary>
        internal List<Build> WaitsFor { get; } = [];

        /// <summary>Under the gate.</summary>
        internal bool IsOver { get; set; }

        internal List<Build> Chain()
        {
            List<Build> chain = [];
            for (Build? build = this; build is not null; build = build.Outer) chain.Insert(0, build);
            return chain;
        }

        public override string ToString() => $"{key}";
    }
}
