package container

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
)

// follower reads a container's log while it runs. Podman keeps the log, so whoever adopts the container reads all of it.
type follower struct {
	a      *run
	output *output
	frames int // how many frames were taken over
	cancel context.CancelFunc
	done   chan struct{}
}

// followLogs starts to read the log, from its beginning.
func (a *run) followLogs(ctx context.Context, out *output) *follower {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{a: a, output: out, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for ctx.Err() == nil {
			// How it ended does not matter: what is missing is read again, by skipping what is there.
			_ = f.read(ctx, true)
			select {
			case <-ctx.Done():
			case <-time.After(poll):
			}
		}
	}()
	return f
}

// finish ends the following. If the container has ended, the rest of the log is read.
func (f *follower) finish(ctx context.Context, ended bool) error {
	f.cancel()
	<-f.done
	if !ended {
		return nil
	}
	err := client.Retry(ctx, outage, func() error { return f.read(ctx, false) })
	if err != nil {
		return fmt.Errorf("reading the container's log: %w", err)
	}
	return nil
}

// read reads the log from its start, and takes over what comes after the frames that are there already.
func (f *follower) read(ctx context.Context, follow bool) error {
	resp, err := f.a.Client.Do(ctx, client.Call{
		Method: http.MethodGet, Endpoint: "/containers/%s/logs", Path: []string{owner.Name(f.a.req.Key)},
		Query: url.Values{"stdout": {"true"}, "stderr": {"true"}, "follow": {strconv.FormatBool(follow)}},
	})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	for n := 0; ; n++ {
		stream, frame, err := readFrame(resp.Body)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n < f.frames {
			continue
		}
		if err := f.output.write(stream, frame); err != nil {
			return err
		}
		f.frames++
	}
}

// maxFrame is the most that one frame of a log may hold.
const maxFrame = 16 << 20

// readFrame reads one frame of a multiplexed log: a stream's number, a length, and as many bytes.
func readFrame(r io.Reader) (stream string, frame []byte, err error) {
	var header [8]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return "", nil, err
	}
	n := binary.BigEndian.Uint32(header[4:])
	if n > maxFrame {
		return "", nil, fmt.Errorf("a frame of the log has %d bytes", n)
	}
	frame = make([]byte, n)
	if _, err := io.ReadFull(r, frame); err != nil {
		return "", nil, fmt.Errorf("reading a frame of the log: %w", err)
	}
	switch header[0] {
	case 0, 1:
		return "stdout", frame, nil
	case 2:
		return "stderr", frame, nil
	default:
		return "", nil, fmt.Errorf("the log broke off: %s", frame)
	}
}
