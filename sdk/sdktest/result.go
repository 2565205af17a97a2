package sdktest

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// Result is what became of an attempt. While it runs it is the attempt's sdk.Host.
type Result struct {
	// Key is the step's key, for a further attempt.
	Key string
	// Outputs is JSON, with digests where the provider gave paths. Empty when Err is set.
	Outputs json.RawMessage
	Err     error

	t       testing.TB
	harness *Harness
	host    sdk.Host

	mu          sync.Mutex
	logs        map[string][]byte
	progress    []sdk.Progress
	checkpoints []json.RawMessage
}

// Decode reads the outputs into v. It ends the test where the step failed.
func (r *Result) Decode(v any) {
	r.t.Helper()
	if r.Err != nil {
		r.t.Fatalf("the step failed: %v\n%s", r.Err, r.Text("step"))
	}
	if err := json.Unmarshal(r.Outputs, v); err != nil {
		r.t.Fatalf("decoding outputs %s: %v", r.Outputs, err)
	}
}

// Artifact gives the output of that name, which is an artifact.
func (r *Result) Artifact(output string) *sdk.Artifact {
	r.t.Helper()
	all := map[string]json.RawMessage{}
	r.Decode(&all)
	a := &sdk.Artifact{}
	if err := json.Unmarshal(all[output], a); err != nil || a.Digest == "" {
		r.t.Fatalf("output %q is no artifact: %s", output, all[output])
	}
	return a
}

// Path gives where the artifact of that output is: until the end of the test.
func (r *Result) Path(output string) string {
	r.t.Helper()
	return r.harness.Path(r.Artifact(output))
}

// Text gives what was logged to a stream: "stdout", "stderr" or "step".
func (r *Result) Text(stream string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.logs[stream])
}

// ProgressReports gives what was reported, in order.
func (r *Result) ProgressReports() []sdk.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.progress)
}

// LastCheckpoint gives the newest one, or nothing: what the next attempt would get.
func (r *Result) LastCheckpoint() json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.checkpoints) == 0 {
		return nil
	}
	return r.checkpoints[len(r.checkpoints)-1]
}

// Log implements sdk.Host.
func (r *Result) Log(stream string, p []byte) {
	r.mu.Lock()
	if r.logs == nil {
		r.logs = map[string][]byte{}
	}
	r.logs[stream] = append(r.logs[stream], p...)
	r.mu.Unlock()
	if r.host != nil {
		r.host.Log(stream, p)
	}
}

// Progress implements sdk.Host.
func (r *Result) Progress(p sdk.Progress) {
	r.mu.Lock()
	r.progress = append(r.progress, p)
	r.mu.Unlock()
	if r.host != nil {
		r.host.Progress(p)
	}
}

// Checkpoint implements sdk.Host.
func (r *Result) Checkpoint(data json.RawMessage) {
	r.mu.Lock()
	r.checkpoints = append(r.checkpoints, slices.Clone(data))
	r.mu.Unlock()
	if r.host != nil {
		r.host.Checkpoint(data)
	}
}
