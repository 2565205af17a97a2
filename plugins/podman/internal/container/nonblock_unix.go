//go:build unix

package container

import "syscall"

// nonBlock opens a pipe so that closing it ends a write that waits.
const nonBlock = syscall.O_NONBLOCK
