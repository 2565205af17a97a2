package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the driver that "filesystem" names below
	"github.com/sirupsen/logrus"
)

// registryOptions is what the registry needs to know.
type registryOptions struct {
	folder  *folder
	address address
	failed  func(error)
}

// startRegistry serves an OCI registry over plain HTTP, without credentials.
func startRegistry(ctx context.Context, opts registryOptions) (func(context.Context) error, error) {
	// The registry logs through logrus' standard logger, which nothing else in
	// this process uses; left alone, it would write to stderr.
	logrus.SetOutput(opts.folder.log)

	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", opts.address.String())
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	app, err := newRegistryApp(context.WithoutCancel(ctx), opts.folder)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: app, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			opts.failed(fmt.Errorf("the registry ended: %w", err))
		}
	}()
	return func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if err != nil {
			_ = server.Close() // cuts off what did not finish in time
		}
		logrus.SetOutput(io.Discard) // the log is about to be closed
		return errors.Join(err, app.Shutdown())
	}, nil
}

// newRegistryApp makes the registry's handler, which panics where it does not
// like its configuration or its folder.
func newRegistryApp(ctx context.Context, dir *folder) (app *handlers.App, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("configuring the registry: %v", r)
		}
	}()
	config := &configuration.Configuration{
		Version: configuration.CurrentVersion,
		Storage: configuration.Storage{
			"filesystem": configuration.Parameters{"rootdirectory": dir.join("registry")},
			"delete":     configuration.Parameters{"enabled": true},
			"cache":      configuration.Parameters{"blobdescriptor": "inmemory"},
			// The purger cannot be stopped, and would outlive the stack.
			"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}},
		},
	}
	config.HTTP.Secret = dir.identity.RegistrySecret
	config.Catalog.MaxEntries = 1000
	return handlers.NewApp(ctx, config), nil
}
