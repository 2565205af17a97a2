package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// snapshotFormat is the version of the snapshot's JSON.
const snapshotFormat = 1

// snapshot is a Schedule as data. Steps are by name, so that a plan that only moved them still fits.
type snapshot struct {
	Format    int             `json:"format"`
	Start     Start           `json:"start"`
	Phase     phase           `json:"phase,omitempty"`
	Endings   int             `json:"endings,omitempty"`
	Cancelled bool            `json:"cancelled,omitempty"`
	Error     *StepError      `json:"error,omitempty"`
	Late      *StepError      `json:"late,omitempty"`
	Outputs   json.RawMessage `json:"outputs,omitempty"`
	Undo      []snapshotRef   `json:"undo,omitempty"`
	Steps     []snapshotStep  `json:"steps"`
}

type snapshotRef struct {
	Step     string `json:"step"`
	Instance int    `json:"instance"`
}

type snapshotStep struct {
	Step        string             `json:"step"`
	Status      Status             `json:"status"`
	Keyed       bool               `json:"keyed,omitempty"`
	MaxParallel int                `json:"max_parallel,omitempty"`
	Next        int                `json:"next,omitempty"`
	Again       []int              `json:"again,omitempty"`
	Error       *StepError         `json:"error,omitempty"`
	Instances   []snapshotInstance `json:"instances,omitempty"`
}

type snapshotInstance struct {
	Key     string          `json:"key,omitempty"`
	Status  Status          `json:"status"`
	Outputs json.RawMessage `json:"outputs,omitempty"`
	Error   *StepError      `json:"error,omitempty"`
	Round   int             `json:"round,omitempty"`
	Delay   time.Duration   `json:"delay,omitempty"`
	Ended   int             `json:"ended,omitempty"`
	Undone  Status          `json:"undone,omitempty"`
	UndoErr *StepError      `json:"undo_error,omitempty"`
	Input   string          `json:"input,omitempty"`
	Kept    bool            `json:"kept,omitempty"`
}

// Snapshot is the run as JSON, for Restore. Steps under way stay under way: see Resume.
func (s *Schedule) Snapshot() (json.RawMessage, error) {
	snap := snapshot{
		Format: snapshotFormat, Start: s.start, Phase: s.phase, Endings: s.endings, Cancelled: s.cancelled, Error: s.err, Late: s.late, Outputs: s.outputs,
	}
	plan := s.script.plan()
	for _, r := range s.undo {
		snap.Undo = append(snap.Undo, snapshotRef{plan[r.step].Name, r.instance})
	}
	for i, step := range plan {
		st := &s.steps[i]
		out := snapshotStep{
			Step: step.Name, Status: st.status, Keyed: st.keyed, MaxParallel: st.maxParallel, Next: st.next, Again: st.again, Error: st.err,
		}
		for _, inst := range st.instances {
			out.Instances = append(out.Instances, snapshotInstance{
				Key: inst.key, Status: inst.status, Outputs: inst.outputs, Error: inst.err, Round: inst.round, Delay: inst.delay,
				Ended: inst.ended, Undone: inst.undone, UndoErr: inst.undoErr, Input: inst.input, Kept: inst.kept,
			})
		}
		snap.Steps = append(snap.Steps, out)
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
	if !slices.Contains([]phase{phaseMain, phaseUndo, phaseOnFailure, phaseFinally, phaseDone}, snap.Phase) {
		return fmt.Errorf("restoring a run: there is no phase %q", snap.Phase)
	}
	s.phase, s.endings, s.cancelled, s.err, s.late, s.outputs = snap.Phase, snap.Endings, snap.Cancelled, snap.Error, snap.Late, snap.Outputs
	for _, from := range snap.Steps {
		i, ok := s.byName[from.Step]
		if !ok {
			return fmt.Errorf("restoring a run: the plan has no step %q", from.Step)
		}
		if err := s.adoptStep(i, from); err != nil {
			return err
		}
	}
	for _, u := range snap.Undo {
		i, ok := s.byName[u.Step]
		if !ok || u.Instance < 0 || u.Instance >= len(s.steps[i].instances) {
			return fmt.Errorf("restoring a run: the plan has no step %q with instance %d", u.Step, u.Instance)
		}
		s.undo = append(s.undo, ref{step: i, instance: u.Instance, undo: true})
	}
	return nil
}

// check refuses what no Snapshot has written: a run would wait for it for ever.
func (from *snapshotStep) check() error {
	known := func(status Status) bool { return status == StatusPending || status == StatusRunning || final(status) }
	if !known(from.Status) || from.MaxParallel < 0 {
		return fmt.Errorf("restoring a run: step %q has the status %q, and max_parallel %d", from.Step, from.Status, from.MaxParallel)
	}
	if from.Next < 0 || from.Next > len(from.Instances) {
		return fmt.Errorf("restoring a run: step %q has %d instances, not %d", from.Step, len(from.Instances), from.Next)
	}
	for _, inst := range from.Instances {
		if !known(inst.Status) || inst.Undone != "" && !known(inst.Undone) {
			return fmt.Errorf("restoring a run: an instance of step %q has the status %q %q", from.Step, inst.Status, inst.Undone)
		}
	}
	for _, again := range from.Again {
		if again < 0 || again >= len(from.Instances) || from.Instances[again].Status != StatusPending {
			return fmt.Errorf("restoring a run: step %q has no instance %d to run again", from.Step, again)
		}
	}
	return nil
}

// final tells the statuses that nothing follows.
func final(s Status) bool {
	switch s {
	case StatusSucceeded, StatusSkipped, StatusFailed, StatusCancelled:
		return true
	default:
		return false
	}
}

func (s *Schedule) adoptStep(i int, from snapshotStep) error {
	if err := from.check(); err != nil {
		return err
	}
	st := &s.steps[i]
	st.keyed, st.maxParallel, st.next, st.again, st.err = from.Keyed, from.MaxParallel, from.Next, from.Again, from.Error
	for k, inst := range from.Instances {
		st.instances = append(st.instances, instance{
			key: inst.Key, status: inst.Status, outputs: inst.Outputs, err: inst.Error, round: inst.Round, delay: inst.Delay,
			ended: inst.Ended, undone: inst.Undone, undoErr: inst.UndoErr, input: inst.Input, kept: inst.Kept,
		})
		r := ref{step: i, instance: k}
		if inst.Status == StatusRunning {
			s.under(r)
		}
		if !inst.Status.ended() {
			st.left++
		}
		if inst.Undone == StatusRunning {
			r.undo = true
			s.running++
			s.units[s.address(r)] = r
		}
	}
	st.status = StatusPending
	if from.Status.ended() {
		s.endStep(i, from.Status)
		return nil
	}
	st.status = from.Status
	return nil
}

// Resume gives the tasks under way once more, in declared order: after Restore, those who carried them out are gone.
func (s *Schedule) Resume() ([]Task, error) {
	var tasks []Task
	for i := range s.steps {
		for k := range s.steps[i].instances {
			for _, r := range []ref{{step: i, instance: k}, {step: i, instance: k, undo: true}} {
				address := s.address(r)
				if under, ok := s.units[address]; !ok || under != r {
					continue
				}
				task, err := s.script.task(r, s)
				if err != nil {
					return nil, fmt.Errorf("going on with step %s: %w", address, err)
				}
				if task == nil {
					return nil, fmt.Errorf("going on with step %s: it is not to run", address)
				}
				tasks = append(tasks, s.named(r, *task))
			}
		}
	}
	return tasks, nil
}
