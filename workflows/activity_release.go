package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// ReleaseRequest names the steps whose leftovers a run needs no more.
type ReleaseRequest struct {
	Keys []string `json:"keys"`
}

// Release is the last act of every run, once for each queue that its steps ran on.
func (s *Steps) Release(ctx context.Context, req ReleaseRequest) error {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		tick := time.NewTicker(heartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			case <-stop:
				return
			}
		}
	}()
	return s.Runner.Release(ctx, req.Keys)
}
