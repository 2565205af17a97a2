package hostfs

import (
	"context"
	"os"
)

// Writer is a Host on which cgroups can be made and limited. A Host that is none can only be looked at.
type Writer interface {
	// MakeDirs makes a folder, with those above it. One that is there is no error.
	MakeDirs(ctx context.Context, name string) error
	// WriteFile writes a file that is there, such as a limit of a cgroup, in one write. The error is fs.ErrNotExist without it.
	WriteFile(ctx context.Context, name string, data []byte) error
}

// MakeDirs makes folders.
func (Local) MakeDirs(_ context.Context, name string) error {
	return os.MkdirAll(name, 0o755) //nolint:gosec // cgroups are everybody's to read
}

// WriteFile writes a file that is there.
func (Local) WriteFile(_ context.Context, name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return gone(err)
}
