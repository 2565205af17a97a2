package pod

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings/containers"
	"go.podman.io/image/v5/manifest"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Health is a healthcheck.
type Health struct {
	Command     []string         `json:"command"`
	Interval    *schema.Duration `json:"interval"`
	Timeout     *schema.Duration `json:"timeout"`
	StartPeriod *schema.Duration `json:"start_period"`
	Retries     *int             `json:"retries"`
}

// ReadHealth reads the block `healthcheck` of a container's input; nil if there is none.
func ReadHealth(input json.RawMessage) (*Health, error) {
	var in struct {
		Health *Health `json:"healthcheck"`
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, sdk.Invalidf("healthcheck", "reading the healthcheck: %w", err)
	}
	h := in.Health
	if h == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	h.Interval, h.Timeout = OrDuration(h.Interval, 2*time.Second), OrDuration(h.Timeout, 10*time.Second)
	h.StartPeriod = OrDuration(h.StartPeriod, 0)
	if h.Retries == nil {
		three := 3
		h.Retries = &three
	}
	switch {
	case len(h.Command) == 0:
		return nil, sdk.Invalidf("healthcheck.command", "a healthcheck needs a command")
	case h.Interval.Std() < 100*time.Millisecond:
		return nil, sdk.Invalidf("healthcheck.interval", "interval must be at least 100ms")
	case h.Timeout.Std() < time.Second:
		return nil, sdk.Invalidf("healthcheck.timeout", "timeout must be at least 1s")
	case h.StartPeriod.Std() < 0:
		return nil, sdk.Invalidf("healthcheck.start_period", "start_period must not be less than nothing")
	case *h.Retries < 1:
		return nil, sdk.Invalidf("healthcheck.retries", "retries must be at least 1")
	}
	return h, nil
}

// Config is the healthcheck as Podman is asked for it. timers tells whether Podman can run it by itself, with timers of systemd; without, it
// must not try, or the container does not start. A container without a healthcheck does not get its image's, for the same reason.
func (h *Health) Config(timers bool) *manifest.Schema2HealthConfig {
	if h == nil {
		return &manifest.Schema2HealthConfig{Test: []string{"NONE"}}
	}
	c := &manifest.Schema2HealthConfig{
		Test: append([]string{"CMD"}, h.Command...), Timeout: h.Timeout.Std(), StartPeriod: h.StartPeriod.Std(), Retries: *h.Retries,
	}
	if timers {
		c.Interval = h.Interval.Std()
	}
	return c
}

// Healthy runs a container's healthcheck once and tells whether all is well.
func Healthy(ctx context.Context, c *client.Client, name string) (bool, error) {
	call, cancel := c.Context(ctx)
	defer cancel()
	r, err := containers.RunHealthCheck(call, name, nil)
	if err != nil {
		return false, fmt.Errorf("running the healthcheck of %s: %w", name, err)
	}
	return r.Status == define.HealthCheckHealthy, nil
}
