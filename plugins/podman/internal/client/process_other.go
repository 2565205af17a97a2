//go:build !linux

package client

import (
	"os"
	"os/exec"
	"syscall"
)

func dieWithParent() *syscall.SysProcAttr { return nil }

func startPinned(cmd *exec.Cmd) error { return cmd.Start() }

func exited(p *os.Process) bool { return p.Signal(syscall.Signal(0)) != nil }
