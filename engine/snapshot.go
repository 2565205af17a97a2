package engine

import (
	"encoding/json"
	"fmt"
)

// snapshotFormat is the version of the snapshot's JSON.
const snapshotFormat = 1

// snapshot is a Schedule as data. Steps are by name, so that a plan that only moved them still fits.
type snapshot struct {
	Format    int            `json:"format"`
	Start     Start          `json:"start"`
	Cancelled bool           `json:"cancelled,omitempty"`
	Error     *StepError     `json:"error,omitempty"`
	Steps     []snapshotStep `json:"steps"`
}

type snapshotStep struct {
	Step    string          `json:"step"`
	Status  Status          `json:"status"`
	Outputs json.RawMessage `json:"outputs,omitempty"`
	Error   *StepError      `json:"error,omitempty"`
}

// Snapshot is the run as JSON, for Restore. Steps under way stay under way.
func (s *Schedule) Snapshot() (json.RawMessage, error) {
	snap := snapshot{Format: snapshotFormat, Start: s.start, Cancelled: s.cancelled, Error: s.err}
	for i, step := range s.script.plan() {
		st := s.steps[i]
		snap.Steps = append(snap.Steps, snapshotStep{Step: step.Name, Status: st.status, Outputs: st.outputs, Error: st.err})
	}
	data, err := json.Marshal(snap)
	if err != nil {
		return nil, fmt.Errorf("encoding a run's snapshot: %w", err)
	}
	return data, nil
}

// decodeSnapshot reads what Snapshot wrote.
func decodeSnapshot(data json.RawMessage) (*snapshot, error) {
	snap := &snapshot{}
	if err := json.Unmarshal(data, snap); err != nil {
		return nil, fmt.Errorf("decoding a run's snapshot: %w", err)
	}
	if snap.Format != snapshotFormat {
		return nil, fmt.Errorf("decoding a run's snapshot: it has format %d, this build knows %d", snap.Format, snapshotFormat)
	}
	return snap, nil
}

// adopt brings a Schedule at its beginning to where the snapshot was taken.
func (s *Schedule) adopt(snap *snapshot) error {
	if len(snap.Steps) != len(s.steps) {
		return fmt.Errorf("restoring a run: the snapshot has %d steps, the plan %d", len(snap.Steps), len(s.steps))
	}
	for _, from := range snap.Steps {
		i, ok := s.byName[from.Step]
		if !ok {
			return fmt.Errorf("restoring a run: the plan has no step %q", from.Step)
		}
		switch {
		case from.Status == StatusRunning:
			s.steps[i].status = StatusRunning
			s.running++
		case from.Status.ended():
			s.end(i, from.Status, from.Outputs, from.Error)
		}
	}
	s.cancelled, s.err = snap.Cancelled, snap.Error
	return nil
}
