package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// Outputs are container_run's: contract.ContainerRun's output.
type Outputs struct {
	ExitCode  int32            `json:"exit_code"`
	Stdout    string           `json:"stdout"`
	Stderr    string           `json:"stderr"`
	Truncated bool             `json:"truncated"`
	Log       *sdk.Artifact    `json:"log"`
	Receipt   contract.Receipt `json:"receipt"`
}

// result makes the outputs of a container that has ended, or the failure that its end is.
func (a *run) result(ctx context.Context, state *inspected, endedBy string, o *output) (any, error) {
	usage := a.watch.final(ctx)
	if endedBy == "" {
		endedBy = a.whatEnded(ctx, state, a.watch.oomSeen(usage))
	}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming the host: %w", err)
	}
	out := Outputs{
		ExitCode: state.exitCode, Stdout: o.stdout.text(), Stderr: o.stderr.text(),
		Truncated: o.stdout.truncated || o.stderr.truncated,
		Log:       sdk.File(o.file.Name(), "log", "text/plain; charset=utf-8"),
		Receipt: contract.Receipt{
			Limits: a.watch.limits, MemoryPeak: usage.MemoryPeak, CPUTime: usage.CPUTime, CPUThrottled: usage.CPUThrottled,
			PidsPeak: usage.PidsPeak, QueuedMS: a.req.Queued.Milliseconds(), PullMS: a.times.pull.Milliseconds(), CreateMS: a.times.create.Milliseconds(),
			RunMS: max(state.finishedAt.Sub(state.startedAt), 0).Milliseconds(), CleanupMS: a.times.cleanup.Milliseconds(),
			EndedBy: endedBy, StartedAt: state.startedAt.UTC().Format(time.RFC3339Nano), Host: hostname,
		},
	}
	if !state.finishedAt.IsZero() {
		out.Receipt.CleanupMS = max(time.Since(state.finishedAt), 0).Milliseconds()
	}
	if endedBy == contract.EndedByExit && slices.Contains(a.in.SuccessExitCodes, state.exitCode) {
		return out, nil
	}
	return nil, a.failure(out)
}

// whatEnded tells what ended a container that nobody of us stopped.
func (a *run) whatEnded(ctx context.Context, state *inspected, oom bool) string {
	ran := state.finishedAt.Sub(state.startedAt)
	switch {
	case state.exitCode != 0 && (oom || state.oomKilled || state.exitCode == 137 && a.atMemoryLimit(ctx)):
		return contract.EndedByOOM
	case state.exitCode < 0 && ran >= a.in.TimeLimit.Std(), ran > a.in.TimeLimit.Std()+backstop*time.Second/2:
		// Podman's own timeout, which stands in for us when nobody was there, leaves -1.
		return contract.EndedByTimeLimit
	case state.exitCode > 128 && state.exitCode <= 128+64:
		return contract.EndedBySignal
	default:
		return contract.EndedByExit
	}
}

// atMemoryLimit tells whether an adopted container, whose own counters went with its group, was at its memory limit.
func (a *run) atMemoryLimit(ctx context.Context) bool {
	if !a.adopted {
		return false
	}
	peak := a.watch.final(ctx).MemoryPeak
	return peak != nil && a.watch.limits.Memory > 0 && *peak >= a.watch.limits.Memory
}

// failure is what is wrong with the end of a container, with all that is known of it.
func (a *run) failure(out Outputs) error {
	last := describe(out.Stderr)
	if last == "" {
		last = describe(out.Stdout)
	}
	if last != "" {
		last = ": " + last
	}
	switch out.Receipt.EndedBy {
	case contract.EndedByOOM:
		return sdk.Failed(sdk.CodeOOM, out, fmt.Errorf("the container was killed because it needed more than its memory of %s%s", a.in.Memory, last))
	case contract.EndedByTimeLimit:
		return sdk.Failed(sdk.CodeTimeLimit, out, fmt.Errorf("the container ran longer than its time limit of %s%s", a.in.TimeLimit, last))
	case contract.EndedBySignal:
		return sdk.Failed(sdk.CodeExit, out, fmt.Errorf("the container was ended by signal %d%s", out.ExitCode-128, last))
	case contract.EndedByExit:
		return sdk.Failed(sdk.CodeExit, out, fmt.Errorf("the container exited with %d%s", out.ExitCode, last))
	default:
		return errors.New("the container was stopped")
	}
}

// trimPartialRune cuts off a character of which only a part is there.
func trimPartialRune(s string) string {
	for i := 1; i <= utf8.UTFMax && i <= len(s); i++ {
		if b := s[len(s)-i]; utf8.RuneStart(b) {
			if !utf8.FullRuneInString(s[len(s)-i:]) {
				return s[:len(s)-i]
			}
			break
		}
	}
	return s
}
