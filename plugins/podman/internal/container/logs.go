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
)

// follower reads a container's log while it runs. Podman keeps the log, so whoever adopts the container reads all of it.
type follower struct {
	a      *run
	output *output
	told   map[string]int64 // by stream: how many bytes went to the live log
	cancel context.CancelFunc
	done   chan struct{}
}

// followLogs starts to read the log, from its beginning.
func (a *run) followLogs(ctx context.Context, out *output) *follower {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{a: a, output: out, told: map[string]int64{}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for ctx.Err() == nil {
			// How it ended does not matter: what is missing is read again.
			_ = f.read(ctx, true, f.tell)
			select {
			case <-ctx.Done():
			case <-time.After(poll):
			}
		}
	}()
	return f
}

// finish ends the following. If the container has ended, the whole log is read once more, and kept: what following gives is good for
// looking at, but 4.3.1's loses lines at the end, and parts of lines on a busy machine.
func (f *follower) finish(ctx context.Context, ended bool) error {
	f.cancel()
	<-f.done
	if !ended {
		return nil
	}
	err := client.Retry(ctx, outage, func() error {
		if err := f.output.reset(); err != nil {
			return err
		}
		if err := f.read(ctx, false, f.keep); err != nil {
			return err
		}
		return f.output.flush()
	})
	if err != nil {
		return fmt.Errorf("reading the container's log: %w", err)
	}
	return nil
}

// keep keeps a part of the log, and tells what is new of it. offset is the part's place in its stream.
func (f *follower) keep(stream string, p []byte, offset int64) error {
	if err := f.output.write(stream, p); err != nil {
		return err
	}
	return f.tell(stream, p, offset)
}

// tell gives the live log what is new of a part.
func (f *follower) tell(stream string, p []byte, offset int64) error {
	end := offset + int64(len(p))
	if end <= f.told[stream] {
		return nil
	}
	_, err := f.output.live[stream].Write(p[max(f.told[stream]-offset, 0):])
	f.told[stream] = end
	return err
}

// read gives take the log from its start, part by part.
func (f *follower) read(ctx context.Context, follow bool, take func(stream string, p []byte, offset int64) error) error {
	resp, err := f.a.Client.Do(ctx, client.Call{
		Method: http.MethodGet, Endpoint: "/containers/%s/logs", Path: []string{f.a.name()},
		Query: url.Values{"stdout": {"true"}, "stderr": {"true"}, "follow": {strconv.FormatBool(follow)}},
	})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	read := map[string]int64{}
	for {
		stream, frame, err := readFrame(resp.Body)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := take(stream, frame, read[stream]); err != nil {
			return err
		}
		read[stream] += int64(len(frame))
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
