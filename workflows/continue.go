package workflows

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
)

// Continuation is where a run that continued as new goes on.
type Continuation struct {
	// Snapshot is the digest of what it knows, in the store.
	Snapshot string `json:"snapshot"`
}

// snapshot is all that a run knows.
type snapshot struct {
	Began    time.Time       `json:"began"`
	Schedule json.RawMessage `json:"schedule"`
	Tracks   []*track        `json:"tracks"`
	Kept     []kept          `json:"kept,omitempty"`
	Lock     string          `json:"lock,omitempty"`
	// Generation is run.generation's.
	Generation string `json:"generation,omitempty"`
	// Children are run.children.
	Children map[string]string `json:"children,omitempty"`
}

// maxSnapshot is the most bytes of a snapshot, unpacked, maxPacked packed: a history holds two of them, as text, and Temporal's limit is
// 50 MiB. maxPart is the most that one activity hands over: Temporal's limit is 2 MiB.
const (
	maxSnapshot = 64 << 20
	maxPacked   = 12 << 20
	maxPart     = 1 << 20
)

const mediaTypeSnapshot = "application/vnd.cpub.snapshot.v1+gzip"

// full tells that the history is to end, and another one to go on. What the run knew already is part of a history: where that alone is
// much, the server suggests it from the beginning, and a run would never get on.
func (r *run) full() bool {
	switch {
	case r.whole || !r.info.GetContinueAsNewSuggested():
		return false
	case r.restored <= longRestored:
		return true
	default:
		return r.info.GetCurrentHistoryLength() >= longHistory || r.info.GetCurrentHistorySize() >= r.restored+largeHistory
	}
}

// What a history has when the server suggests to continue as new, unless it is told otherwise, and what of that restoring may take.
const (
	longHistory  = 4096
	largeHistory = 4 << 20
	longRestored = 1 << 20
)

// known packs what the run knows, for the next history. It is nil where that is too much for histories: then the run fails, and what comes
// after a failure happens in this one.
func (r *run) known() []byte {
	data, err := r.packed()
	if err != nil {
		r.whole = true
		r.sched.Fail(&engine.StepError{Code: engine.CodeTooLarge, Kind: sdk.KindPermanent, Message: err.Error()})
		return nil
	}
	return data
}

// packed is what the run knows, packed.
func (r *run) packed() ([]byte, error) {
	schedule, err := r.sched.Snapshot()
	if err != nil {
		return nil, err
	}
	snap := snapshot{Began: r.began, Schedule: schedule, Kept: r.order, Lock: r.lock, Children: r.children, Generation: r.generation()}
	for _, state := range r.sched.States() {
		if t := r.tracks[state.Step]; t != nil {
			snap.Tracks = append(snap.Tracks, t)
		}
	}
	data, err := pack(snap)
	switch {
	case err != nil:
		return nil, err
	case len(schedule) > maxSnapshot/2 || len(data) > maxPacked:
		return nil, fmt.Errorf("what the run knows of its steps, %d bytes, is more than a run of so many steps can carry on (%d; packed %d of %d): "+
			"hand over large values as artifacts, or split the pipeline", len(schedule), maxSnapshot/2, len(data), maxPacked)
	}
	return data, nil
}

// continueAsNew keeps what the run knows and begins its next history. What is under way then, timers and approvals, goes on there.
func (r *run) continueAsNew(ctx workflow.Context, variables json.RawMessage, known []byte) error {
	ctx = ownActivity(ctx, "keep what the run knows")
	var digest string
	for part := range slices.Chunk(known, maxPart) {
		req := KeepRequest{Before: digest, Part: part}
		if err := workflow.ExecuteActivity(ctx, KeepActivity, req).Get(ctx, &digest); err != nil {
			return err
		}
	}
	return workflow.NewContinueAsNewError(ctx, r.info.WorkflowType.Name, variables, Continuation{Snapshot: digest})
}

// restore goes on with what the run before knew.
func (r *run) restore(ctx workflow.Context, from *Continuation) error {
	data, err := fetch(ctx, from.Snapshot, "read what the run knows")
	if err != nil {
		return err
	}
	r.restored = base64.StdEncoding.EncodedLen(len(data))
	var snap snapshot
	err = unpack(data, &snap)
	if err == nil {
		r.sched, err = r.program.Restore(snap.Schedule)
	}
	if err != nil {
		return runError(&engine.StepError{Code: codePlan, Kind: sdk.KindPermanent, Message: err.Error()})
	}
	r.began, r.order, r.lock, r.children = snap.Began, snap.Kept, snap.Lock, snap.Children
	r.generationBefore = snap.Generation
	for _, t := range snap.Tracks {
		r.tracks[t.Step] = t
	}
	return nil
}

// fetch has the parts of what is packed in the store brought into the history.
func fetch(ctx workflow.Context, digest, summary string) (data []byte, err error) {
	ctx = ownActivity(ctx, summary)
	for {
		var part RestoredPart
		err := workflow.ExecuteActivity(ctx, RestoreActivity, RestoreRequest{Snapshot: digest, Offset: len(data)}).Get(ctx, &part)
		if err != nil {
			return nil, err
		}
		if data = append(data, part.Part...); part.Last {
			return data, nil
		}
	}
}

// resume starts again what the run before left under way.
func (d *driver) resume() {
	tasks, err := d.sched.Resume()
	if err != nil {
		d.sched.Fail(&engine.StepError{Code: engine.CodeInvalid, Kind: sdk.KindPermanent, Message: err.Error()})
		return
	}
	for _, task := range tasks {
		task.Delay = 0 // it has passed
		d.start(task)
	}
}

func pack(snap any) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if err := json.NewEncoder(w).Encode(snap); err != nil {
		return nil, fmt.Errorf("encoding a run's snapshot: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encoding a run's snapshot: %w", err)
	}
	return b.Bytes(), nil
}

func unpack(data []byte, snap any) error {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("decoding a run's snapshot: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxSnapshot+1))
	switch {
	case err != nil:
		return fmt.Errorf("decoding a run's snapshot: %w", err)
	case len(plain) > maxSnapshot:
		return fmt.Errorf("decoding a run's snapshot: it has more than %d bytes", maxSnapshot)
	}
	if err := json.Unmarshal(plain, snap); err != nil {
		return fmt.Errorf("decoding a run's snapshot: %w", err)
	}
	return nil
}

// SnapshotStore is where snapshots are kept: by digest. *artifact.Store is one.
type SnapshotStore interface {
	Put(ctx context.Context, r io.Reader, name, mediaType string) (sdk.Artifact, error)
	Reader(ctx context.Context, digest string) (io.ReadCloser, error)
}

// Snapshots keeps what runs know that continue as new. Its methods are activities.
type Snapshots struct{ Store SnapshotStore }

// KeepRequest is a part of a snapshot. Before is the digest of all parts before it.
type KeepRequest struct {
	Before string `json:"before,omitempty"`
	Part   []byte `json:"part"`
}

// Keep puts a part, behind those before it, into the store, and gives the digest of all of them.
func (s *Snapshots) Keep(ctx context.Context, req KeepRequest) (string, error) {
	var all []byte
	if req.Before != "" {
		before, err := s.read(ctx, req.Before)
		if err != nil {
			return "", err
		}
		all = before
	}
	a, err := s.Store.Put(ctx, bytes.NewReader(append(all, req.Part...)), "snapshot", mediaTypeSnapshot)
	if err != nil {
		return "", fmt.Errorf("keeping what the run knows: %w", err)
	}
	return a.Digest, nil
}

// RestoreRequest asks for a snapshot from an offset on.
type RestoreRequest struct {
	Snapshot string `json:"snapshot"`
	Offset   int    `json:"offset,omitempty"`
}

// RestoredPart is a part of a snapshot.
type RestoredPart struct {
	Part []byte `json:"part"`
	Last bool   `json:"last"`
}

// Restore reads a part of a snapshot.
func (s *Snapshots) Restore(ctx context.Context, req RestoreRequest) (*RestoredPart, error) {
	all, err := s.read(ctx, req.Snapshot)
	if err != nil {
		return nil, err
	}
	if req.Offset < 0 || req.Offset > len(all) {
		return nil, planError("the run's snapshot %s has %d bytes, not %d", req.Snapshot, len(all), req.Offset)
	}
	part := all[req.Offset:min(req.Offset+maxPart, len(all))]
	return &RestoredPart{Part: part, Last: req.Offset+len(part) == len(all)}, nil
}

func (s *Snapshots) read(ctx context.Context, digest string) (data []byte, err error) {
	r, err := s.Store.Reader(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("reading what the run knows: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err = io.ReadAll(io.LimitReader(r, maxSnapshot))
	if err != nil {
		return nil, fmt.Errorf("reading what the run knows: %w", err)
	}
	return data, nil
}
