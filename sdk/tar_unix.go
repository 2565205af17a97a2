//go:build unix

package sdk

import "syscall"

// nonBlock keeps the opening of a FIFO from waiting for its writer.
const nonBlock = syscall.O_NONBLOCK
