package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// Outputs are container_run's: contract.ContainerRun's output.
type Outputs struct {
	ExitCode  int32         `json:"exit_code"`
	Stdout    string        `json:"stdout"`
	Stderr    string        `json:"stderr"`
	Truncated bool          `json:"truncated"`
	Log       *sdk.Artifact `json:"log"`

	Collected map[string]*sdk.Artifact `json:"collected"`

	Receipt contract.Receipt `json:"receipt"`
}

// result makes the outputs of a container that has ended, or the failure that its end is. Of one that failed nothing is left, so that the time that
// takes is in the receipt.
func (a *run) result(ctx context.Context, state *inspected, endedBy string, o *output) (any, error) {
	out, err := a.outputs(ctx, state, endedBy)
	if err != nil {
		return nil, err
	}
	out.Stdout, out.Stderr, out.Truncated = o.stdout.text(), o.stderr.text(), o.stdout.truncated || o.stderr.truncated
	out.Log = sdk.File(o.file.Name(), "log", "text/plain; charset=utf-8")
	var missing error // of what was to be collected; a container that failed may have left its reports nevertheless
	if out.Collected, missing = a.collect(ctx); missing != nil && !errors.As(missing, new(errCollect)) {
		return nil, missing
	}
	success := out.Receipt.EndedBy == contract.EndedByExit && slices.Contains(a.in.SuccessExitCodes, state.exitCode)
	if success && missing == nil {
		a.times.tell(&out.Receipt, state.startedAt, state.finishedAt, time.Now())
		return out, nil
	}
	err = a.cleanup(ctx)
	a.removed = err == nil
	a.times.tell(&out.Receipt, state.startedAt, state.finishedAt, time.Now())
	if success {
		return nil, errors.Join(sdk.Failed(codeCollect, out, missing), err)
	}
	return nil, errors.Join(a.failure(out), err)
}

// outputs are what is known of a container that has ended, apart from what it wrote.
func (a *run) outputs(ctx context.Context, state *inspected, endedBy string) (Outputs, error) {
	usage := a.watch.final(ctx)
	if endedBy == "" {
		endedBy = a.whatEnded(state, a.watch.oomSeen(usage), a.atMemoryLimit(usage))
	}
	hostname, err := a.hostname(ctx)
	if err != nil {
		return Outputs{}, err
	}
	return Outputs{ExitCode: state.exitCode, Receipt: contract.Receipt{
		Limits: a.watch.limits, MemoryPeak: usage.MemoryPeak, CPUTime: usage.CPUTime, CPUThrottled: usage.CPUThrottled, PidsPeak: usage.PidsPeak,
		EndedBy: endedBy, StartedAt: state.startedAt.UTC().Format(time.RFC3339Nano), Host: hostname,
	}}, nil
}

// hostname is the name of the machine that the container ran on.
func (a *run) hostname(ctx context.Context) (string, error) {
	if a.distant() {
		info, err := a.Client.Info(ctx)
		if err != nil {
			return "", err
		}
		return info.Host.Hostname, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("naming the host: %w", err)
	}
	return name, nil
}

// stopped is what a cancelled step ends with: the cancel, and what is known of the container that it stopped.
type stopped struct{ cause, failure error }

func (s *stopped) Error() string { return s.cause.Error() }

func (s *stopped) Unwrap() []error { return []error{s.cause, s.failure} }

// cancelled is the end of a container that a cancel stopped.
func (a *run) cancelled(ctx context.Context, state *inspected, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	out, err := a.outputs(ctx, state, contract.EndedByCancelled)
	if err != nil {
		return errors.Join(cause, err)
	}
	err = a.cleanup(ctx)
	a.removed = err == nil
	a.times.tell(&out.Receipt, state.startedAt, state.finishedAt, time.Now())
	return errors.Join(&stopped{cause, sdk.Failed(contract.EndedByCancelled, out, errors.New("the container was stopped"))}, err)
}

// slack is how much longer than its time limit a container may seem to have run that ended by itself: Podman notes the start and the end a
// moment after they were.
const slack = time.Second

// The exit codes that are not the code's own.
const (
	exitKilled = 128 + 9 // by SIGKILL, as a shell says it; Podman and its init do the same
	exitSignal = 128     // and more: by the signal of that number
	maxSignal  = 64
)

// whatEnded tells what ended a container that this attempt did not stop. oom tells that the kernel was seen to kill for memory, atLimit that it may
// have, when nobody looked.
func (a *run) whatEnded(state *inspected, oom, atLimit bool) string {
	ran, code := state.finishedAt.Sub(state.startedAt), state.exitCode
	killed := code == exitKilled && (oom || state.oomKilled || atLimit)
	switch {
	case killed, (oom || state.oomKilled) && code > 0 && !slices.Contains(a.in.SuccessExitCodes, code):
		// Where a child was killed, its parent may have gone on: if it failed, that is why.
		return contract.EndedByOOM
	case code < 0 && ran >= a.in.TimeLimit.Std():
		// Podman's own timeout, which stands in for us when nobody is there, leaves -1.
		return contract.EndedByTimeLimit
	case a.adopted && ran > a.in.TimeLimit.Std()+slack:
		return contract.EndedByTimeLimit // it would have been stopped, had somebody been there
	case code > exitSignal && code <= exitSignal+maxSignal:
		return contract.EndedBySignal
	default:
		return contract.EndedByExit
	}
}

// atMemoryLimit tells whether a container that may have been killed for memory unseen was at its memory limit: one that was adopted, whose
// own counters went with its group, or one on another machine.
func (a *run) atMemoryLimit(u cgroup.Usage) bool {
	return (a.adopted || a.watch.oomGuessed()) && u.MemoryPeak != nil && a.watch.limits.Memory > 0 && *u.MemoryPeak >= a.watch.limits.Memory
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
	case contract.EndedByUnhealthy:
		return sdk.Failed(sdk.CodeUnhealthy, out, fmt.Errorf("%w%s", a.why, last))
	case contract.EndedBySidecar:
		return sdk.Failed(sdk.CodeSidecar, out, a.why)
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
