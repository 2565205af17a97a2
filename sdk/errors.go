package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Kind says what an error means for the next attempt. It stays the same across the wire.
type Kind string

// The kinds of errors. An error that is none of ours is transient.
const (
	KindTransient Kind = ""          // retried
	KindPermanent Kind = "permanent" // retrying cannot help
	KindInvalid   Kind = "invalid"   // the author's mistake, in the attribute named by Attr: a diagnostic
)

// The codes that a step's `retry { on = [...] }` may name: failures that are permanent unless it does.
const (
	CodeExit      = "exit"       // a non-zero exit of the user's code
	CodeOOM       = "oom"        // killed for memory
	CodeTimeLimit = "time_limit" // the container's own time ran out
	CodeUnhealthy = "unhealthy"  // the container's healthcheck failed
	CodeSidecar   = "sidecar"    // a sidecar of the container failed
	CodeTimeout   = "timeout"    // the step's attempt timed out
	CodeDenied    = "denied"     // refused by policy; never retried
)

// Error is a failure that says what it means. Make it with Permanent, Invalid, RetryAfter or Failed, or fill it in.
type Error struct {
	Kind Kind
	// Code is a stable, lower-case word for programs, such as "oom" or "not_found"; may be empty.
	Code string
	// Attr is the path of the attribute that is wrong, such as "memory" or "build_args.VERSION"; with KindInvalid.
	Attr string
	// RetryAfter is how long the next attempt should wait at least; zero means as the step says.
	RetryAfter time.Duration
	// Outputs are what is known of a step that failed (exit code, log, receipt, ...): JSON with the shape of its outputs, or empty.
	// Artifacts in it are kept as those of a step that succeeded.
	Outputs json.RawMessage
	// Err says what happened, and what to do.
	Err error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Kind)
	}
	return e.Err.Error()
}

// Unwrap gives what happened.
func (e *Error) Unwrap() error { return e.Err }

// Permanent says that trying again cannot help.
func Permanent(err error) error { return &Error{Kind: KindPermanent, Err: err} }

// Permanentf is Permanent(fmt.Errorf(...)).
func Permanentf(format string, args ...any) error { return Permanent(fmt.Errorf(format, args...)) }

// Invalidf says that the author gave the attribute at that path a value that does not work.
func Invalidf(attr, format string, args ...any) error {
	return &Error{Kind: KindInvalid, Attr: attr, Err: fmt.Errorf(format, args...)}
}

// RetryAfter says that the next attempt should wait at least d.
func RetryAfter(d time.Duration, err error) error { return &Error{RetryAfter: d, Err: err} }

// Failed says that the step did its work and the result is a failure, with a code that `retry { on }` can name.
// The outputs (any value with a JSON form, or nil) are shown with it.
func Failed(code string, outputs any, err error) error {
	e := &Error{Kind: KindPermanent, Code: code, Err: err}
	if outputs != nil {
		b, merr := json.Marshal(outputs)
		if merr != nil {
			return errors.Join(err, fmt.Errorf("encoding outputs: %w", merr))
		}
		e.Outputs = b
	}
	return e
}

// ErrCancelled is the cause of a context whose step was cancelled: stop the work, remove what it made.
var ErrCancelled = errors.New("the step was cancelled")

// ErrDetached is the cause of a context whose host goes away while the step shall go on: leave the work running and return.
// The next attempt adopts it by its key.
var ErrDetached = errors.New("the host detached from the step")
