package container

import (
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk/contract"
)

// TestWhatEnded is what a container that nobody of us stopped was ended by, from its exit code, what the kernel counted, and how long it ran.
func TestWhatEnded(t *testing.T) {
	in, err := decode(t, `{"success_exit_codes":[0,4]}`)
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		code                              int32
		oom, podmanSays, atLimit, adopted bool
		ran                               time.Duration
	}
	for name, c := range map[string]struct {
		seen seen
		want string
	}{
		"success":                               {seen{code: 0}, contract.EndedByExit},
		"failure":                               {seen{code: 1}, contract.EndedByExit},
		"the highest code":                      {seen{code: 255}, contract.EndedByExit},
		"killed for memory, seen by us":         {seen{code: 137, oom: true}, contract.EndedByOOM},
		"killed for memory, seen by Podman":     {seen{code: 137, podmanSays: true}, contract.EndedByOOM},
		"killed for memory, seen by nobody":     {seen{code: 137, atLimit: true, adopted: true}, contract.EndedByOOM},
		"a child killed, the first failed":      {seen{code: 1, oom: true}, contract.EndedByOOM},
		"a child killed, the first succeeded":   {seen{code: 0, oom: true}, contract.EndedByExit},
		"a child killed, the code is a success": {seen{code: 4, oom: true}, contract.EndedByExit},
		"failed at its limit of memory":         {seen{code: 1, atLimit: true, adopted: true}, contract.EndedByExit},
		"SIGKILL that was not for memory":       {seen{code: 137}, contract.EndedBySignal},
		"SIGTERM":                               {seen{code: 143}, contract.EndedBySignal},
		"Podman's own timeout":                  {seen{code: -1, ran: 35 * time.Second}, contract.EndedByTimeLimit},
		"Podman's monitor failed":               {seen{code: -1, ran: time.Second}, contract.EndedByExit},
		"over its time, and nobody there":       {seen{code: 0, adopted: true, ran: 9 * time.Second}, contract.EndedByTimeLimit},
		"in time, and nobody there":             {seen{code: 0, adopted: true, ran: 5 * time.Second}, contract.EndedByExit},
		"just before it was stopped":            {seen{code: 0, ran: 9 * time.Second}, contract.EndedByExit},
	} {
		start := time.Now()
		state := &inspected{exitCode: c.seen.code, oomKilled: c.seen.podmanSays, startedAt: start, finishedAt: start.Add(c.seen.ran)}
		if got := (&run{in: in, adopted: c.seen.adopted}).whatEnded(state, c.seen.oom, c.seen.atLimit); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
