package sdk

import (
	"context"
	"io"
	"time"
)

// Sheller is a provider that can open a shell in what a step starts with, for a person who looks for what went wrong.
type Sheller interface {
	// Shell makes what the step would have started with anew, with the same limits and proofs, runs a shell there instead of the step's code, and
	// gives its exit code. When it returns, whatever the reason, nothing of it is left. Whoever calls ends it through ctx. A shell that
	// was ended by its time limit is an *Error with CodeTimeLimit.
	Shell(ctx context.Context, s *Shell) (exitCode int, err error)
}

// Shell is what Sheller is asked for.
type Shell struct {
	// Request is the step as it was asked for. Its Key is one that nothing else has, its Host takes what is done before the shell is there.
	*Request

	// Command is what to run instead of a shell; may be empty.
	Command   []string
	TimeLimit time.Duration
	// Terminal tells that Stdin and Stdout are a terminal; Stderr is not used then.
	Terminal bool
	// Sizes gives the terminal's size, at first and when it changes.
	Sizes <-chan TerminalSize

	// Ready is to be called when the shell runs.
	Ready func()

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// TerminalSize is in characters.
type TerminalSize struct{ Columns, Rows uint16 }
