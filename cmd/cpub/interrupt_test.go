package main

import (
	"os"
	"syscall"
	"testing"
)

func TestInterrupts(t *testing.T) {
	key := func(k byte) func(*interrupts) decision { return func(i *interrupts) decision { return i.answered(k) } }
	sig := func(s os.Signal) func(*interrupts) decision {
		return func(i *interrupts) decision { return i.signalled(s) }
	}
	ctrlC, term := sig(os.Interrupt), sig(syscall.SIGTERM)
	type step struct {
		input func(*interrupts) decision
		want  decision
	}
	for name, test := range map[string]struct {
		interactive bool
		steps       []step
	}{
		"nobody to ask": {false, []step{{ctrlC, cancelRun}, {ctrlC, giveUp}}},
		"cancel":        {true, []step{{ctrlC, ask}, {key('c'), cancelRun}, {ctrlC, giveUp}}},
		"detach":        {true, []step{{ctrlC, ask}, {key('d'), detach}}},
		"keep watching": {true, []step{{ctrlC, ask}, {key('\r'), keepWatching}, {ctrlC, ask}, {key('D'), detach}}},
		"twice":         {true, []step{{ctrlC, ask}, {key(3), cancelRun}, {term, giveUp}}},
		"twice, cooked": {true, []step{{ctrlC, ask}, {ctrlC, cancelRun}, {ctrlC, giveUp}}},
		"told to end":   {true, []step{{term, cancelRun}, {term, giveUp}}},
	} {
		i := &interrupts{interactive: test.interactive}
		for n, s := range test.steps {
			if got := s.input(i); got != s.want {
				t.Errorf("%s, step %d: got %d, want %d", name, n, got, s.want)
			}
		}
	}
}
