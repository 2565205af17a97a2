//go:build unix

package hostfs

import "syscall"

// nonBlock opens a pipe so that closing it ends a write that waits.
const nonBlock = syscall.O_NONBLOCK
