package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/containerpub/cpub/sdk/schema"
)

// Request is one attempt of one step. It is used by one goroutine tree and is not valid after Run returned; its methods may be
// called concurrently.
type Request struct {
	// StepType is the type's name.
	StepType string
	// Step is the step's address in its pipeline, such as `image` or `invoke["a"]`.
	Step string
	// Run names the run, for labels: workflow id and first run id joined by "/".
	Run string
	// Pipeline is the pipeline's name.
	Pipeline string
	// Key is the same for every attempt of this step, and different from every other step's: a lower-case hex string.
	// Whatever an attempt makes is labelled or named by it.
	Key string
	// Attempt counts from 1.
	Attempt int
	// Returned tells that the attempt before this one returned a failure, so that what it left under the key is spent:
	// remove it and start anew. Otherwise that attempt was lost, and what carries the key is adopted.
	Returned bool
	// Queued is how long the attempt waited until the host could give it to the provider: for a worker, and for a place
	// among the steps that run at once.
	Queued time.Duration
	// Input is JSON with the shape of the step type's Input. Attributes that were left out are null or missing.
	Input json.RawMessage
	// Secrets are the texts of Input in which secrets stand: for the host, which knows their names. In the provider's process their values
	// are in Input, and this is empty.
	Secrets []schema.SecretText
	// Redactor hides the secrets of Input. What goes to the log and to the outputs passes through it in any case; use it for files. May be nil.
	Redactor *Redactor
	// Checkpoint is what the last attempt saved with SaveCheckpoint, or empty.
	Checkpoint json.RawMessage
	// Rules are the operator's rules that only the provider can check.
	Rules Rules
	// Scratch is a private, empty folder of this attempt. The host removes it afterwards.
	Scratch string

	// Files maps the digests of the input's artifacts to where the host put them, read-only.
	Files map[string]string
	// Host receives what the attempt reports while it runs.
	Host Host
}

// Host is what a running attempt can tell its host. Implementations never block longer than flow control needs, and drop
// nothing. Callers use Request's methods.
type Host interface {
	// Log takes lines of output as they come; stream is "stdout", "stderr" or "step" (the provider's own words).
	Log(stream string, p []byte)
	Progress(p Progress)
	Checkpoint(data json.RawMessage)
}

// Progress is how far an attempt is.
type Progress struct {
	Message string `json:"message,omitempty"` // what is going on, such as "STEP 2/5: RUN make"
	Done    int64  `json:"done,omitempty"`
	Total   int64  `json:"total,omitempty"` // 0: unknown
	Unit    string `json:"unit,omitempty"`  // "bytes", "entries"; empty for plain counts
}

// Decode reads the input into a struct. A mismatch is the author's mistake.
func (r *Request) Decode(v any) error {
	if err := json.Unmarshal(r.Input, v); err != nil {
		return Invalidf("", "reading the step's input: %w", err)
	}
	return nil
}

// Path is where the bytes of an input's artifact are, read-only: a file, or a folder.
func (r *Request) Path(a *Artifact) (string, error) {
	if a == nil {
		return "", Permanentf("the step got no artifact where it needs one")
	}
	p, ok := r.Files[a.Digest]
	if !ok {
		return "", fmt.Errorf("the host did not provide artifact %s", a.Digest)
	}
	return filepath.Clean(p), nil
}

// Log is a writer into the step's log. Streams are "stdout", "stderr" and "step" (the provider's own words).
func (r *Request) Log(stream string) io.Writer { return logWriter{r.Host, stream} }

// Logf writes one line of the provider's own words into the step's log.
func (r *Request) Logf(format string, args ...any) {
	r.Host.Log("step", fmt.Appendf(nil, format+"\n", args...))
}

// Progress tells how far the attempt is; the host shows the newest.
func (r *Request) Progress(p Progress) { r.Host.Progress(p) }

// SaveCheckpoint keeps v, as JSON of at most 16 KiB, for the attempt that follows should this one be lost.
func (r *Request) SaveCheckpoint(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding checkpoint: %w", err)
	}
	r.Host.Checkpoint(b)
	return nil
}

type logWriter struct {
	host   Host
	stream string
}

func (w logWriter) Write(p []byte) (int, error) {
	w.host.Log(w.stream, p)
	return len(p), nil
}
