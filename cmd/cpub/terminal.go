package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/term"

	"github.com/containerpub/cpub/sdk"
)

// terminal is this process's own while a shell elsewhere has it.
type terminal struct {
	c *stdio

	mu    sync.Mutex
	state *term.State
}

// raw hands on every key as it is typed, until restore.
func (t *terminal) raw() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if state, err := term.MakeRaw(int(t.c.in.Fd())); err == nil { // else lines are sent, which is better than nothing
		t.state = state
	}
}

func (t *terminal) restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != nil {
		_ = term.Restore(int(t.c.in.Fd()), t.state) // nothing else can be done about it
		t.state = nil
	}
}

// sizes tells how large the terminal is, now and when that changes, until ctx ends.
func (t *terminal) sizes(ctx context.Context) <-chan sdk.TerminalSize {
	sizes := make(chan sdk.TerminalSize)
	if !t.c.outTTY {
		return sizes
	}
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	go func() {
		defer signal.Stop(changed)
		for {
			if width, height, err := term.GetSize(int(t.c.in.Fd())); err == nil {
				select {
				case sizes <- sdk.TerminalSize{Columns: uint16(min(max(width, 0), 1<<15)), Rows: uint16(min(max(height, 0), 1<<15))}: //nolint:gosec // bounded
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return sizes
}
