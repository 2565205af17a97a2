package worker

import (
	"context"
	"time"

	tclient "go.temporal.io/sdk/client"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/workflows"
)

// sweepTime is how long one sweep may take.
const sweepTime = 5 * time.Minute

// sweep removes, now and then until ctx ends, what runs left behind that are closed, or gone.
func sweep(ctx context.Context, c tclient.Client, s *Parts) {
	tick := time.NewTicker(s.SweepEvery)
	defer tick.Stop()
	for {
		removed, err := sweepOnce(ctx, c, s)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.Log.Warn("sweeping failed; trying again", "error", err, "in", s.SweepEvery.String())
		case removed > 0:
			s.Log.Info("swept up what closed runs left", "removed", removed)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func sweepOnce(ctx context.Context, c tclient.Client, s *Parts) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	live, err := workflows.LiveRuns(ctx, c)
	if err != nil {
		return 0, err
	}
	return s.Host.Sweep(ctx, sdk.Sweep{LiveRuns: live, Grace: schema.Duration(s.SweepGrace)})
}
