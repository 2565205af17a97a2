package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"go.podman.io/image/v5/manifest"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Healthcheck is a `healthcheck` block.
type Healthcheck struct {
	Command     []string         `json:"command"`
	Interval    *schema.Duration `json:"interval"`
	Timeout     *schema.Duration `json:"timeout"`
	Retries     *int             `json:"retries"`
	StartPeriod *schema.Duration `json:"start_period"`
}

// settle fills in what was left out, and reports what is wrong.
func (h *Healthcheck) settle(path string) error {
	if h == nil {
		return nil
	}
	second, five, three, none := schema.Duration(time.Second), schema.Duration(5*time.Second), 3, schema.Duration(0)
	h.Interval, h.Timeout, h.Retries, h.StartPeriod = or(h.Interval, &second), or(h.Timeout, &five), or(h.Retries, &three), or(h.StartPeriod, &none)
	switch {
	case len(h.Command) == 0 || h.Command[0] == "":
		return sdk.Invalidf(path+"command", "the healthcheck needs a command")
	case h.Interval.Std() < 100*time.Millisecond:
		return sdk.Invalidf(path+"interval", "interval must be at least 100ms")
	case h.Timeout.Std() < 100*time.Millisecond:
		return sdk.Invalidf(path+"timeout", "timeout must be at least 100ms")
	case *h.Retries < 1:
		return sdk.Invalidf(path+"retries", "retries must be at least 1")
	case *h.StartPeriod < 0:
		return sdk.Invalidf(path+"start_period", "start_period cannot be less than nothing")
	}
	return nil
}

func or[T any](a, b *T) *T {
	if a == nil {
		return b
	}
	return a
}

// config is the healthcheck as Podman keeps it. Its own timers, which need systemd, have nothing to do: an interval of zero is none. An image's
// check is not wanted.
func (h *Healthcheck) config() *manifest.Schema2HealthConfig {
	if h == nil {
		return &manifest.Schema2HealthConfig{Test: []string{"NONE"}}
	}
	return &manifest.Schema2HealthConfig{
		Test: append([]string{"CMD"}, h.Command...), Timeout: h.Timeout.Std(), Retries: *h.Retries, StartPeriod: h.StartPeriod.Std(),
	}
}

// patience is the longest that a container may take to be well for the first time.
func (h *Healthcheck) patience() time.Duration {
	if h == nil {
		return 0
	}
	return h.StartPeriod.Std() + time.Duration(*h.Retries)*(h.Interval.Std()+h.Timeout.Std())
}

// errUnhealthy is what a container's checks came to.
type errUnhealthy struct{ why string }

func (e errUnhealthy) Error() string { return e.why }

// checkUntil checks the container's health again and again, until stop tells of a check that it is enough, or until it is unhealthy: an
// errUnhealthy. A Podman that does not answer says nothing about the container.
func (a *run) checkUntil(ctx context.Context, started time.Time, stop func(well bool) bool) error {
	h, failed := a.in.Healthcheck, 0
	for {
		why, err := a.checkHealth(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			// Podman is away, or the container has ended, which others see.
		case why == "":
			failed = 0
		case time.Since(started) < h.StartPeriod.Std():
			a.logf("healthcheck failed, within its start_period: %s", why)
		default:
			failed++
			a.logf("healthcheck failed (%d of %d): %s", failed, *h.Retries, why)
		}
		if failed >= *h.Retries {
			return errUnhealthy{why}
		}
		if err == nil && stop(why == "") {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(h.Interval.Std()):
		}
	}
}

// checkHealth runs the check once. It gives why the container is not well, or an error if nobody knows.
func (a *run) checkHealth(ctx context.Context) (why string, err error) {
	limit := a.in.Healthcheck.Timeout.Std()
	call, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	resp, err := a.Client.Do(call, client.Call{Method: http.MethodGet, Endpoint: "/containers/%s/healthcheck", Path: []string{a.name()}})
	late := fmt.Sprintf("it took longer than its timeout of %s", limit)
	switch {
	case errors.Is(call.Err(), context.DeadlineExceeded):
		return late, nil // Podman's 4.3.1 waits for a check that hangs
	case client.Status(err) == http.StatusInternalServerError && strings.Contains(err.Error(), "timeout"):
		return late, nil
	case client.Status(err) == http.StatusInternalServerError && !endedMeanwhile(err):
		return err.Error(), nil
	case err != nil:
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var result struct{ Status string }
	if err := json.NewDecoder(resp.Body).Decode(&result); err != nil {
		return "", fmt.Errorf("reading the result of a healthcheck: %w", err)
	}
	if result.Status == define.HealthCheckHealthy {
		return "", nil
	}
	return a.lastCheck(ctx), nil
}

// lastCheck is what Podman noted of the last check.
func (a *run) lastCheck(ctx context.Context) string {
	d, err := a.inspectOnce(ctx)
	if err != nil || d.State == nil || d.State.Health == nil || len(d.State.Health.Log) == 0 {
		return "its command failed"
	}
	last := d.State.Health.Log[len(d.State.Health.Log)-1]
	if text := strings.TrimSpace(last.Output); text != "" {
		return text
	}
	return "its command failed without a word"
}
