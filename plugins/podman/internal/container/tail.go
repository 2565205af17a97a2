package container

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/containerpub/cpub/sdk"
)

// tail takes a sidecar's output: line by line into the step's log, under its name, and the last lines for messages.
type tail struct {
	name string
	log  io.Writer

	mu   sync.Mutex
	rest map[string][]byte // of each stream: the line under way
	last []string
}

// The most lines that a message has of a sidecar, and bytes of each; and the longest line of the log in one piece.
const (
	lastLines = 10
	lastBytes = 200
	maxLine   = 16 << 10
)

func newTail(req *sdk.Request, name string) *tail {
	return &tail{name: name, log: req.Log("step"), rest: map[string][]byte{}}
}

// output is a container's output of which nothing is kept but this.
func (t *tail) output() *output {
	return &output{live: map[string]io.Writer{"stdout": stream{t, "stdout"}, "stderr": stream{t, "stderr"}}}
}

// stream is one stream of a sidecar.
type stream struct {
	tail *tail
	name string
}

func (s stream) Write(p []byte) (int, error) {
	s.tail.mu.Lock()
	defer s.tail.mu.Unlock()
	rest := append(s.tail.rest[s.name], p...)
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 && len(rest) < maxLine {
			break
		}
		if i < 0 {
			i = len(rest) - 1
		}
		s.tail.line(string(rest[:i+1]))
		rest = rest[i+1:]
	}
	s.tail.rest[s.name] = slices.Clone(rest)
	return len(p), nil
}

// line writes one line.
func (t *tail) line(text string) {
	text = strings.TrimRight(text, "\r\n")
	_, _ = io.WriteString(t.log, "["+t.name+"] "+text+"\n") // the host's log never fails
	if len(text) > lastBytes {
		text = trimPartialRune(text[:lastBytes]) + "…"
	}
	if t.last = append(t.last, text); len(t.last) > lastLines {
		t.last = t.last[1:]
	}
}

// flush writes what is left of lines that did not end.
func (t *tail) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range []string{"stdout", "stderr"} {
		if rest := t.rest[name]; len(rest) > 0 {
			t.line(string(rest))
			delete(t.rest, name)
		}
	}
}

// lastLines are the last lines that the sidecar wrote. Its log is read whole, since following it may have missed the end.
func (s *sidecar) lastLines(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	whole := &tail{name: s.sidecar, log: io.Discard, rest: map[string][]byte{}}
	f := &follower{a: s.run, output: whole.output(), told: map[string]int64{}}
	if err := f.read(ctx, false, f.tell); err != nil {
		return ""
	}
	whole.flush()
	return strings.Join(whole.last, "\n")
}
