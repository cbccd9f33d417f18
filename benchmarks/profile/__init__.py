"""Where the processor time of a request goes: stacks that are sampled under load, by what the work is for."""
