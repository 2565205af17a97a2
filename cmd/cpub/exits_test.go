package main

import (
	"errors"
	"os/exec"
	"strconv"
)

// exitStatus is the exit code in the error of a command that ran.
func exitStatus(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err.Error()
	}
	return strconv.Itoa(exit.ExitCode())
}
