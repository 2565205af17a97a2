package workflows

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
)

// Decision answers a step of the type `approval`: the argument of the updates and the signals Approve and Reject.
type Decision struct {
	// Step is the step's address. It may be left out where one step alone waits.
	Step string `json:"step,omitempty"`
	// By says who decides, by their own word.
	By      string `json:"by,omitempty"`
	Comment string `json:"comment,omitempty"`
}

// codeRejected is the code of an approval that was refused.
const codeRejected = "rejected"

// maxComment is the most bytes that a decision's texts may have.
const maxComment = 4096

// approval is a step that waits for a person.
type approval struct {
	message string
	settle  workflow.Settable
}

// verdict is what was decided.
type verdict struct {
	Decision
	approved bool
}

// approve carries out a step of the type `approval`.
func (d *driver) approve(ctx workflow.Context, task engine.Task, t *track) {
	var in struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(task.Input, &in); err != nil {
		d.done(ctx, task, t, engine.Outcome{Err: &engine.StepError{Code: engine.CodeInvalid, Kind: sdk.KindInvalid, Message: err.Error()}})
		return
	}
	decided, settle := workflow.NewFuture(ctx)
	d.approvals[task.Step] = &approval{message: in.Message, settle: settle}
	timerCtx, stop := workflow.WithCancel(ctx)
	end := func(o engine.Outcome) {
		if d.approvals[task.Step] == nil {
			return // it ended before
		}
		delete(d.approvals, task.Step)
		stop()
		d.done(ctx, task, t, o)
	}
	d.sel.AddFuture(decided, func(f workflow.Future) {
		d.working--
		var v verdict
		_ = f.Get(ctx, &v) // never fails: it is settled with a value
		end(decision(v, timeText(workflow.Now(ctx))))
	})
	d.sel.AddFuture(ended(timerCtx), func(workflow.Future) { end(engine.Outcome{Cancelled: true}) })
	if task.Timeout > 0 {
		left := max(task.Timeout-workflow.Now(ctx).Sub(t.Scheduled), 0)
		timer := workflow.NewTimerWithOptions(timerCtx, left, workflow.TimerOptions{Summary: "timeout of " + task.Summary})
		d.sel.AddFuture(timer, func(f workflow.Future) {
			if f.Get(ctx, nil) == nil {
				end(engine.Outcome{Err: &engine.StepError{
					Code: sdk.CodeTimeout, Kind: sdk.KindPermanent, Message: fmt.Sprintf("nobody decided within the step's timeout of %s", task.Timeout),
				}})
			}
		})
	}
}

func decision(v verdict, at string) engine.Outcome {
	if v.approved {
		return outputsOf(map[string]string{"approver": v.By, "comment": v.Comment, "decided_at": at})
	}
	return engine.Outcome{Err: &engine.StepError{Code: codeRejected, Kind: sdk.KindPermanent, Message: Rejected(v.Decision)}}
}

// Rejected says for people that a decision was a refusal.
func Rejected(d Decision) string {
	message := "it was rejected"
	if d.By != "" {
		message += " by " + d.By
	}
	if d.Comment != "" {
		message += ": " + d.Comment
	}
	return message
}

// handleDecisions takes the updates and the signals that answer approvals.
func (r *run) handleDecisions(ctx workflow.Context) error {
	for _, name := range []string{Approve, Reject} {
		approved := name == Approve
		err := workflow.SetUpdateHandlerWithOptions(ctx, name, func(ctx workflow.Context, d Decision) (string, error) {
			if err := workflow.Await(ctx, r.isDriven); err != nil {
				return "", err
			}
			return r.decide(d, approved)
		}, workflow.UpdateHandlerOptions{
			Description: "answers a step that waits for approval",
			Validator: func(_ workflow.Context, d Decision) error {
				if !r.driven {
					return nil // nobody knows yet what waits
				}
				_, err := r.undecided(d)
				return err
			},
		})
		if err != nil {
			return fmt.Errorf("setting up the update %s: %w", name, err)
		}
		signals := workflow.GetSignalChannel(ctx, name)
		r.decisions = append(r.decisions, signals)
		workflow.Go(ctx, func(ctx workflow.Context) {
			if workflow.Await(ctx, r.isDriven) != nil {
				return // cancelled before it began
			}
			for {
				var d Decision
				signals.Receive(ctx, &d)
				if _, err := r.decide(d, approved); err != nil {
					workflow.GetLogger(ctx).Warn("A decision answers nothing", "signal", name, "error", err)
				}
			}
		})
	}
	return nil
}

// isDriven tells that what the run waits for is known: a run that continues as new must find out first.
func (r *run) isDriven() bool { return r.driven }

// decisionsTaken tells that no signal waits to be taken.
func (r *run) decisionsTaken() bool {
	return !slices.ContainsFunc(r.decisions, func(c workflow.ReceiveChannel) bool { return c.Len() > 0 })
}

// decide settles an approval, and gives the step that it was of.
func (r *run) decide(d Decision, approved bool) (string, error) {
	step, err := r.undecided(d)
	if err != nil {
		return "", err
	}
	a := r.approvals[step]
	if a.settle != nil {
		a.settle.SetValue(verdict{d, approved})
		a.settle = nil
		r.working++ // until it is taken
	}
	return step, nil
}

// undecided finds the step that a decision is about.
func (r *run) undecided(d Decision) (string, error) {
	if len(d.By)+len(d.Comment) > maxComment {
		return "", fmt.Errorf("a decision may have %d bytes of text", maxComment)
	}
	waiting := slices.DeleteFunc(slices.Sorted(maps.Keys(r.approvals)), func(step string) bool { return r.approvals[step].settle == nil })
	switch {
	case d.Step != "" && slices.Contains(waiting, d.Step):
		return d.Step, nil
	case len(waiting) == 0:
		return "", fmt.Errorf("no step of this run waits for approval")
	case d.Step != "":
		return "", fmt.Errorf("step %q does not wait for approval; waiting: %s", d.Step, strings.Join(waiting, ", "))
	case len(waiting) > 1:
		return "", fmt.Errorf("say which step: these wait for approval: %s", strings.Join(waiting, ", "))
	}
	return waiting[0], nil
}
