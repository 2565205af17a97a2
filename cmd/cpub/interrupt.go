package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// decision is what a Ctrl-C comes to.
type decision int

const (
	keepWatching decision = iota
	ask                   // ask the user
	cancelRun             // cancel the run, and watch it end
	detach                // leave the run as it is, and go
	giveUp                // go, though the cancelled run has not ended
)

const interruptQuestion = "Stop watching? [c] cancel the run  [d] detach and leave it running  [any other key] keep watching"

// interrupts decides what a signal, or an answer to the question, means. On a terminal the first Ctrl-C asks; without
// one there is nobody to ask and the run is cancelled, so that a stopped CI job stops its run. The next Ctrl-C cancels, and one
// after that gives up waiting for the end.
type interrupts struct {
	interactive bool
	asking      bool
	cancelled   bool
}

// signalled decides on a signal.
func (i *interrupts) signalled(s os.Signal) decision {
	switch {
	case i.cancelled:
		return giveUp
	case s == os.Interrupt && i.interactive && !i.asking:
		i.asking = true
		return ask
	}
	i.asking, i.cancelled = false, true
	return cancelRun
}

// answered decides on a key.
func (i *interrupts) answered(key byte) decision {
	const ctrlC = 3 // the terminal is in raw mode
	i.asking = false
	switch key {
	case 'c', 'C', ctrlC:
		i.cancelled = true
		return cancelRun
	case 'd', 'D':
		return detach
	}
	return keepWatching
}

// notifyInterrupts gives the signals that ask a command to end, until stop is called.
func notifyInterrupts() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals, func() { signal.Stop(signals) }
}

// readKey reads one key from the terminal, without a line end and without an echo. Restore must be called, and may be before
// a key came.
func readKey(in *os.File) (keys <-chan byte, restore func(), err error) {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, nil, fmt.Errorf("asking on the terminal: %w", err)
	}
	read := make(chan byte, 1)
	go func() {
		var key [1]byte
		if n, err := in.Read(key[:]); err == nil && n == 1 {
			read <- key[0]
		}
	}()
	return read, func() { _ = term.Restore(int(in.Fd()), state) }, nil
}
