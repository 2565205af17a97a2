package view

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/containerpub/cpub/sdk"
)

var update = flag.Bool("update", false, "write the golden files")

var began = time.Date(2026, 11, 24, 12, 1, 2, 0, time.UTC)

func after(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

// look is a run as it was at one time.
type look struct {
	at  float64 // seconds after began
	run *Run
}

// story is a run that fetches, fails once, builds, runs.
func story() []look {
	steps := func(edit func(s []Step)) *Run {
		r := &Run{
			ID: "deploy_function/42", RunID: "0198", Pipeline: "deploy_function", Status: Running, Started: began,
			Steps: []Step{
				{Name: "archive", Type: "object_fetch", Status: Pending},
				{Name: "image", Type: "image_build", Status: Pending},
				{Name: "notify", Type: "object_put", Status: Pending},
				{Name: "invoke", Type: "container_run", Status: Pending},
			},
		}
		edit(r.Steps)
		return r
	}
	archive := func(s []Step) {
		s[0] = Step{Name: "archive", Type: "object_fetch", Status: Succeeded, Attempt: 1, Started: began, Ended: after(0.4)}
	}
	image := func(s []Step) {
		archive(s)
		s[1] = Step{Name: "image", Type: "image_build", Status: Succeeded, Attempt: 2, Started: after(5), Ended: after(38.2)}
		s[2].Status = Skipped
	}
	receipt := `{"limits":{"memory":134217728,"memory_swap":134217728,"cpus":0.5,"pids":256,"network":"none","time_limit_ms":5000,` +
		`"read_only":true,"capabilities":[],"no_new_privileges":true,"userns":"auto"},"memory_peak":9542042,"cpu_time":0.031,` +
		`"cpu_throttled":null,"pids_peak":3,"queued_ms":2,"pull_ms":0,"create_ms":85,"run_ms":120,"cleanup_ms":30,` +
		`"ended_by":"exit","started_at":"2026-11-24T12:01:40Z","host":"demo"}`
	looks := []look{
		{0, steps(func(s []Step) { s[0].Status = Queued })},
		{0.2, steps(func(s []Step) {
			s[0].Status, s[0].Attempt, s[0].Started = Running, 1, began
			s[0].Progress = sdk.Progress{Message: "downloading", Done: 5 << 20, Total: 12 << 20, Unit: "bytes"}
		})},
		{2.5, steps(func(s []Step) {
			archive(s)
			s[1] = Step{
				Name: "image", Type: "image_build", Status: Retrying, Attempt: 1, Started: after(0.5),
				Failure: &Failure{Message: "the registry answers\n503", Code: "unavailable"},
			}
		})},
		{20, steps(func(s []Step) {
			archive(s)
			s[1] = Step{
				Name: "image", Type: "image_build", Status: Running, Attempt: 2, Started: after(5),
				Progress: sdk.Progress{Message: "STEP 2/5: RUN make\x1b[2J", Done: 2, Total: 5}, LogTail: []string{"cc -c main.c"},
			}
		})},
		{39, steps(func(s []Step) {
			image(s)
			s[3] = Step{Name: "invoke", Type: "container_run", Status: Running, Attempt: 1, Started: after(38.3), LogTail: []string{"hello"}}
		})},
		{40, steps(func(s []Step) {
			image(s)
			s[3] = Step{
				Name: "invoke", Type: "container_run", Status: Succeeded, Attempt: 1, Started: after(38.3), Ended: after(38.6),
				Outputs: json.RawMessage(`{"stdout":"hi","receipt":` + receipt + `}`),
			}
		})},
	}
	last := looks[len(looks)-1].run
	last.Status, last.Ended, last.Outputs = Succeeded, after(38.7), json.RawMessage(`{"a":{"b":"<1>"},"result":"x"}`)
	return looks
}

// broken is a run with a failed step.
func broken() *Run {
	return &Run{
		ID: "deploy function/42", RunID: "0199", Pipeline: "deploy_function", Status: Failed, Started: began, Ended: after(4),
		Steps: []Step{
			{Name: "image", Type: "image_build", Status: Succeeded, Attempt: 1, Started: began, Ended: after(1)},
			{
				Name: "invoke", Type: "container_run", Status: Failed, Attempt: 3, Started: after(1), Ended: after(4),
				LogTail: []string{"Traceback:", "\tMemoryError\x1b]0;title\x07"},
				Failure: &Failure{Code: "oom", Kind: "permanent", Message: "it needed more than its 128 MiB of memory\nraise memory, or use less"},
			},
			{Name: "notify", Type: "object_put", Status: Cancelled},
		},
		Failure: &Failure{Step: "invoke", Code: "oom", Message: "step invoke failed"},
	}
}

func TestViews(t *testing.T) {
	pipe, terminal := Style{}, Style{Unicode: true, Width: 80, Height: 24}
	colors := Style{Unicode: true, Color: true, Width: 80, Height: 24}

	var plain, block, jsonl strings.Builder
	lines, before := &Plain{Style: pipe}, (*Run)(nil)
	for _, l := range story() {
		write(&plain, lines.Update(l.run, after(l.at)))
		fmt.Fprintf(&block, "after %gs\n", l.at)
		write(&block, terminal.Block(l.run, after(l.at)))
		for _, e := range Diff(before, l.run, after(l.at)) {
			b, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&jsonl, "%s\n", b)
		}
		before = l.run
	}
	outputs, err := Outputs(before.Outputs)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plain", plain.String())
	golden(t, "block", block.String())
	golden(t, "json", jsonl.String())
	golden(t, "outputs", outputs)
	golden(t, "receipt", text(pipe.Receipts(before)))
	golden(t, "failures", text(pipe.Failures(broken())))
	golden(t, "failed_block", text(terminal.Block(broken(), after(9))))
	golden(t, "failed_color", fmt.Sprintf("%q", text(append(colors.Block(broken(), after(9)), colors.Failures(broken())...))))
	golden(t, "ascii_narrow", text(Style{Width: 24, Height: 24}.Block(story()[3].run, after(20))))
}

func TestBlockFitsTheTerminal(t *testing.T) {
	r := &Run{ID: "many", Status: Running, Started: began}
	for i := range 50 {
		s := Step{Name: fmt.Sprintf("step_%d", i), Type: "value", Status: Pending}
		switch {
		case i < 20:
			s.Status = Succeeded
		case i == 20:
			s.Status, s.Failure = Failed, &Failure{Message: strings.Repeat("long ", 100)}
		case i < 25:
			s.Status, s.Progress.Message = Running, strings.Repeat("宽", 100)
		}
		r.Steps = append(r.Steps, s)
	}
	for height := 5; height < 60; height++ {
		for _, width := range []int{10, 20, 40, 80, 200} {
			block := Style{Unicode: true, Width: width, Height: height}.Block(r, after(1))
			if len(block) >= height {
				t.Fatalf("%d lines on a terminal of %d rows", len(block), height)
			}
			for _, l := range block {
				if runewidth.StringWidth(l) > width {
					t.Fatalf("a line is wider than %d columns: %q", width, l)
				}
			}
		}
	}
	golden(t, "many", text(Style{Unicode: true, Width: 60, Height: 12}.Block(r, after(1))))
}

func TestScreenReplacesItsBlock(t *testing.T) {
	var b strings.Builder
	s := NewScreen(&b)
	for _, err := range []error{
		s.Draw([]string{"one", "two"}), s.Print([]string{"stays"}, []string{"three"}), s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "\x1b[?25l" + "one\x1b[K\r\ntwo\x1b[K\r\n\x1b[J" + "\x1b[2A\rstays\x1b[K\r\nthree\x1b[K\r\n\x1b[J" + "\x1b[?25h"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

func TestOutputs(t *testing.T) {
	for _, test := range []struct{ outputs, want string }{
		{``, ``},
		{`{}`, ``},
		{`{"result":"{\"ok\":true}\n"}`, "{\"ok\":true}\n"},
		{`{"result":{"ok":true}}`, "{\n  \"result\": {\n    \"ok\": true\n  }\n}\n"},
		{`{"other":"a&b"}`, "{\n  \"other\": \"a&b\"\n}\n"},
	} {
		got, err := Outputs(json.RawMessage(test.outputs))
		if err != nil || got != test.want {
			t.Errorf("Outputs(%s) = %q, %v; want %q", test.outputs, got, err, test.want)
		}
	}
	if _, err := Outputs(json.RawMessage(`[`)); err == nil {
		t.Error("broken JSON was accepted")
	}
}

func TestSmallTexts(t *testing.T) {
	for got, want := range map[string]string{
		Duration(-1): "0.0s", Duration(3400 * time.Millisecond): "3.4s", Duration(59960 * time.Millisecond): "1m00s",
		Duration(65 * time.Second): "1m05s", Duration(7380 * time.Second): "2h03m",
		Bytes(512): "512B", Bytes(128 << 20): "128MiB", Bytes(1536): "1.5KiB",
		Quote("a/b"): "a/b", Quote("it's"): `'it'\''s'`, Quote(""): "''",
		Clean("a\x1b[31mb\u202ec\td\r\n"): "abc d\n", Clean("\x1b]0;title\x07x\x1b(By\x1b"): "xy",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func text(lines []string) string {
	var b strings.Builder
	write(&b, lines)
	return b.String()
}

func write(b *strings.Builder, lines []string) {
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
}

// golden compares a text with a file of testdata/views.txtar.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "views.txtar")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	archive := txtar.Parse(data)
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	for i := range archive.Files {
		if archive.Files[i].Name != name {
			continue
		}
		if want := string(archive.Files[i].Data); want != got && !*update {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
		archive.Files[i].Data = []byte(got)
		name = ""
	}
	if !*update {
		if name != "" {
			t.Errorf("%s is not in %s; it is\n%s", name, path, got)
		}
		return
	}
	if name != "" {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got)})
	}
	if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
