package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/containerpub/cpub/engine/eval"
)

// fakeScript is a pipeline whose steps behave as told.
type fakeScript struct {
	steps    []Step
	keys     map[string][]string // of steps with for_each
	parallel map[string]int      // max_parallel of their instances
	skip     map[string]bool
	wrong    map[string]bool // the expressions fail
	bad      map[string]bool // the outputs are not what the type promises
	instant  map[string]bool // done as soon as it is evaluated
	rounds   map[string]int  // runs again until it ran so often
}

func (f *fakeScript) plan() []Step { return f.steps }

func (f *fakeScript) open(i int, _ *Schedule) (expansion, *StepError) {
	step := f.steps[i]
	if !step.ForEach {
		return expansion{}, nil
	}
	if f.skip[step.Name] {
		return expansion{skip: true}, nil
	}
	return expansion{keyed: true, keys: f.keys[step.Name], maxParallel: f.parallel[step.Name]}, nil
}

func (f *fakeScript) task(r ref, _ *Schedule) (*Task, *StepError) {
	name := f.steps[r.step].Name
	switch {
	case r.undo:
		return &Task{Type: "undo"}, nil
	case f.wrong[name]:
		return nil, &StepError{Code: CodeInvalid, Message: "wrong"}
	case f.skip[name]:
		return nil, nil
	case f.instant[name]:
		return &Task{Outputs: json.RawMessage(`{}`)}, nil
	}
	return &Task{}, nil
}

func (f *fakeScript) settle(r ref, s *Schedule, _ json.RawMessage) (verdict, *StepError) {
	name := f.steps[r.step].Name
	switch {
	case r.undo:
		return verdict{}, nil
	case f.bad[name]:
		return verdict{}, &StepError{Code: CodeBadOutputs, Message: "bad"}
	case s.instance(r).round < f.rounds[name]:
		return verdict{again: true, delay: time.Second}, nil
	}
	return verdict{}, nil
}

func (f *fakeScript) outputs(s *Schedule) (json.RawMessage, *StepError) {
	all := map[string]json.RawMessage{}
	for _, st := range f.steps {
		if o := s.Outputs(st.Name); o != nil {
			all[st.Name] = o
		}
	}
	data, err := json.Marshal(all)
	if err != nil {
		return nil, &StepError{Message: err.Error()}
	}
	return data, nil
}

func (f *fakeScript) restore(t rapid.TB, data json.RawMessage, maxParallel int) *Schedule {
	t.Helper()
	snap, err := decodeSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	s := newSchedule(f, snap.Start, maxParallel)
	if err := s.adopt(snap); err != nil {
		t.Fatal(err)
	}
	return s
}

// pipelines draws a graph, in a declared order that need not be the order of its dependencies, and how its steps behave.
func pipelines(t *rapid.T) (*fakeScript, map[string]Outcome) {
	n := rapid.IntRange(0, 12).Draw(t, "steps")
	f := &fakeScript{
		keys: map[string][]string{}, parallel: map[string]int{}, skip: map[string]bool{}, wrong: map[string]bool{}, bad: map[string]bool{},
		instant: map[string]bool{}, rounds: map[string]int{},
	}
	outcomes := map[string]Outcome{}
	for i := range n {
		st := Step{Name: fmt.Sprintf("s%d", i), Type: "t"}
		st.Section = rapid.SampledFrom([]eval.Section{eval.Main, eval.Main, eval.Main, eval.Main, eval.OnFailure, eval.Finally}).Draw(t, "section")
		for d := range i {
			if rapid.IntRange(0, 3).Draw(t, "dep") == 0 {
				st.Deps = append(st.Deps, fmt.Sprintf("s%d", d))
			}
		}
		st.ContinueOnError = rapid.IntRange(0, 4).Draw(t, "continue") == 0
		if st.Section == eval.Main && rapid.IntRange(0, 2).Draw(t, "undo") == 0 {
			st.Compensate = &Compensation{Type: "undo"}
		}
		if st.ForEach = rapid.IntRange(0, 3).Draw(t, "for_each") == 0; st.ForEach {
			for k := range rapid.IntRange(0, 4).Draw(t, "keys") {
				f.keys[st.Name] = append(f.keys[st.Name], fmt.Sprint(k))
			}
			f.parallel[st.Name] = rapid.IntRange(0, 2).Draw(t, "instances at once")
		}
		f.steps = append(f.steps, st)
		outcomes[st.Name] = Outcome{Outputs: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
		switch rapid.IntRange(0, 24).Draw(t, "behaviour") {
		case 0:
			outcomes[st.Name] = Outcome{Err: &StepError{Code: "oom", Message: "no memory"}}
		case 1:
			f.wrong[st.Name] = true
		case 2, 3, 4:
			f.skip[st.Name] = true
		case 5:
			f.bad[st.Name] = true
		case 6:
			outcomes[st.Name] = Outcome{Cancelled: true}
		case 7, 8:
			f.instant[st.Name] = true
		case 9, 10:
			f.rounds[st.Name] = 3
		}
	}
	f.steps = rapid.Permutation(f.steps).Draw(t, "order")
	return f, outcomes
}

// outcomeOf is what becomes of a task: what its step's name says; an undoing succeeds.
func outcomeOf(outcomes map[string]Outcome, address string) Outcome {
	if strings.HasSuffix(address, ".compensate") {
		return Outcome{Outputs: json.RawMessage(`{}`)}
	}
	name, _, _ := strings.Cut(address, "[")
	o := outcomes[name]
	if o.Err != nil {
		e := *o.Err
		o.Err = &e
	}
	return o
}

// event is one call that drove a Schedule.
type event struct {
	ready  bool
	cancel bool
	done   string
}

// drive runs a Schedule to its end, as the draws say, and checks it on the way.
type drive struct {
	t           *rapid.T
	f           *fakeScript
	outcomes    map[string]Outcome
	maxParallel int
	s           *Schedule
	started     map[string]int // by Task.ID
	inFlight    []string
	undone      []string
	ended       []string // addresses that succeeded, in the order of their ending
	events      []event
}

func (d *drive) ready() {
	stopped, late := d.s.stopped(), d.s.phase != phaseMain
	for _, task := range d.s.Ready() {
		if stopped && !task.Late {
			d.t.Fatalf("%s started after the run was stopped", task.Step)
		}
		if late && !task.Late {
			d.t.Fatalf("%s belongs to the main part, which is over", task.Step)
		}
		if d.started[task.ID]++; d.started[task.ID] > 1 {
			d.t.Fatalf("%s started twice", task.ID)
		}
		if strings.HasSuffix(task.Step, ".compensate") {
			d.undone = append(d.undone, task.Step)
		} else {
			checkDepsEnded(d.t, d.f, d.s, task.Step)
		}
		d.inFlight = append(d.inFlight, task.Step)
	}
	d.events = append(d.events, event{ready: true})
	if len(d.inFlight) > d.maxParallel {
		d.t.Fatalf("%d steps under way, %d allowed", len(d.inFlight), d.maxParallel)
	}
	counts := map[string]int{}
	for _, address := range d.inFlight {
		name, _, _ := strings.Cut(address, "[")
		if counts[name]++; d.f.parallel[name] > 0 && counts[name] > d.f.parallel[name] {
			d.t.Fatalf("%d instances of %s under way, %d allowed", counts[name], name, d.f.parallel[name])
		}
	}
}

func (d *drive) end(k int) {
	address := d.inFlight[k]
	d.s.Done(address, outcomeOf(d.outcomes, address))
	d.events = append(d.events, event{done: address})
	d.inFlight = slices.Delete(d.inFlight, k, k+1)
	if slices.Contains(d.inFlight, address) {
		d.t.Fatalf("%s is under way twice", address)
	}
	d.s.Done(address, Outcome{Err: &StepError{Message: "told twice"}})
	if d.s.phase == phaseMain && !strings.HasSuffix(address, ".compensate") {
		for _, st := range d.s.States() {
			if st.Step == address && st.Status == StatusSucceeded {
				d.ended = append(d.ended, address)
			}
		}
	}
}

func TestScheduleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, outcomes := pipelines(t)
		d := &drive{t: t, f: f, outcomes: outcomes, maxParallel: rapid.IntRange(1, 4).Draw(t, "max_parallel"), started: map[string]int{}}
		d.s = newSchedule(f, Start{RunID: "r"}, d.maxParallel)
		for range 400 {
			if rapid.IntRange(0, 5).Draw(t, "snapshot") == 0 {
				d.snapshot()
			}
			d.ready()
			if _, ok := d.s.Result(); ok {
				break
			}
			if len(d.inFlight) == 0 {
				t.Fatal("nothing under way and no result: the run is stuck")
			}
			if rapid.IntRange(0, 30).Draw(t, "cancel") == 0 {
				d.s.Cancel()
				d.events = append(d.events, event{cancel: true})
			}
			d.end(rapid.IntRange(0, len(d.inFlight)-1).Draw(t, "ends"))
		}
		result, ok := d.s.Result()
		if !ok {
			t.Fatal("no result")
		}
		d.checkResult(result)
		if again := replay(f, outcomes, d.maxParallel, d.events); !reflect.DeepEqual(again, result) {
			t.Fatalf("the same events gave\n%+v\nand\n%+v", result, again)
		}
	})
}

// snapshot goes on with a copy: what is under way must be there to be resumed, and nothing else.
func (d *drive) snapshot() {
	data, err := d.s.Snapshot()
	if err != nil {
		d.t.Fatal(err)
	}
	d.s = d.f.restore(d.t, data, d.maxParallel)
	tasks, err := d.s.Resume()
	if err != nil {
		d.t.Fatal(err)
	}
	var resumed []string
	for _, task := range tasks {
		resumed = append(resumed, task.Step)
		if d.started[task.ID] != 1 {
			d.t.Fatalf("%s is resumed, and was started %d times", task.ID, d.started[task.ID])
		}
	}
	if want := slices.Sorted(slices.Values(d.inFlight)); !slices.Equal(slices.Sorted(slices.Values(resumed)), want) {
		d.t.Fatalf("resumed %v, under way are %v", resumed, want)
	}
}

func checkDepsEnded(t *rapid.T, f *fakeScript, s *Schedule, address string) {
	name, _, _ := strings.Cut(address, "[")
	for _, st := range f.steps {
		if st.Name != name {
			continue
		}
		for _, dep := range st.Deps {
			d := f.steps[s.byName[dep]]
			got := s.Status(dep)
			fine := got == StatusSucceeded || got == StatusSkipped || got == StatusFailed && (d.ContinueOnError || st.Section != eval.Main)
			if d.Section == st.Section && !fine {
				t.Fatalf("%s started while %s is %s", address, dep, got)
			}
		}
	}
}

func (d *drive) checkResult(r Result) {
	states := map[string]Status{}
	for _, st := range r.Steps {
		states[st.Step] = st.Status
		name, _, _ := strings.Cut(strings.TrimSuffix(st.Step, ".compensate"), "[")
		step := d.f.steps[d.s.byName[name]]
		switch {
		case st.Status == StatusRunning:
			d.t.Fatalf("%s is under way in a run that ended", st.Step)
		case st.Status == StatusSucceeded && d.started[st.Step] != 1 && !d.f.instant[name] && len(d.f.keys[name]) > 0 == step.ForEach:
			d.t.Fatalf("%s succeeded without having been started", st.Step)
		case st.Status == StatusSkipped && !d.f.skip[name]:
			d.t.Fatalf("%s was skipped", st.Step)
		case step.Section == eval.Finally && st.Status == StatusPending:
			d.t.Fatalf("%s of finally did not run", st.Step)
		case step.Section == eval.OnFailure && (st.Status == StatusPending) == (d.s.err != nil):
			d.t.Fatalf("%s of on_failure is %s in a run with the error %v", st.Step, st.Status, d.s.err)
		case r.Status == StatusSucceeded && step.Section == eval.Main && (st.Status == StatusPending || st.Status == StatusCancelled):
			d.t.Fatalf("the run succeeded and %s is %s", st.Step, st.Status)
		case r.Status == StatusSucceeded && st.Status == StatusFailed && !step.ContinueOnError:
			d.t.Fatalf("the run succeeded and %s failed", st.Step)
		}
	}
	if (r.Status == StatusFailed) != (r.Error != nil) {
		d.t.Fatalf("status %s with error %v", r.Status, r.Error)
	}
	d.checkUndone(r)
}

// checkUndone holds what was undone against what succeeded: all of it, in reverse order, once, in a run that did not succeed.
func (d *drive) checkUndone(r Result) {
	if d.s.err == nil && !d.s.wasCancelled() {
		if len(d.undone) > 0 {
			d.t.Fatalf("the main part succeeded and %v was undone", d.undone)
		}
		return
	}
	var want []string
	for _, address := range slices.Backward(d.ended) {
		name, _, _ := strings.Cut(address, "[")
		if d.f.steps[d.s.byName[name]].Compensate != nil {
			want = append(want, address+".compensate")
		}
	}
	got := slices.DeleteFunc(slices.Clone(d.undone), func(a string) bool {
		name, _, _ := strings.Cut(strings.TrimSuffix(a, ".compensate"), "[")
		return d.f.instant[name]
	})
	if !slices.Equal(got, want) {
		d.t.Fatalf("undone %v, want %v (%s)", got, want, r.Status)
	}
}

// replay drives a new Schedule, without snapshots, by the same events.
func replay(f *fakeScript, outcomes map[string]Outcome, maxParallel int, events []event) Result {
	s := newSchedule(f, Start{RunID: "r"}, maxParallel)
	for _, e := range events {
		switch {
		case e.ready:
			s.Ready()
		case e.cancel:
			s.Cancel()
		default:
			s.Done(e.done, outcomeOf(outcomes, e.done))
		}
	}
	r, _ := s.Result()
	return r
}

func TestScheduleEnds(t *testing.T) {
	chain := []Step{{Name: "b", Deps: []string{"a"}}, {Name: "a"}, {Name: "c"}}
	ok := Outcome{Outputs: json.RawMessage(`{}`)}
	tests := []struct {
		name  string
		skip  map[string]bool
		drive func(s *Schedule)
		want  Status
		steps string
	}{
		{"all succeed", nil, func(s *Schedule) {
			s.Ready()
			s.Done("a", ok)
			s.Ready()
			s.Done("c", ok)
			s.Done("b", ok)
		}, StatusSucceeded, "[succeeded succeeded succeeded]"},
		{"one that depends on a skipped step runs", map[string]bool{"a": true}, func(s *Schedule) {
			s.Ready()
			s.Done("b", ok)
			s.Done("c", ok)
		}, StatusSucceeded, "[succeeded skipped succeeded]"},
		{"a failure lets those under way finish", nil, func(s *Schedule) {
			s.Ready()
			s.Done("a", Outcome{Err: &StepError{Code: "oom"}})
			s.Ready()
			s.Done("c", ok)
		}, StatusFailed, "[pending failed succeeded]"},
		{"a cancel starts nothing more", nil, func(s *Schedule) {
			s.Ready()
			s.Cancel()
			s.Done("a", Outcome{Cancelled: true})
			s.Done("c", ok)
			s.Ready()
		}, StatusCancelled, "[pending cancelled succeeded]"},
		{"a failure after a cancel is the cancel's", nil, func(s *Schedule) {
			s.Ready()
			s.Cancel()
			s.Done("c", ok)
			s.Done("a", Outcome{Err: &StepError{Code: "endpoint"}})
		}, StatusCancelled, "[pending failed succeeded]"},
		{"a cancel that came too late changes nothing", nil, func(s *Schedule) {
			s.Ready()
			s.Done("a", ok)
			s.Ready()
			s.Done("b", ok)
			s.Cancel()
			s.Done("c", ok)
		}, StatusSucceeded, "[succeeded succeeded succeeded]"},
		{"a failure from outside ends it", nil, func(s *Schedule) {
			s.Ready()
			s.Fail(&StepError{Code: "timeout"})
			s.Done("a", Outcome{Cancelled: true})
			s.Done("c", ok)
		}, StatusFailed, "[pending cancelled succeeded]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSchedule(&fakeScript{steps: slices.Clone(chain), skip: tt.skip}, Start{}, 32)
			tt.drive(s)
			if tasks := s.Ready(); len(tasks) > 0 {
				t.Fatalf("still to start: %v", tasks)
			}
			r, done := s.Result()
			if !done {
				t.Fatal("no result")
			}
			var got []Status
			for _, st := range r.Steps {
				got = append(got, st.Status)
			}
			if r.Status != tt.want || fmt.Sprint(got) != tt.steps {
				t.Errorf("got %s %v, want %s %s", r.Status, got, tt.want, tt.steps)
			}
		})
	}
}

func TestScheduleKeepsOrderAndLimit(t *testing.T) {
	s := newSchedule(&fakeScript{steps: []Step{{Name: "z"}, {Name: "y"}, {Name: "x"}}}, Start{}, 2)
	var got []string
	for _, task := range s.Ready() {
		got = append(got, task.Step)
	}
	if !slices.Equal(got, []string{"z", "y"}) {
		t.Errorf("started %v, want z and y", got)
	}
	s.Done("y", Outcome{Outputs: json.RawMessage(`{}`)})
	if tasks := s.Ready(); len(tasks) != 1 || tasks[0].Step != "x" {
		t.Errorf("then started %v, want x", tasks)
	}
}

func TestScheduleRunsAgain(t *testing.T) {
	s := newSchedule(&fakeScript{steps: []Step{{Name: "poll"}}, rounds: map[string]int{"poll": 3}}, Start{}, 2)
	var got []string
	for range 5 {
		for _, task := range s.Ready() {
			got = append(got, fmt.Sprintf("%s after %s", task.ID, task.Delay))
			s.Done(task.Step, Outcome{Outputs: json.RawMessage(`{}`)})
		}
	}
	if want := []string{"poll after 0s", "poll#2 after 1s", "poll#3 after 1s"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestScheduleManyInstances(t *testing.T) {
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%05d", i)
	}
	s := newSchedule(&fakeScript{
		steps: []Step{{Name: "each", ForEach: true}}, keys: map[string][]string{"each": keys}, parallel: map[string]int{"each": 7},
	}, Start{}, 32)
	started := map[string]bool{}
	for len(started) < len(keys) {
		tasks := s.Ready()
		if len(tasks) == 0 {
			t.Fatalf("stuck after %d", len(started))
		}
		for _, task := range tasks {
			started[task.Step] = true
		}
		s.Done(tasks[0].Step, Outcome{Outputs: json.RawMessage(`{}`)})
		for _, address := range slices.Sorted(maps.Keys(s.units)) {
			s.Done(address, Outcome{Outputs: json.RawMessage(`{}`)})
		}
	}
	s.Ready()
	if r, ok := s.Result(); !ok || r.Status != StatusSucceeded || len(r.Steps) != len(keys) {
		t.Errorf("result %v %v with %d steps", ok, r.Status, len(r.Steps))
	}
}

func TestRestoreRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON":      `x`,
		"newer format": `{"format":9}`,
	} {
		if _, err := decodeSnapshot(json.RawMessage(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, snap := range map[string]*snapshot{
		"another step":     {Steps: []snapshotStep{{Step: "b"}}},
		"no such instance": {Steps: []snapshotStep{{Step: "a", Next: 1}}},
		"nothing to undo":  {Steps: []snapshotStep{{Step: "a"}}, Undo: []snapshotRef{{Step: "a", Instance: 3}}},
	} {
		s := newSchedule(&fakeScript{steps: []Step{{Name: "a"}}}, Start{}, 1)
		if err := s.adopt(snap); err == nil {
			t.Errorf("a snapshot with %s was restored", name)
		}
	}
}
