package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	tclient "go.temporal.io/sdk/client"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/workflows"
)

// SchedulePrefix is what the Temporal ids of schedules begin with; their names follow.
const SchedulePrefix = "cpub-schedule/"

// Scheduled is a schedule, and what it runs.
type Scheduled struct {
	*config.Schedule
	Plan *engine.Plan
	// Callees are the plans that the plan's steps run as children, those that these run too.
	Callees []*engine.Plan
}

// ApplyOptions say which schedules there are to be.
type ApplyOptions struct {
	Schedules []Scheduled
	// Owner names those who declare the schedules, so that nobody changes those of others. Schedules without an owner are everyone's.
	Owner string
	// Prune deletes the owner's schedules that are not among these. It needs an owner.
	Prune bool
	// DryRun changes nothing, and tells what would be done.
	DryRun bool
}

// The actions of Applied.
const (
	ScheduleCreated   = "created"
	ScheduleUpdated   = "updated"
	ScheduleUnchanged = "unchanged"
	ScheduleDeleted   = "deleted"
)

// Applied tells what was done to a schedule.
type Applied struct {
	Name     string `json:"schedule"`
	Action   string `json:"action"`
	Pipeline string `json:"pipeline"`
	// Changes are what differed of a schedule that was updated.
	Changes []string `json:"changes,omitempty"`
	Paused  bool     `json:"paused"`
	// Next is when the next run begins; nil where that is not known, or never.
	Next *time.Time `json:"next,omitempty"`
}

// OwnedError says that a schedule of that name is there, and is another's.
type OwnedError struct{ Name, Owner string }

func (e *OwnedError) Error() string {
	if e.Owner == "" {
		return fmt.Sprintf("the schedule %q was not made by `cpub schedule apply`: delete it in Temporal, or choose another name", e.Name)
	}
	return fmt.Sprintf("the schedule %q belongs to %q: apply it as that owner, delete it first, or choose another name", e.Name, e.Owner)
}

// ErrNoOwner refuses to prune without an owner.
var ErrNoOwner = errors.New("what is to be pruned is known by its owner: name one")

// mark is what a schedule of ours says of itself, in the memo of the runs that it begins.
type mark struct {
	Name        string `json:"name"`
	Owner       string `json:"owner,omitempty"`
	Description string `json:"description,omitempty"`
}

// change is what is to be done to one schedule.
type change struct {
	Applied
	want *tclient.Schedule
	with Scheduled
}

// ApplySchedules makes Temporal's schedules those that are declared, and tells of each what it did, in their order and then those that it deleted.
// Nothing is changed where one of them cannot be: *OwnedError, and *engine.DiagnosticsError for wrong variables.
func (c *Client) ApplySchedules(ctx context.Context, opts ApplyOptions, each func(Applied) error) error {
	if c.store == nil {
		return errNoStore
	}
	if opts.Prune && opts.Owner == "" {
		return ErrNoOwner
	}
	changes, err := c.changes(ctx, opts)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if !opts.DryRun {
			if err := c.change(ctx, ch); err != nil {
				return err
			}
		}
		if err := each(ch.Applied); err != nil {
			return err
		}
	}
	return nil
}

// changes tells what is to be done.
func (c *Client) changes(ctx context.Context, opts ApplyOptions) (out []*change, err error) {
	declared := map[string]bool{}
	for _, s := range opts.Schedules {
		declared[s.Name] = true
		if err := check(StartOptions{Plan: s.Plan, Variables: s.Variables}); err != nil {
			return nil, err
		}
		ch, err := c.compare(ctx, s, opts.Owner)
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
	}
	if !opts.Prune {
		return out, nil
	}
	there, err := c.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range there {
		if s.Owner == opts.Owner && !declared[s.Name] {
			out = append(out, &change{Applied: Applied{Name: s.Name, Action: ScheduleDeleted, Pipeline: s.Pipeline, Paused: s.Paused}})
		}
	}
	return out, nil
}

// compare holds a schedule against what is there of its name.
func (c *Client) compare(ctx context.Context, s Scheduled, owner string) (*change, error) {
	want, err := desired(s, owner)
	if err != nil {
		return nil, err
	}
	ch := &change{Applied: Applied{Name: s.Name, Action: ScheduleCreated, Pipeline: s.Pipeline, Paused: want.State.Paused}, want: want, with: s}
	there, err := c.describeSchedule(ctx, s.Name)
	var missing *NoScheduleError
	if errors.As(err, &missing) {
		return ch, nil
	}
	if err != nil {
		return nil, err
	}
	m, ours := markOf(there)
	if !ours || m.Owner != "" && m.Owner != owner {
		return nil, &OwnedError{Name: s.Name, Owner: m.Owner}
	}
	if s.Paused == nil {
		want.State.Paused = there.Schedule.State.Paused
	}
	ch.Paused, ch.Next = want.State.Paused, next(there)
	ch.Changes = differences(want, &there.Schedule)
	if ch.Action = ScheduleUpdated; len(ch.Changes) == 0 {
		ch.Action = ScheduleUnchanged
	}
	return ch, nil
}

// change does what is to be done to one schedule.
func (c *Client) change(ctx context.Context, ch *change) (err error) {
	if ch.Action == ScheduleDeleted {
		return c.DeleteSchedule(ctx, ch.Name)
	}
	data, _, err := ch.with.Plan.Encode()
	if err != nil {
		return err
	}
	if err := c.keep(ctx, data, ch.with.Callees); err != nil { // of an unchanged one too: the store may be another
		return err
	}
	switch ch.Action {
	case ScheduleUnchanged:
		return nil
	case ScheduleCreated:
		_, err = c.temporal.ScheduleClient().Create(ctx, tclient.ScheduleOptions{
			ID: SchedulePrefix + ch.Name, Spec: *ch.want.Spec, Action: ch.want.Action, Overlap: ch.want.Policy.Overlap,
			CatchupWindow: ch.want.Policy.CatchupWindow, PauseOnFailure: ch.want.Policy.PauseOnFailure, Paused: ch.want.State.Paused,
		})
	default:
		err = c.handle(ctx, ch.Name).Update(ctx, tclient.ScheduleUpdateOptions{DoUpdate: func(in tclient.ScheduleUpdateInput) (*tclient.ScheduleUpdate, error) {
			state := *in.Description.Schedule.State // whoever paused it meanwhile keeps it so
			if ch.with.Paused != nil {
				state.Paused = *ch.with.Paused
			}
			updated := *ch.want
			updated.State = &state
			return &tclient.ScheduleUpdate{Schedule: &updated}, nil
		}})
	}
	if err != nil {
		return c.wrap(err, "applying the schedule %q", ch.Name)
	}
	there, err := c.describeSchedule(ctx, ch.Name)
	if err != nil {
		return err
	}
	ch.Next = next(there)
	return nil
}

// desired is a schedule as Temporal is to have it: its runs are started as `cpub run` starts them.
func desired(s Scheduled, owner string) (*tclient.Schedule, error) {
	_, digest, err := s.Plan.Encode()
	if err != nil {
		return nil, err
	}
	return &tclient.Schedule{
		Action: &tclient.ScheduleWorkflowAction{
			ID: s.Pipeline + "/" + s.Name, Workflow: s.Pipeline, TaskQueue: workflows.TaskQueue, Args: []any{s.Variables},
			Memo: map[string]any{workflows.MemoPlan: digest, workflows.MemoSchedule: mark{Name: s.Name, Owner: owner, Description: s.Description}},
		},
		Spec: times(s.Schedule),
		Policy: &tclient.SchedulePolicies{
			Overlap: overlapPolicies[s.Overlap], CatchupWindow: s.CatchupWindow, PauseOnFailure: s.PauseOnFailure,
		},
		State: &tclient.ScheduleState{Paused: s.Paused != nil && *s.Paused},
	}, nil
}

// times is when runs begin, in the form in which Temporal gives it back.
func times(s *config.Schedule) *tclient.ScheduleSpec {
	spec := &tclient.ScheduleSpec{Jitter: s.Jitter}
	if s.Interval > 0 {
		spec.Intervals = []tclient.ScheduleIntervalSpec{{Every: s.Interval, Offset: s.Offset}}
		return spec
	}
	spec.TimeZoneName = s.Timezone
	for _, cron := range s.Crons {
		spec.Calendars = append(spec.Calendars, tclient.ScheduleCalendarSpec{
			Second: ranges(cron.Second), Minute: ranges(cron.Minute), Hour: ranges(cron.Hour), DayOfMonth: ranges(cron.DayOfMonth),
			Month: ranges(cron.Month), DayOfWeek: ranges(cron.DayOfWeek), Year: ranges(cron.Year), Comment: cron.Text,
		})
	}
	return spec
}

func ranges(all []config.CronRange) (out []tclient.ScheduleRange) {
	for _, r := range all {
		out = append(out, tclient.ScheduleRange{Start: r.Start, End: r.End, Step: r.Step})
	}
	return out
}

// overlapPolicies are Temporal's.
var overlapPolicies = map[config.Overlap]enumspb.ScheduleOverlapPolicy{
	config.OverlapSkip:           enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
	config.OverlapBufferOne:      enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
	config.OverlapBufferAll:      enumspb.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL,
	config.OverlapCancelOther:    enumspb.SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER,
	config.OverlapTerminateOther: enumspb.SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER,
	config.OverlapAllowAll:       enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
}

// differences names what is not as it is wanted.
func differences(want, there *tclient.Schedule) (out []string) {
	a, b := actionOf(want), actionOf(there)
	for _, one := range []struct {
		name string
		same bool
	}{
		{"time", reflect.DeepEqual(bare(want.Spec), bare(there.Spec))},
		{"pipeline", a.Workflow == b.Workflow && a.ID == b.ID && a.TaskQueue == b.TaskQueue},
		{"plan", samePayload(a.Memo[workflows.MemoPlan], b.Memo[workflows.MemoPlan])},
		{"variables", len(a.Args) == 1 && len(b.Args) == 1 && samePayload(a.Args[0], b.Args[0])},
		{"policies", reflect.DeepEqual(want.Policy, there.Policy)},
		{"paused", want.State.Paused == there.State.Paused},
		{"description", samePayload(a.Memo[workflows.MemoSchedule], b.Memo[workflows.MemoSchedule])},
	} {
		if !one.same {
			out = append(out, one.name)
		}
	}
	return out
}

// actionOf is what a schedule starts; empty where that is no workflow.
func actionOf(s *tclient.Schedule) *tclient.ScheduleWorkflowAction {
	if action, ok := s.Action.(*tclient.ScheduleWorkflowAction); ok {
		return action
	}
	return &tclient.ScheduleWorkflowAction{}
}

// bare makes empty lists alike.
func bare(s *tclient.ScheduleSpec) *tclient.ScheduleSpec {
	if s == nil {
		return nil
	}
	out := *s
	out.Calendars, out.Intervals, out.Skip = filled(s.Calendars), filled(s.Intervals), filled(s.Skip)
	for i := range out.Calendars {
		cal := out.Calendars[i]
		for _, r := range []*[]tclient.ScheduleRange{&cal.Second, &cal.Minute, &cal.Hour, &cal.DayOfMonth, &cal.Month, &cal.DayOfWeek, &cal.Year} {
			*r = filled(*r)
		}
		out.Calendars[i] = cal
	}
	return &out
}

// filled is a copy of a list, and nil where it is empty.
func filled[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

// samePayload compares a value with one of Temporal's.
func samePayload(value, there any) bool {
	var other json.RawMessage
	if !read(there, &other) {
		return false
	}
	text, err := json.Marshal(value)
	return err == nil && sameJSON(text, other)
}

// markOf reads what a schedule says of itself; false where it is not ours.
func markOf(d *tclient.ScheduleDescription) (m mark, ours bool) {
	return m, read(actionOf(&d.Schedule).Memo[workflows.MemoSchedule], &m) && m.Name != ""
}

// overlapName is a policy of Temporal's as the language calls it.
func overlapName(p enumspb.ScheduleOverlapPolicy) config.Overlap {
	for _, name := range slices.Sorted(maps.Keys(overlapPolicies)) {
		if overlapPolicies[name] == p {
			return name
		}
	}
	return config.OverlapSkip // what Temporal does where nothing is said
}
