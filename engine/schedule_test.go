package engine

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fakeScript is a pipeline whose steps behave as told.
type fakeScript struct {
	steps []Step
	skip  map[string]bool
	wrong map[string]bool // the expressions fail
	bad   map[string]bool // the outputs are not what the type promises
}

func (f *fakeScript) plan() []Step { return f.steps }

func (f *fakeScript) task(i int, _ *Schedule) (*Task, *StepError) {
	name := f.steps[i].Name
	if f.wrong[name] {
		return nil, &StepError{Code: CodeInvalid, Message: "wrong"}
	}
	if f.skip[name] {
		return nil, nil
	}
	return &Task{Step: name}, nil
}

func (f *fakeScript) checkOutputs(i int, _ json.RawMessage) *StepError {
	if f.bad[f.steps[i].Name] {
		return &StepError{Code: CodeBadOutputs, Message: "bad"}
	}
	return nil
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
	f := &fakeScript{skip: map[string]bool{}, wrong: map[string]bool{}, bad: map[string]bool{}}
	outcomes := map[string]Outcome{}
	for i := range n {
		st := Step{Name: fmt.Sprintf("s%d", i), Type: "t"}
		for d := range i {
			if rapid.IntRange(0, 3).Draw(t, "dep") == 0 {
				st.Deps = append(st.Deps, fmt.Sprintf("s%d", d))
			}
		}
		f.steps = append(f.steps, st)
		outcomes[st.Name] = Outcome{Outputs: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
		switch rapid.IntRange(0, 20).Draw(t, "behaviour") {
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
		}
	}
	f.steps = rapid.Permutation(f.steps).Draw(t, "order")
	return f, outcomes
}

// event is one call that drove a Schedule.
type event struct {
	ready  bool
	cancel bool
	done   string
}

func TestScheduleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, outcomes := pipelines(t)
		maxParallel := rapid.IntRange(1, 4).Draw(t, "max_parallel")
		s := newSchedule(f, Start{RunID: "r"}, maxParallel)
		started, inFlight := map[string]int{}, []string{}
		var events []event
		for range 200 {
			if rapid.IntRange(0, 5).Draw(t, "snapshot") == 0 {
				data, err := s.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				s = f.restore(t, data, maxParallel)
			}
			stopped := s.stopped()
			tasks := s.Ready()
			events = append(events, event{ready: true})
			if stopped && len(tasks) > 0 {
				t.Fatalf("%v started after the run was stopped", tasks)
			}
			for _, task := range tasks {
				started[task.Step]++
				inFlight = append(inFlight, task.Step)
				checkDepsEnded(t, f, s, task.Step)
			}
			if len(inFlight) > maxParallel {
				t.Fatalf("%d steps under way, %d allowed", len(inFlight), maxParallel)
			}
			if _, ok := s.Result(); ok {
				break
			}
			if len(inFlight) == 0 {
				t.Fatal("nothing under way and no result: the run is stuck")
			}
			if rapid.IntRange(0, 30).Draw(t, "cancel") == 0 {
				s.Cancel()
				events = append(events, event{cancel: true})
			}
			k := rapid.IntRange(0, len(inFlight)-1).Draw(t, "ends")
			s.Done(inFlight[k], outcomes[inFlight[k]])
			s.Done(inFlight[k], Outcome{Err: &StepError{Message: "told twice"}})
			events = append(events, event{done: inFlight[k]})
			inFlight = slices.Delete(inFlight, k, k+1)
		}
		result, ok := s.Result()
		if !ok {
			t.Fatal("no result")
		}
		checkResult(t, f, started, result)
		if again := replay(f, outcomes, maxParallel, events); !reflect.DeepEqual(again, result) {
			t.Fatalf("the same events gave\n%+v\nand\n%+v", result, again)
		}
	})
}

func checkDepsEnded(t *rapid.T, f *fakeScript, s *Schedule, step string) {
	for _, st := range f.steps {
		if st.Name != step {
			continue
		}
		for _, dep := range st.Deps {
			if got := s.Status(dep); got != StatusSucceeded && got != StatusSkipped {
				t.Fatalf("%s started while %s is %s", step, dep, got)
			}
		}
	}
}

func checkResult(t *rapid.T, f *fakeScript, started map[string]int, r Result) {
	for _, st := range r.Steps {
		if n := started[st.Step]; n > 1 {
			t.Fatalf("%s started %d times", st.Step, n)
		}
		if st.Status == StatusRunning {
			t.Fatalf("%s is under way in a run that ended", st.Step)
		}
		if st.Status == StatusSucceeded && started[st.Step] != 1 {
			t.Fatalf("%s succeeded without having been started", st.Step)
		}
		if st.Status == StatusSkipped && !f.skip[st.Step] {
			t.Fatalf("%s was skipped", st.Step)
		}
		if r.Status == StatusSucceeded && st.Status != StatusSucceeded && st.Status != StatusSkipped {
			t.Fatalf("the run succeeded and %s is %s", st.Step, st.Status)
		}
	}
	if (r.Status == StatusFailed) != (r.Error != nil) {
		t.Fatalf("status %s with error %v", r.Status, r.Error)
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
			s.Done(e.done, outcomes[e.done])
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
		{"a cancel that came too late changes nothing", nil, func(s *Schedule) {
			s.Ready()
			s.Done("a", ok)
			s.Ready()
			s.Done("b", ok)
			s.Cancel()
			s.Done("c", ok)
		}, StatusSucceeded, "[succeeded succeeded succeeded]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSchedule(&fakeScript{steps: chain, skip: tt.skip}, Start{}, 32)
			tt.drive(s)
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

func TestRestoreRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON":      `x`,
		"newer format": `{"format":9}`,
	} {
		if _, err := decodeSnapshot(json.RawMessage(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s := newSchedule(&fakeScript{steps: []Step{{Name: "a"}}}, Start{}, 1)
	if err := s.adopt(&snapshot{Steps: []snapshotStep{{Step: "b"}}}); err == nil {
		t.Error("a snapshot of another plan was restored")
	}
}
