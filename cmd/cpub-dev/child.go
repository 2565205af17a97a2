package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// childGrace is how long the user's command may take to end when asked to.
const childGrace = 10 * time.Second

// child is the user's command while it runs inside the stack.
type child struct {
	cmd   *exec.Cmd
	group bool // it leads a process group of its own
	ended chan error
}

// runChild runs the command with env added to this process's environment, and
// returns its exit code as an error. When this process is told to end, so is
// the command; when a service fails, the command is ended and that is the error.
func runChild(command, env []string, signals <-chan os.Signal, failed <-chan error) error {
	c, err := startChild(command, env)
	if err != nil {
		return err
	}
	for {
		select {
		case err := <-c.ended:
			return exitCode(err)
		case sig := <-signals:
			if sig == syscall.SIGINT && !c.group {
				continue // the terminal has sent it to the command too, which decides what it means
			}
			return exitCode(c.end(sig))
		case err := <-failed:
			_ = c.end(syscall.SIGTERM)
			return &exitError{exitUnreachable, err}
		}
	}
}

// startChild starts the command. On a terminal it shares this process's group,
// so that it can read keys and Ctrl-C reaches it; elsewhere it leads a group
// of its own, so that all that it starts can be ended with it.
func startChild(command, env []string) (*child, error) {
	//nolint:noctx // it is ended by signals, with time to clean up
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	c := &child{cmd: cmd, group: !foreground(), ended: make(chan error, 1)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: c.group}
	dieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("running %q: %w", command[0], err)}
	}
	go func() { c.ended <- cmd.Wait() }()
	return c, nil
}

// end asks the command to end, then kills it, and returns how it ended.
func (c *child) end(sig os.Signal) error {
	c.signal(sig)
	select {
	case err := <-c.ended:
		return err
	case <-time.After(childGrace):
		c.signal(syscall.SIGKILL)
		return <-c.ended
	}
}

// signal reaches the command and, where it leads a group, all that it started.
func (c *child) signal(sig os.Signal) {
	number, ok := sig.(syscall.Signal)
	if !ok {
		number = syscall.SIGTERM
	}
	pid := c.cmd.Process.Pid
	if c.group {
		pid = -pid
	}
	_ = syscall.Kill(pid, number) // it may have ended meanwhile
}

// exitCode turns how the command ended into the same exit code, with 128 added
// to a signal's number as shells do.
func exitCode(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return &exitError{exitFailed, fmt.Errorf("waiting for the command: %w", err)}
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &exitError{code: 128 + int(status.Signal())}
	}
	return &exitError{code: exit.ExitCode()}
}
