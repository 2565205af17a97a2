// Command cpub-worker is the daemon that runs pipelines and their steps, as worker.hcl says.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes, as for all commands.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as arguments; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parseFlags(args, stderr)
	if err != nil {
		return exitUsage
	}
	if f.help {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if f.printConfig {
		if err := printConfig(ctx, f, stdout); err != nil {
			fmt.Fprintf(stderr, "cpub-worker: %v\n", err)
			return exitUsage
		}
		return 0
	}
	log, err := newLogger(f, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "cpub-worker: %v\n", err)
		return exitUsage
	}
	settings, err := load(ctx, f, log)
	if err != nil {
		fmt.Fprintf(stderr, "cpub-worker: %v\n", err)
		return exitUsage
	}
	if err := serve(ctx, settings); err != nil {
		log.Error("the worker ends", "error", err)
		return exitFailed
	}
	return 0
}

// newLogger writes JSON lines, or text for a person.
func newLogger(f flags, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, fmt.Errorf("-log-level takes debug, info, warn or error, not %q", f.logLevel)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	default:
		return nil, fmt.Errorf("-log-format takes json or text, not %q", f.logFormat)
	}
}
