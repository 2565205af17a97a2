//go:build linux

package container

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// outputs are container_run's: contract.ContainerRun's output, as far as this provider serves it.
type outputs struct {
	ExitCode  int              `json:"exit_code"`
	Stdout    string           `json:"stdout"`
	Stderr    string           `json:"stderr"`
	Truncated bool             `json:"truncated"`
	Log       *sdk.Artifact    `json:"log"`
	Receipt   contract.Receipt `json:"receipt"`
}

// result makes the outputs of a container that has ended, or the failure that its end is.
func (a *run) result(end exit, o *output) (any, error) {
	if end.Error != "" {
		return nil, errors.New(end.Error)
	}
	if peak := end.Usage.MemoryPeak; peak != nil && a.record.Limits.Memory > 0 {
		*peak = min(*peak, a.record.Limits.Memory) // the kernel counts the page, too, for which it kills
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming the host: %w", err)
	}
	out := outputs{
		ExitCode: end.Code, Stdout: o.stdout(), Stderr: o.stderr(), Truncated: o.truncated(),
		Log: sdk.File(o.log.Name(), "log", "text/plain; charset=utf-8"),
		Receipt: contract.Receipt{
			Limits: a.record.Limits, MemoryPeak: end.Usage.MemoryPeak, CPUTime: end.Usage.CPUTime, CPUThrottled: end.Usage.CPUThrottled,
			PidsPeak: end.Usage.PidsPeak, QueuedMS: a.req.Queued.Milliseconds(), PullMS: a.record.PullMS, CreateMS: a.record.MakeMS,
			RunMS: end.Finished.Sub(end.Started).Milliseconds(), CleanupMS: end.CleanupMS,
			EndedBy: end.EndedBy, StartedAt: end.Started.UTC().Format(time.RFC3339Nano), Host: host,
		},
	}
	if end.EndedBy == contract.EndedByExit && slices.Contains(a.in.SuccessExitCodes, end.Code) {
		return out, nil
	}
	return nil, a.failure(out)
}

// failure is what is wrong with the end of a container, with all that is known of it.
func (a *run) failure(out outputs) error {
	code, err := sdk.CodeExit, fmt.Errorf("the container exited with %d", out.ExitCode)
	switch out.Receipt.EndedBy {
	case contract.EndedByCancelled:
		return errors.New("the container was stopped")
	case contract.EndedByOOM:
		code, err = sdk.CodeOOM, fmt.Errorf("the container was killed because it needed more than its memory of %s", a.in.Memory)
	case contract.EndedByTimeLimit:
		code, err = sdk.CodeTimeLimit, fmt.Errorf("the container ran longer than its time limit of %s", a.in.TimeLimit)
	case contract.EndedBySignal:
		err = fmt.Errorf("the container was ended by signal %d", out.ExitCode-128)
	}
	for _, text := range []string{out.Stderr, out.Stdout} {
		if said := strings.TrimSpace(text); said != "" {
			err = fmt.Errorf("%w: %s", err, last(said))
			break
		}
	}
	return sdk.Failed(code, out, err)
}

// last is the last line of a text, or the end of it.
func last(text string) string {
	const most = 200
	line := text[strings.LastIndexByte(text, '\n')+1:]
	if len(line) > most {
		line = strings.ToValidUTF8("…"+line[len(line)-most:], "")
	}
	return line
}
