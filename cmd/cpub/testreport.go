package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerpub/cpub/cmd/cpub/internal/junit"
	"github.com/containerpub/cpub/engine/cases"
	"github.com/containerpub/cpub/engine/config"
)

// testReport shows what comes of cases, as they end.
type testReport struct {
	c      *stdio
	suite  *cases.Suite
	dir    string
	asJSON bool

	passed, failed, wrong int
	elapsed               time.Duration
	suites                []junit.Suite
}

// testCase is what --json prints for a case.
type testCase struct {
	Event       string              `json:"event"` // "case"
	File        string              `json:"file"`
	Case        string              `json:"case"`
	Status      cases.Status        `json:"status"`
	Seconds     float64             `json:"seconds"`
	StepsRun    []string            `json:"steps_run"`
	Diagnostics []config.Diagnostic `json:"diagnostics"`
}

// testSummary is what --json prints at the end.
type testSummary struct {
	Event   string  `json:"event"` // "summary"
	Passed  int     `json:"passed"`
	Failed  int     `json:"failed"`
	Errors  int     `json:"errors"`
	Seconds float64 `json:"seconds"`
}

func (r *testReport) total() int { return r.passed + r.failed + r.wrong }

// add shows one case.
func (r *testReport) add(one *cases.Case, result cases.Result) error {
	r.elapsed += result.Elapsed
	switch result.Status {
	case cases.Passed:
		r.passed++
	case cases.NotPassed:
		r.failed++
	case cases.Errored:
		r.wrong++
	}
	if err := r.keep(one, result); err != nil {
		return err
	}
	if r.asJSON {
		steps := result.StepsRun
		if steps == nil {
			steps = []string{}
		}
		return r.c.printJSON(testCase{
			Event: "case", File: filepath.Join(r.dir, one.File.Name), Case: one.Name, Status: result.Status, Seconds: result.Elapsed.Seconds(),
			StepsRun: steps, Diagnostics: config.JSONDiagnostics(result.Diagnostics, r.suite.Sources, r.dir),
		})
	}
	if err := printLines(r.c.out, []string{fmt.Sprintf("  %-6s  %s", result.Status, one.Name)}); err != nil {
		return err
	}
	if len(result.Diagnostics) == 0 {
		return nil
	}
	if err := r.c.diagnostics(inFolder(result.Diagnostics, r.suite.Sources, r.dir), filesInFolder(r.suite.Sources, r.dir)); err != nil {
		return err
	}
	return printLines(r.c.err, []string{""})
}

// keep takes a case into the JUnit report.
func (r *testReport) keep(one *cases.Case, result cases.Result) error {
	name := filepath.Join(r.dir, one.File.Name)
	if n := len(r.suites); n == 0 || r.suites[n-1].Name != name {
		r.suites = append(r.suites, junit.Suite{Name: name})
	}
	c := junit.Case{Name: one.Name, Elapsed: result.Elapsed}
	if result.Status != cases.Passed {
		var text bytes.Buffer
		if err := config.WriteDiagnostics(&text, result.Diagnostics, r.suite.Sources, config.Style{Dir: r.dir}); err != nil {
			return err
		}
		p := &junit.Problem{Text: text.String()}
		if len(result.Diagnostics) > 0 {
			p.Message = result.Diagnostics[0].Summary
		}
		if result.Status == cases.Errored {
			c.Error = p
		} else {
			c.Failure = p
		}
	}
	last := &r.suites[len(r.suites)-1]
	last.Cases = append(last.Cases, c)
	return nil
}

// end sums up, and gives the command's exit code.
func (r *testReport) end(flags testFlags) error {
	if flags.junit != "" {
		if err := r.writeJUnit(flags.junit); err != nil {
			return err
		}
	}
	var err error
	if r.asJSON {
		err = r.c.printJSON(testSummary{Event: "summary", Passed: r.passed, Failed: r.failed, Errors: r.wrong, Seconds: r.elapsed.Seconds()})
	} else {
		line := fmt.Sprintf("%d passed, %d failed", r.passed, r.failed)
		if r.wrong > 0 {
			line += fmt.Sprintf(", %d in error", r.wrong)
		}
		err = printLines(r.c.out, []string{line + "."})
	}
	if err != nil {
		return err
	}
	if r.failed+r.wrong > 0 {
		return exit(exitFailed)
	}
	return nil
}

func (r *testReport) writeJUnit(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	defer func() {
		if closed := f.Close(); closed != nil {
			err = errors.Join(err, fmt.Errorf("writing JUnit XML: %w", closed))
		}
	}()
	return junit.Write(f, r.suites)
}
