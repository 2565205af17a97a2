// Package view shows runs: as plain lines, as a block that is redrawn on a terminal, as JSON. All of it is pure: what comes out depends
// on a Run, on the one before it and on the time that is passed in.
package view

import (
	"encoding/json"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// The statuses of runs and steps.
const (
	Pending   = "pending" // waits for other steps
	Queued    = "queued"  // waits for a worker
	Running   = "running"
	Retrying  = "retrying" // an attempt failed, the next one waits for its time
	Succeeded = "succeeded"
	Skipped   = "skipped"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Run is what is known of a run at one time.
type Run struct {
	ID       string // the workflow's id
	RunID    string // Temporal's
	Pipeline string
	Status   string // Running, Succeeded, Failed, Cancelled, or Temporal's own word (terminated, timed_out)
	Started  time.Time
	Ended    time.Time // zero while it runs
	Steps    []Step    // in declared order
	Outputs  json.RawMessage
	Failure  *Failure
}

// Step is what is known of a step of a run at one time.
type Step struct {
	Name, Type string
	Status     string
	Started    time.Time // of the current attempt; zero before
	Ended      time.Time
	Attempt    int // from 1; 0 before the first
	Progress   sdk.Progress
	LogTail    []string // the last lines, oldest first
	Failure    *Failure // of the step, or of the attempt before this one
	Outputs    json.RawMessage
}

// Failure says why something failed.
type Failure struct {
	Step    string `json:"step,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
}

// Done tells whether the status is one that does not change any more.
func Done(status string) bool {
	switch status {
	case "", Pending, Queued, Running, Retrying:
		return false
	}
	return true
}

// Step returns the step of that name, or nil.
func (r *Run) Step(name string) *Step {
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			return &r.Steps[i]
		}
	}
	return nil
}

// took is how long something has taken at the time now, or took.
func took(started, ended, now time.Time) time.Duration {
	if started.IsZero() {
		return 0
	}
	if ended.IsZero() {
		ended = now
	}
	return max(0, ended.Sub(started))
}
