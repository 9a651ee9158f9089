// Coyote takes over the threads of the process, and the litmus tests want the processors for themselves: one test at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
