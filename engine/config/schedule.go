package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // so that a time zone is known, or not, on every machine alike

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

// Overlap is what happens to a run whose time comes while an earlier one of its schedule is under way.
type Overlap string

// The values of Overlap.
const (
	OverlapSkip           Overlap = "skip"
	OverlapBufferOne      Overlap = "buffer_one"
	OverlapBufferAll      Overlap = "buffer_all"
	OverlapCancelOther    Overlap = "cancel_other"
	OverlapTerminateOther Overlap = "terminate_other"
	OverlapAllowAll       Overlap = "allow_all"
)

var overlaps = []Overlap{OverlapSkip, OverlapBufferOne, OverlapBufferAll, OverlapCancelOther, OverlapTerminateOther, OverlapAllowAll}

// Schedule is a `schedule` block that was checked: all of it is known.
type Schedule struct {
	Name        string
	Description string
	// Pipeline is one of the module's.
	Pipeline string
	// Crons or Interval, never both, say when runs begin. Offset moves an interval, which counts from 1970-01-01T00:00:00Z.
	Crons    []*Cron
	Interval time.Duration
	Offset   time.Duration
	// Timezone is that of Crons: a name of the IANA database.
	Timezone string
	Overlap  Overlap
	// Jitter is the most that a run begins later than its time.
	Jitter time.Duration
	// CatchupWindow is how late a run may be begun that could not be in time.
	CatchupWindow  time.Duration
	PauseOnFailure bool
	// Paused is nil where the file leaves that to others.
	Paused *bool
	// Variables are a JSON object: what the runs are given. Defaults are not in it.
	Variables json.RawMessage
}

// The defaults of schedules are Temporal's.
const (
	DefaultTimezone      = "UTC"
	DefaultCatchupWindow = 365 * 24 * time.Hour
)

// The bounds of schedules are Temporal's, but the longest interval: more than ten years is a mistake.
const (
	minInterval      = time.Second
	maxInterval      = 10 * 365 * 24 * time.Hour
	minCatchupWindow = 10 * time.Second
	maxCrons         = 100
)

// readSchedules checks the module's schedules, and keeps them as evaluated. The files that they read are theirs alone, so that these leave
// the plans as they are.
func (m *Module) readSchedules(dir string) (diags hcl.Diagnostics) {
	rec, err := newRecorder(dir)
	if err != nil {
		return failed(err)
	}
	defer rec.close()
	for _, s := range m.Module.Schedules {
		out, more := m.checkSchedule(s, rec)
		diags = append(diags, more...)
		m.Schedules = append(m.Schedules, out)
	}
	m.scheduled = recordedFiles(rec)
	if m.Broken {
		diags = slices.DeleteFunc(diags, mayBeUnread)
	}
	return diags
}

// scheduleCheck gathers what is wrong with one schedule.
type scheduleCheck struct {
	*eval.Schedule
	diags hcl.Diagnostics
}

// wrong reports the value of an attribute.
func (c *scheduleCheck) wrong(name, format string, args ...any) {
	c.wrongAt(c.Range(name), format, args...)
}

func (c *scheduleCheck) wrongAt(at hcl.Range, format string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong schedule", Detail: fmt.Sprintf(format, args...), Subject: &at})
}

func (m *Module) checkSchedule(s *eval.Schedule, files eval.Files) (*Schedule, hcl.Diagnostics) {
	c := &scheduleCheck{Schedule: s, diags: m.CheckSchedule(s)}
	out := &Schedule{Name: s.Name, Description: s.Description, Pipeline: s.Pipeline}
	evaluable := !c.diags.HasErrors()
	m.checkScheduled(c)
	if !evaluable {
		return out, c.diags
	}
	call, more := m.Scope(nil, eval.Inputs{Files: files}).Schedule(s)
	c.diags = append(c.diags, more...)
	if !more.HasErrors() {
		c.when(out, call)
		c.how(out, call)
		m.checkScheduleVariables(c, out, call.Variables)
	}
	return out, c.diags
}

// checkScheduled checks that the pipeline exists.
func (m *Module) checkScheduled(c *scheduleCheck) {
	if c.Pipeline == "" || m.Pipeline(c.Pipeline) != nil {
		return
	}
	var names []string
	for _, p := range m.Pipelines {
		names = append(names, p.Name)
	}
	hint := "It has none."
	if near := eval.Suggest(c.Pipeline, names); near != "" {
		hint = fmt.Sprintf("Did you mean %q?", near)
	} else if len(names) > 0 {
		hint = fmt.Sprintf("There are: %s.", strings.Join(names, ", "))
	}
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Wrong pipeline", Detail: fmt.Sprintf("The module has no pipeline %q. %s", c.Pipeline, hint), Subject: c.PipelineRange.Ptr(),
	})
}

// when checks when runs begin.
func (c *scheduleCheck) when(out *Schedule, call eval.ScheduleCall) {
	crons, interval := len(call.Cron) > 0, call.Interval > 0
	switch {
	case crons && interval:
		c.wrong("interval", "A schedule has cron or interval, not both. Write two schedules.")
	case !crons && !interval:
		c.wrongAt(c.DeclRange, "Say when runs begin: cron = \"0 2 * * *\" (at two, every night) or interval = \"1h\".")
	}
	if len(call.Cron) > maxCrons {
		c.wrong("cron", "A schedule takes %d cron texts; these are %d.", maxCrons, len(call.Cron))
		return
	}
	for _, text := range call.Cron {
		cron, err := ParseCron(text.Text)
		if err != nil {
			c.wrongAt(text.Range, "The cron text %q is wrong: %s.", text.Text, err)
			continue
		}
		out.Crons = append(out.Crons, cron)
	}
	out.Interval, out.Offset = call.Interval, call.Offset
	switch {
	case out.Interval == 0:
	case out.Interval < minInterval || out.Interval > maxInterval:
		c.wrong("interval", "An interval is from one second to ten years long; this is %s.", out.Interval)
	case out.Interval%time.Second != 0:
		c.wrong("interval", "An interval is of whole seconds; this is %s.", out.Interval)
	}
	switch {
	case out.Offset == 0:
	case !interval:
		c.wrong("offset", "An offset moves an interval, and this schedule has none.")
	case out.Offset >= out.Interval && out.Interval > 0:
		c.wrong("offset", "An offset is shorter than its interval, which is %s.", out.Interval)
	case out.Offset%time.Second != 0:
		c.wrong("offset", "An offset is of whole seconds; this is %s.", out.Offset)
	}
	c.timezone(out, call.Timezone)
}

func (c *scheduleCheck) timezone(out *Schedule, name string) {
	out.Timezone = DefaultTimezone
	if name == "" {
		return
	}
	if out.Interval > 0 {
		c.wrong("timezone", "An interval counts from 1970-01-01T00:00:00Z, in no time zone. Leave timezone out, or move the interval by an offset.")
		return
	}
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		c.wrong("timezone", "There is no time zone %q. It takes a name of the IANA database, such as \"Europe/Zurich\" or \"UTC\".", name)
		return
	}
	out.Timezone = name
}

// how checks the policies.
func (c *scheduleCheck) how(out *Schedule, call eval.ScheduleCall) {
	out.Overlap, out.CatchupWindow = OverlapSkip, DefaultCatchupWindow
	out.Jitter, out.PauseOnFailure, out.Paused = call.Jitter, call.PauseOnFailure, call.Paused
	if call.Overlap != "" {
		out.Overlap = Overlap(call.Overlap)
	}
	if !slices.Contains(overlaps, out.Overlap) {
		var names []string
		for _, o := range overlaps {
			names = append(names, string(o))
		}
		hint := ""
		if near := eval.Suggest(call.Overlap, names); near != "" {
			hint = fmt.Sprintf(" Did you mean %q?", near)
		}
		c.wrong("overlap", "overlap takes one of %s, not %q.%s", strings.Join(names, ", "), call.Overlap, hint)
	}
	if call.CatchupWindow > 0 {
		out.CatchupWindow = call.CatchupWindow
	}
	if out.CatchupWindow < minCatchupWindow {
		c.wrong("catchup_window", "A catch-up window is at least %s long; this is %s.", minCatchupWindow, out.CatchupWindow)
	}
	if out.Interval > 0 && out.Jitter >= out.Interval {
		c.wrong("jitter", "A jitter is shorter than its interval, which is %s.", out.Interval)
	}
}

// checkScheduleVariables holds the variables against those that the module has.
func (m *Module) checkScheduleVariables(c *scheduleCheck, out *Schedule, given map[string]eval.Given) {
	for _, v := range m.Variables {
		g, ok := given[v.Name]
		switch {
		case !ok && v.Default == cty.NilVal:
			c.wrong("variables", "Pipeline %q needs the variable %q, which has no default: variables = { %s = … }.", c.Pipeline, v.Name, v.Name)
			given = withValue(given, v)
		case ok && v.Sensitive && !g.Value.IsNull():
			c.wrongAt(*g.Range, "Variable %q is sensitive, and what a schedule gives its runs can be read in Temporal by everyone. Leave it out.", v.Name)
		}
	}
	all, more := m.ResolveVariables(given)
	c.diags = append(c.diags, more...)
	if c.diags.HasErrors() {
		return
	}
	values := map[string]cty.Value{}
	for name := range given {
		values[name] = eval.Plain(all.GetAttr(name))
	}
	data, err := eval.JSONObject(values)
	if err != nil {
		c.wrong("variables", "These variables cannot be kept in a schedule: %s.", err)
	}
	out.Variables = data
}

// withValue stands in for a variable that is missing, so that it is told once.
func withValue(given map[string]eval.Given, v *eval.Variable) map[string]eval.Given {
	if given == nil {
		given = map[string]eval.Given{}
	}
	given[v.Name] = eval.Given{Value: cty.UnknownVal(v.Type.WithoutOptionalAttributesDeep())}
	return given
}
