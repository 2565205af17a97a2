package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // the run failed, or the command did
	exitUsage       = 2 // wrong use, or an invalid pipeline
	exitUnreachable = 3 // a service cannot be reached
	exitCancelled   = 4
)

// exitError carries an exit code to main. Where err is nil, all has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exit ends the command with a code, everything having been said.
func exit(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// usagef is a mistake in how the command is used.
func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// unreachablef is a service that does not answer.
func unreachablef(format string, args ...any) error {
	return &exitError{code: exitUnreachable, err: fmt.Errorf(format, args...)}
}

// verb makes what a command does: its errors get the exit code that they mean. What cobra itself finds is wrong use.
func verb(f func(cmd *cobra.Command, args []string) error) func(cmd *cobra.Command, args []string) error {
	return func(cmd *cobra.Command, args []string) error { return coded(f(cmd, args)) }
}
