// The cpub command checks, runs and watches pipelines.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], newStdio()))
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, c *stdio) int {
	root := newRoot(c) //nolint:contextcheck // its commands get the context from ExecuteContext
	root.SetArgs(normalise(root, args))
	return c.report(root.ExecuteContext(ctx))
}
