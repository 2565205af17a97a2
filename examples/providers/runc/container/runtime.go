//go:build linux

package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// runtime is the OCI runtime, and the folder in which it keeps what it knows.
type runtime struct {
	Path  string `json:"path"`
	State string `json:"state"`
}

// patience is how long a command of the runtime may take.
const patience = time.Minute

// command is a command of the runtime, whose words about what went wrong go to a file: its standard streams may be a container's.
func (r runtime) command(ctx context.Context, log string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.Path, append([]string{"--root", r.State, "--log", log, "--log-format", "json"}, args...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	return cmd
}

// run runs a command, and gives the runtime's own words where it fails.
func (r runtime) run(cmd *exec.Cmd, log string) error {
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if said := lastError(log); said != "" {
		return errors.New(said)
	}
	return fmt.Errorf("%s: %w", filepath.Base(r.Path), err)
}

// create makes a container from its bundle, with these streams, and gives its first process.
func (r runtime) create(ctx context.Context, id string, b bundle, log string, stdin, stdout, stderr *os.File) (pid int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pidFile := filepath.Join(string(b), "pid")
	cmd := r.command(ctx, log, "create", "--bundle", string(b), "--pid-file", pidFile, id)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := r.run(cmd, log); err != nil {
		return 0, fmt.Errorf("creating the container: %w", err)
	}
	text, err := os.ReadFile(pidFile)
	if err == nil {
		err = json.Unmarshal(text, &pid)
	}
	return pid, err
}

// start starts a container's code.
func (r runtime) start(ctx context.Context, id, log string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.run(r.command(ctx, log, "start", id), log); err != nil {
		return fmt.Errorf("starting the container: %w", err)
	}
	return nil
}

// remove removes a container, running or not. That there is none is no error.
func (r runtime) remove(ctx context.Context, id, log string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.run(r.command(ctx, log, "delete", "--force", id), log); err != nil {
		return fmt.Errorf("removing the container: %w", err)
	}
	return nil
}

// lastError is the last error in a log of the runtime.
func lastError(log string) (said string) {
	text, err := os.ReadFile(log)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && (entry.Level == "error" || entry.Level == "fatal") {
			said = entry.Msg
		}
	}
	return said
}
