// Package hostfs is the machine that Podman runs on, as far as its files and processes tell of the containers: this machine, or
// another one that is reached over the connection to Podman.
package hostfs

import (
	"context"
	"errors"
	"time"
)

// Host is one machine. Its methods are safe for concurrent use; what is asked for at the same time costs a distant machine one
// round trip together. Errors name the file, and are fs.ErrNotExist and fs.ErrPermission where that is what is wrong: what goes while
// it is looked at, such as a process that ends, is not there.
type Host interface {
	// ReadFiles reads files whole, those of /proc and of cgroups too, in one round trip. There is one answer for each name, in order.
	ReadFiles(ctx context.Context, names ...string) []Content
	// ReadDir lists a folder, in no particular order. What is hidden (its name begins with a dot) may be left out.
	ReadDir(ctx context.Context, name string) ([]Entry, error)
	// Readlink is where a symbolic link leads.
	Readlink(ctx context.Context, name string) (string, error)
	// RemoveDir removes one folder that is empty, or that of a cgroup without groups below it. Processes in a cgroup keep it busy.
	RemoveDir(ctx context.Context, name string) error
	// Kill sends a process SIGKILL. One that is gone is no error.
	Kill(ctx context.Context, pid int) error
	// Feed writes a text into a pipe that somebody has open for reading, such as /proc/PID/fd/0. It returns once the pipe is open here
	// too. The context is that of opening it.
	Feed(ctx context.Context, name, text string) (Feed, error)
	// Local tells whether it is this machine: its processes can be watched, and a look costs next to nothing.
	Local() bool
}

// Feed is a text on its way into a pipe.
type Feed interface {
	// Wait waits until the text is written, or will be whatever happens to us.
	Wait() error
	// Close breaks the writing off, as far as it needs us, and ends a Wait. It may be called again.
	Close() error
}

// ErrUnreachable is in the tree of every error of a machine that could not be asked: another time it may answer.
var ErrUnreachable = errors.New("the machine that Podman runs on cannot be reached")

// Content is what one file held.
type Content struct {
	Data []byte
	Err  error
}

// Entry is one thing in a folder.
type Entry struct {
	Name     string
	Dir      bool
	Modified time.Time // to the second
}

// ReadFile reads one file.
func ReadFile(ctx context.Context, h Host, name string) ([]byte, error) {
	c := h.ReadFiles(ctx, name)[0]
	return c.Data, c.Err
}
