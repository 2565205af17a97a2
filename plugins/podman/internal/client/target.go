package client

// Find tells which service the settings lead to, as Open finds it, without connecting to it.
func Find(s Settings) (Target, error) { return find(s) }
