package main

import "time"

// pruneGrace is how old something of a run must be that Temporal does not know as open: its list may be a moment old.
const pruneGrace = 2 * time.Minute
