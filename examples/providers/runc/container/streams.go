//go:build linux

package container

import (
	"io"
	"os"
	"sync"
)

// maxStream is the most that is kept of what a container writes to one of its streams. It may write on.
const maxStream = 128 << 20

// streams bring what the container writes into its folder.
type streams struct {
	stdout, stderr *os.File // the container's ends
	copied         sync.WaitGroup
}

func openStreams(f folder) (*streams, error) {
	s := &streams{}
	for name, end := range map[string]**os.File{"stdout": &s.stdout, "stderr": &s.stderr} {
		file, err := os.OpenFile(f.path(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		read, write, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		*end = write
		s.copied.Go(func() {
			_, _ = io.CopyN(file, read, maxStream) // a full disk does not stop the container
			_, _ = io.Copy(io.Discard, read)
			_ = file.Close() // as above
		})
	}
	return s, nil
}

// handOver leaves the ends to the container.
func (s *streams) handOver() {
	_ = s.stdout.Close() // nothing is buffered
	_ = s.stderr.Close() // as above
}

// wait waits until all is copied: with the container's first process all others have ended.
func (s *streams) wait() { s.copied.Wait() }
