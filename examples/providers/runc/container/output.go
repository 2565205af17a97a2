//go:build linux

package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/containerpub/cpub/sdk"
)

// output brings what a container writes to where it is wanted: live into the step's log, whole into an artifact, and the beginning of each
// stream into the outputs. In the last two the step's secrets are hidden here, in the log they are by the SDK.
type output struct {
	log     *os.File
	streams []*stream
}

// stream is one of stdout and stderr.
type stream struct {
	from *os.File
	live io.Writer
	kept io.WriteCloser // through the redactor, to the artifact and the outputs
	head head
	read int64
}

func newOutput(req *sdk.Request, f folder, limit int64) (*output, error) {
	log, err := os.Create(filepath.Join(req.Scratch, "log"))
	if err != nil {
		return nil, fmt.Errorf("making the log: %w", err)
	}
	o := &output{log: log}
	for _, name := range []string{"stdout", "stderr"} {
		from, err := os.OpenFile(f.path(name), os.O_RDONLY|os.O_CREATE, 0o600)
		if err != nil {
			o.close()
			return nil, err
		}
		s := &stream{from: from, live: req.Log(name), head: head{limit: limit}}
		s.kept = req.Redactor.Writer(io.MultiWriter(log, &s.head))
		o.streams = append(o.streams, s)
	}
	return o, nil
}

// copy brings on what is new.
func (o *output) copy() error {
	for _, s := range o.streams {
		n, err := io.Copy(io.MultiWriter(s.live, s.kept), s.from)
		if s.read += n; err != nil {
			return fmt.Errorf("reading the container's output: %w", err)
		}
	}
	return nil
}

// finish brings on what was held back since it might have become a secret.
func (o *output) finish() error {
	var errs []error
	for _, s := range o.streams {
		errs = append(errs, s.kept.Close())
	}
	for _, s := range o.streams {
		if s.read >= maxStream {
			_, err := fmt.Fprintf(o.log, "\n[a stream is cut here: it is longer than %d MiB]\n", maxStream>>20)
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, o.log.Sync())...)
}

func (o *output) close() {
	_ = o.log.Close() // finish has written it
	for _, s := range o.streams {
		_ = s.from.Close() // only read
	}
}

func (o *output) stdout() string { return o.streams[0].head.text() }
func (o *output) stderr() string { return o.streams[1].head.text() }

func (o *output) truncated() bool { return o.streams[0].head.truncated || o.streams[1].head.truncated }

// head keeps the first bytes of what is written to it.
type head struct {
	limit     int64
	kept      []byte
	truncated bool
}

func (h *head) Write(p []byte) (int, error) {
	room := min(h.limit-int64(len(h.kept)), int64(len(p)))
	h.kept, h.truncated = append(h.kept, p[:room]...), h.truncated || room < int64(len(p))
	return len(p), nil
}

// text is what was kept, without the half of a character at its end.
func (h *head) text() string {
	s := h.kept
	for i := 1; i <= min(utf8.UTFMax, len(s)); i++ {
		if last := s[len(s)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				s = s[:len(s)-i]
			}
			break
		}
	}
	return string(s)
}
