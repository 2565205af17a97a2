//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// spawn runs itself with the arguments behind the first, waits, and exits with the first.
func spawn(args []string) error {
	child := exec.Command("/proc/self/exe", args[1:]...) //nolint:noctx // it ends with its container
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	err := child.Run()
	fmt.Println("child:", err)
	if gone := new(exec.ExitError); err != nil && !errors.As(err, &gone) {
		return err
	}
	return exit(args[:1])
}

// heed sleeps for so many seconds, and exits with 0 at SIGTERM.
func heed(args []string) error { //nolint:unparam // as all commands
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Println("heeding SIGTERM")
	select {
	case <-term:
		fmt.Println("terminated")
	case <-time.After(time.Duration(number(args)) * time.Second):
	}
	return nil
}

// later says so, and after so many milliseconds becomes itself with the other arguments.
func later(args []string) error {
	fmt.Println("later")
	time.Sleep(time.Duration(number(args)) * time.Millisecond)
	return syscall.Exec("/proc/self/exe", append([]string{"probe"}, args[1:]...), os.Environ())
}
