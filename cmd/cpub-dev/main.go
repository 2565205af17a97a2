// The cpub-dev command runs everything that ContainerPub needs on one machine:
// a Temporal server with its UI, an S3 gateway, an OCI registry and one
// worker. Their state is in one folder.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/containerpub/cpub/cmd/cpub-dev/internal/stack"
)

// gatewayArg is the only argument of this binary when it runs as the stack's
// S3 gateway. Users do not call it.
const gatewayArg = "__s3-gateway"

func main() {
	if len(os.Args) == 2 && os.Args[1] == gatewayArg {
		os.Exit(gateway())
	}
	os.Exit(execute())
}

// gateway serves S3 until the stack that started this process ends.
func gateway() int {
	if err := stack.ServeGateway(context.Background(), os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return exitOK
}

// The exit codes, as those of cpub. With a COMMAND, its own comes before them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// exitError carries an exit code to main. The message of err, if there is
// one, is for the user.
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

// execute runs the command line, prints its error, and returns the exit code.
func execute() int {
	err := newCommand().Execute()
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitUsage, err: err} // cobra's own errors are about the arguments
	}
	if exit.err != nil {
		fmt.Fprintln(os.Stderr, "cpub-dev:", exit.err)
	}
	return exit.code
}
