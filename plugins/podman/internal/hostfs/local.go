package hostfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Local is this machine.
type Local struct{}

// ReadFiles reads files.
func (Local) ReadFiles(_ context.Context, names ...string) []Content {
	all := make([]Content, len(names))
	for i, name := range names {
		data, err := os.ReadFile(name)
		all[i] = Content{Data: data, Err: gone(err)}
	}
	return all
}

// gone makes fs.ErrNotExist of what the kernel says of a process or a cgroup that went after its file was opened.
func gone(err error) error {
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENODEV) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// ReadDir lists a folder. What goes while it is read is left out.
func (Local) ReadDir(_ context.Context, name string) ([]Entry, error) {
	list, err := os.ReadDir(name)
	if err != nil {
		return nil, gone(err)
	}
	var all []Entry
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			continue
		}
		all = append(all, Entry{Name: e.Name(), Dir: e.IsDir(), Modified: info.ModTime()})
	}
	return all, nil
}

// Readlink is where a link leads.
func (Local) Readlink(_ context.Context, name string) (string, error) {
	target, err := os.Readlink(name)
	return target, gone(err)
}

// RemoveDir removes a folder.
func (Local) RemoveDir(_ context.Context, name string) error { return os.Remove(name) }

// Kill kills a process.
func (Local) Kill(_ context.Context, pid int) error {
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Feed writes a text into a pipe.
func (Local) Feed(_ context.Context, name, text string) (Feed, error) {
	pipe, err := os.OpenFile(name, os.O_WRONLY|nonBlock, 0)
	if err != nil {
		return nil, gone(err)
	}
	f := &feed{pipe: pipe, done: make(chan struct{})}
	go f.write(text)
	return f, nil
}

// feed is a text that this process writes.
type feed struct {
	pipe *os.File
	done chan struct{}
	err  error
}

func (f *feed) write(text string) {
	defer close(f.done)
	_, err := io.WriteString(f.pipe, text)
	if cerr := f.pipe.Close(); err == nil && !errors.Is(cerr, os.ErrClosed) {
		err = cerr
	}
	f.err = err
}

// Wait waits until all is written.
func (f *feed) Wait() error {
	<-f.done
	return f.err
}

// Close ends a write that blocks.
func (f *feed) Close() error {
	err := f.pipe.Close()
	<-f.done
	if errors.Is(err, os.ErrClosed) {
		return nil // all was written
	}
	return err
}

// Local is true.
func (Local) Local() bool { return true }
