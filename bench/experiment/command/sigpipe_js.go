package command

// ignoreBrokenPipes has nothing to do: there are no signals.
func ignoreBrokenPipes() {}
