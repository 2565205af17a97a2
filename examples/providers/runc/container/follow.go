//go:build linux

package container

import (
	"context"
	"errors"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// poll is how often the container's folder is looked at.
const poll = 50 * time.Millisecond

// settle is how long the end of a container, and the removal of what it leaves, may take beside its grace.
const settle = 20 * time.Second

// errLost tells that nobody knows how a container ended.
var errLost = errors.New("the container's supervisor was killed")

// follow goes with the container to its end. It begins with the first byte of the output also where the container was adopted.
func (a *run) follow(ctx context.Context) (any, error) {
	out, err := newOutput(a.req, a.folder(), int64(a.in.OutputLimit))
	if err != nil {
		return nil, err
	}
	defer out.close()
	a.req.Progress(sdk.Progress{Message: "running"})
	end, err := a.await(ctx, out)
	if err == nil {
		err = out.finish()
	}
	if err != nil {
		return nil, err
	}
	return a.result(end, out)
}

// await copies the output until the supervisor has written how the container ended.
func (a *run) await(ctx context.Context, out *output) (end exit, err error) {
	for {
		supervised := a.folder().supervised() // before looking for its last word
		ended, err := a.folder().read("exit", &end)
		if err == nil {
			err = out.copy()
		}
		if err == nil && !ended && !supervised {
			err = errLost
		}
		if ended || err != nil {
			return end, err
		}
		select {
		case <-ctx.Done():
			return end, a.interrupted(ctx)
		case <-time.After(poll):
		}
	}
}

// interrupted reacts to the end of the attempt's context: a cancel has the supervisor stop the container, a detach leaves it alone.
func (a *run) interrupted(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, sdk.ErrDetached) {
		return cause
	}
	err := a.folder().write("stop", cause.Error())
	for deadline := time.Now().Add(a.in.Grace.Std() + settle); err == nil && time.Now().Before(deadline); time.Sleep(poll) {
		if a.folder().has("exit") || !a.folder().supervised() {
			break
		}
	}
	return errors.Join(cause, err)
}
