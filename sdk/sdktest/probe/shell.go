//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// shell stands in for /bin/sh: each line of its script is one command of the probe, and the first that fails is the last.
func shell(args []string) {
	if len(args) != 3 || args[0] != "-e" || args[1] != "-c" {
		fail(fmt.Errorf("the shell wants -e -c SCRIPT, not %q", args))
	}
	fmt.Println("shell -e")
	for line := range strings.Lines(args[2]) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		cmd := exec.Command("/proc/self/exe", words...) //nolint:noctx // it ends with its container
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		if err != nil {
			fail(err)
		}
	}
}
