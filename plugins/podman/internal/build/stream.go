package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// answer follows what the build endpoint says while it builds.
type answer struct {
	req  *sdk.Request
	file *os.File

	imageID string
	steps   int  // instructions that make a layer or change the image
	cached  int  // those that came from the cache
	killed  bool // whether a RUN was ended by SIGKILL
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

// failed is the error of a build that Podman says has failed. A shell that a RUN is in makes 137 of a killed command.
func (a *answer) failed(text string) error {
	if a.killed || strings.Contains(text, "exit status 137") {
		return fmt.Errorf("%w: %w: %s", errBuild, errKilled, text)
	}
	return fmt.Errorf("%w: %s", errBuild, text)
}

var (
	id   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	step = regexp.MustCompile(`^(?:\[\d+/\d+\] )?STEP \d+/\d+: (\S+)`)
)

// take takes over one piece of the log.
func (a *answer) take(text string) error {
	if _, err := a.file.WriteString(text); err != nil {
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
			a.req.Progress(sdk.Progress{Message: line})
			if !strings.EqualFold(m[1], "FROM") {
				a.steps++
			}
		}
		if strings.HasPrefix(line, "--> Using cache") {
			a.cached++
		}
		if line == "container exited on killed" {
			a.killed = true
		}
	}
	return nil
}
