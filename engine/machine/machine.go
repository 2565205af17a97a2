// Package machine knows the worker of the machine that it runs on: where its worker.hcl is, what stands in for one where there is none, and how
// the provider instances that it names are started. The worker starts them to carry out steps; a command on the same machine, to ask them.
package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/policy"
)

// DefaultName is what messages call the configuration of a worker without a worker.hcl.
const DefaultName = "the default worker.hcl"

// Options say what is known of the worker. The zero value is a worker of this user that was started here without a flag.
type Options struct {
	// Config is the path of worker.hcl; empty: CPUB_WORKER_CONFIG, else worker.hcl in the working directory, else none.
	Config string
	// State is the worker's own folder; empty: STATE_DIRECTORY, else the user's.
	State string
	// Folders are where the providers are that have no path in worker.hcl; empty: beside this program.
	Folders []string
	// Scratch is a folder for what lasts as long as the call; empty: State.
	Scratch string
}

// Machine is what a worker runs by.
type Machine struct {
	// Path is that of worker.hcl; empty where there is none.
	Path string
	// Worker is worker.hcl, or what stands in for it.
	Worker *config.Worker
	// State is the worker's own folder, absolute. It need not be there.
	State string
	// StoreURL names the store; empty where nothing does.
	StoreURL string
	// Folders are where the providers are that have no path in worker.hcl; empty: beside this program.
	Folders []string
}

// Find reads the configuration of the worker. What is wrong in a worker.hcl is an *engine.DiagnosticsError.
func Find(ctx context.Context, o Options) (*Machine, error) {
	m := &Machine{StoreURL: os.Getenv("CPUB_STORE"), Folders: o.Folders}
	var err error
	if m.State, err = stateDir(o.State); err != nil {
		return nil, err
	}
	if m.Path, err = configFile(o.Config); err != nil {
		return nil, err
	}
	if m.Path != "" {
		m.Worker, err = config.LoadWorker(m.Path)
	} else {
		var text []byte
		if text, err = defaultFile(ctx, o.scratch(m.State), o.Folders); err == nil {
			m.Worker, err = config.ParseWorker(DefaultName, text)
		}
	}
	if err != nil {
		return nil, err
	}
	if m.Worker.StoreURL != "" {
		m.StoreURL = m.Worker.StoreURL
	}
	return m, nil
}

// Check is Find for those who go on with what could be read, whatever is wrong with the rest: a Machine is given beside an error too.
func Check(ctx context.Context, o Options) (*Machine, error) {
	m := &Machine{StoreURL: os.Getenv("CPUB_STORE"), Folders: o.Folders, Worker: &config.Worker{Policy: &policy.Policy{}}}
	var err error
	if m.State, err = stateDir(o.State); err != nil {
		return m, err
	}
	if m.Path, err = configFile(o.Config); err != nil {
		return m, err
	}
	if m.Path == "" {
		found, err := Find(ctx, o)
		if err != nil {
			return m, err
		}
		return found, nil
	}
	var diags hcl.Diagnostics
	if m.Worker, diags = config.CheckWorker(m.Path); m.Worker.StoreURL != "" {
		m.StoreURL = m.Worker.StoreURL
	}
	if diags.HasErrors() {
		return m, &engine.DiagnosticsError{Diags: diags, Files: m.Worker.Files}
	}
	return m, nil
}

// Text is the text of the configuration that Find reads. It may hold keys of an S3 gateway.
func Text(ctx context.Context, o Options) ([]byte, error) {
	path, err := configFile(o.Config)
	if err != nil {
		return nil, err
	}
	if path != "" {
		return os.ReadFile(path)
	}
	state, err := stateDir(o.State)
	if err != nil {
		return nil, err
	}
	return defaultFile(ctx, o.scratch(state), o.Folders)
}

func (o Options) scratch(state string) string {
	if o.Scratch != "" {
		return o.Scratch
	}
	return state
}

// configFile is the path of worker.hcl: the one that was named, or the one in the working directory. Empty: there is none.
func configFile(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	if path := os.Getenv("CPUB_WORKER_CONFIG"); path != "" {
		return path, nil
	}
	_, err := os.Stat("worker.hcl")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking for worker.hcl: %w", err)
	}
	return "worker.hcl", nil
}

// stateDir is the worker's own folder, absolute: what was asked for, what systemd gives, or the user's.
func stateDir(asked string) (string, error) {
	if asked != "" {
		return filepath.Abs(asked)
	}
	if dir := os.Getenv("STATE_DIRECTORY"); filepath.IsAbs(dir) {
		return dir, nil
	}
	dir, err := config.StateDir()
	if err != nil {
		return "", fmt.Errorf("no state folder of the worker: %w; name it with -state", err)
	}
	return filepath.Join(dir, "worker"), nil
}
