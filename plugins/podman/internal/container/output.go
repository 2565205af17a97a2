package container

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerpub/cpub/sdk"
)

// maxArtifact is the most of a log that becomes an artifact, in bytes.
const maxArtifact = 256 << 20

// output takes a container's output: whole to a file, and the beginning of each stream to the step's outputs, without the step's secrets.
// live is the step's log.
type output struct {
	file     *os.File
	redactor *sdk.Redactor
	hidden   map[string]io.WriteCloser // the way of each stream into the file and the outputs
	written  int64
	stdout   capped
	stderr   capped
	live     map[string]io.Writer
}

func newOutput(req *sdk.Request, limit int64) (*output, error) {
	file, err := os.Create(filepath.Join(req.Scratch, "log"))
	if err != nil {
		return nil, fmt.Errorf("making the log: %w", err)
	}
	return &output{
		file: file, redactor: req.Redactor, hidden: map[string]io.WriteCloser{}, stdout: capped{limit: limit}, stderr: capped{limit: limit},
		live: map[string]io.Writer{"stdout": req.Log("stdout"), "stderr": req.Log("stderr")},
	}, nil
}

func (o *output) write(stream string, p []byte) error {
	w := o.hidden[stream]
	if w == nil {
		w = o.redactor.Writer(kept{o, stream})
		o.hidden[stream] = w
	}
	_, err := w.Write(p)
	return err
}

// flush writes what was held back since it might have become a secret.
func (o *output) flush() error {
	var errs []error
	for _, stream := range slices.Sorted(maps.Keys(o.hidden)) {
		errs = append(errs, o.hidden[stream].Close())
	}
	return errors.Join(errs...)
}

// kept is what of a stream may be kept.
type kept struct {
	o      *output
	stream string
}

func (k kept) Write(p []byte) (int, error) { return len(p), k.o.keep(k.stream, p) }

func (o *output) keep(stream string, p []byte) error {
	if stream == "stdout" {
		o.stdout.write(p)
	} else {
		o.stderr.write(p)
	}
	if o.written >= maxArtifact {
		return nil
	}
	n, err := o.file.Write(p)
	o.written += int64(n)
	if o.written >= maxArtifact {
		_, cut := fmt.Fprintf(o.file, "\n[the log is cut here: it is longer than %d MiB]\n", maxArtifact>>20)
		err = errors.Join(err, cut)
	}
	return err
}

// reset forgets what was written.
func (o *output) reset() error {
	clear(o.hidden)
	o.written, o.stdout, o.stderr = 0, capped{limit: o.stdout.limit}, capped{limit: o.stderr.limit}
	err := o.file.Truncate(0)
	if err == nil {
		_, err = o.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("making the log anew: %w", err)
	}
	return nil
}

func (o *output) close() error { return o.file.Close() }

// capped keeps the first limit bytes.
type capped struct {
	limit     int64
	buf       []byte
	truncated bool
}

func (c *capped) write(p []byte) {
	if room := c.limit - int64(len(c.buf)); int64(len(p)) > room {
		p, c.truncated = p[:room], true
	}
	c.buf = append(c.buf, p...)
}

// text is what was kept, without the half of a character at its end.
func (c *capped) text() string { return trimPartialRune(string(c.buf)) }
