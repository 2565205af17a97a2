//go:build !linux

package testenv

import "syscall"

// dieWithParent does nothing: this system has no such thing.
func dieWithParent(*syscall.SysProcAttr) {}
