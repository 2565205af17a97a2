package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// answer follows what the build endpoint says while it builds.
type answer struct {
	req  *sdk.Request
	file io.Writer
	// stages are the instructions of each stage, FROM included.
	stages []int
	// labels are the steps in which Podman sets labels, at the end of the last stage.
	labels int64

	imageID string
	steps   int  // instructions that make a layer or change the image
	cached  int  // those that came from the cache
	killed  bool // whether a RUN was ended by SIGKILL
	foreign bool // whether the kernel did not know a RUN's program
}

// errBuild is in the tree of an error that the build itself ended with, as opposed to the connection to Podman.
var errBuild = errors.New("the build failed")

// read reads the answer to its end.
func (a *answer) read(body io.Reader) error {
	for dec := json.NewDecoder(body); ; {
		var line struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("reading Podman's answer: %w", err)
		}
		if line.Error != "" {
			return a.failed(strings.TrimSpace(line.Error))
		}
		if err := a.take(line.Stream); err != nil {
			return err
		}
	}
	if a.imageID == "" {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// errKilled is in the tree of the error of a build in which a RUN was killed.
var errKilled = errors.New("a RUN was killed")

// errForeign is in the tree of the error of a build with a RUN whose program is not for this machine.
var errForeign = errors.New("exec format error: the program of a RUN is none of this machine's")

// failed is the error of a build that Podman says has failed. A shell that a RUN is in makes 137 of a killed command.
func (a *answer) failed(text string) error {
	text = a.req.Redactor.Text(text)
	if a.killed || strings.Contains(text, "exit status 137") {
		return fmt.Errorf("%w: %w: %s", errBuild, errKilled, text)
	}
	if a.foreign {
		return fmt.Errorf("%w: %w: %s", errBuild, errForeign, text)
	}
	return fmt.Errorf("%w: %s", errBuild, text)
}

var (
	id   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	step = regexp.MustCompile(`^(?:\[(\d+)/(\d+)\] )?STEP (\d+)/(\d+): (\S+)`)
)

// take takes over one piece of the log.
func (a *answer) take(text string) error {
	if _, err := io.WriteString(a.file, text); err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	if _, err := io.WriteString(a.req.Log("step"), text); err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if id.MatchString(line) {
			a.imageID = line
		}
		if m := step.FindStringSubmatch(line); m != nil {
			done, total := a.progress(m)
			a.req.Progress(sdk.Progress{Message: a.req.Redactor.Text(line), Done: done, Total: total})
			if !strings.EqualFold(m[5], "FROM") {
				a.steps++
			}
		}
		if strings.HasPrefix(line, "--> Using cache") {
			a.cached++
		}
		a.foreign = a.foreign || strings.Contains(line, "exec format error")
		if line == "container exited on killed" {
			a.killed = true
		}
	}
	return nil
}

// progress counts the instructions of all stages together: what Podman says are those of one.
func (a *answer) progress(m []string) (done, total int64) {
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(m[i], 10, 64) // digits, or nothing for the only stage
		return n
	}
	stage, stages := max(number(1), 1), max(number(2), 1)
	done, total = number(3), number(4)
	for i, steps := range a.stages {
		switch n := int64(i) + 1; {
		case n < stage:
			done += int64(steps)
			total += int64(steps)
		case n > stage && n <= stages:
			total += int64(steps)
		}
	}
	if stage < stages {
		total += a.labels
	}
	return done, total
}
