package stack

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI serves Temporal's web UI, and returns when it answers. What is
// returned stops it, also beside an error.
func startUI(ctx context.Context, opts temporalOptions) (func(context.Context) error, error) {
	ui := server.NewServer(server_options.WithConfigProvider(&config.Config{
		Host:                opts.ui.host,
		Port:                opts.ui.port,
		TemporalGRPCAddress: opts.frontend.String(),
		EnableUI:            true,
		DefaultNamespace:    opts.namespace,
		CORS:                config.CORS{CookieInsecure: true}, // plain HTTP on the loopback
		DisableNewsFetch:    true,
		HideLogs:            true,
	}))
	ended := make(chan error, 1)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := ui.Start(); err != nil {
			ended <- err
			opts.failed(fmt.Errorf("the UI of Temporal ended: %w", err))
		}
	}()
	stop := func(ctx context.Context) error {
		ui.Stop()
		return within(ctx, func() error { <-stopped; return nil })
	}
	err := eventually(ctx, ended, func(ctx context.Context) error {
		return answers(ctx, "http://"+opts.ui.String()+"/healthz")
	})
	if err != nil {
		return stop, fmt.Errorf("waiting for the UI: %w", err)
	}
	return stop, nil
}

// answers reports whether the URL is served with status 200.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
