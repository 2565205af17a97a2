package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/sdk"
)

// What is looked at of worker.hcl.
const (
	nameWorker     = "worker_file"
	nameConfig     = "worker_config"
	nameConfigMode = "worker_file_mode"
	nameSecretMode = "secret_file_mode"
	nameServe      = "serve_offered"
)

// workerFile looks at worker.hcl and the files that it names. Wrong is why it could not be read.
func workerFile(m *machine.Machine, wrong error) []Finding {
	name := m.Path
	if name == "" {
		name = machine.DefaultName
	}
	var mistakes *engine.DiagnosticsError
	var found []Finding
	switch {
	case errors.As(wrong, &mistakes) && (m.Path == "" || len(m.Worker.Files) > 0):
		found = append(found, fine(GroupWorker, nameWorker, "", "%s", name))
		found = append(found, mistaken(mistakes)...)
	case wrong != nil && m.Path == "":
		return []Finding{fault(GroupWorker, nameWorker, "", fmt.Sprintf("no worker.hcl is here, and no default can stand in for it: %v", wrong),
			"name one with -config, or let CPUB_WORKER_CONFIG name it; or install the providers beside cpub-worker")}
	case wrong != nil:
		return []Finding{fault(GroupWorker, nameWorker, "", fmt.Sprintf("%s cannot be read: %v", m.Path, wrong), "name the right file with -config, or let this user read it")}
	case m.Path == "":
		found = append(found, fine(GroupWorker, nameWorker, "", "no worker.hcl is here, so the default for a developer's own machine (`cpub-worker -print-config`)"))
	default:
		found = append(found, fine(GroupWorker, nameWorker, "", "%s", name), fine(GroupWorker, nameConfig, "", "nothing is wrong in it"))
	}
	found = append(found, ownMode(m.Path)...)
	return append(found, secretModes(m.Worker.Reads)...)
}

// mistaken is a finding for each mistake, in the order of the file.
func mistaken(e *engine.DiagnosticsError) []Finding {
	var found []Finding
	for _, d := range config.JSONDiagnostics(e.Diags, e.Files, "") {
		if d.Severity != "error" {
			continue
		}
		subject, detail := "", d.Summary+": "+d.Detail
		if d.Range != nil {
			subject = fmt.Sprintf("%s:%d", d.Range.Filename, d.Range.Start.Line)
		}
		if d.Snippet != "" {
			detail += " (" + d.Snippet + ")"
		}
		found = append(found, fault(GroupWorker, nameConfig, subject, detail, "correct that line; docs/operating.md has all that worker.hcl takes"))
	}
	return found
}

// inline finds what must not be read by everybody.
var inline = regexp.MustCompile(`(?m)^\s*(password|secret_access_key|session_token)\s*=`)

// ownMode looks at who may read worker.hcl, where it holds secrets itself.
func ownMode(path string) []Finding {
	text, err := os.ReadFile(path)
	if path == "" || err != nil || !inline.Match(text) {
		return nil
	}
	return mode(GroupWorker, nameConfigMode, path, "it holds keys or passwords")
}

// secretModes looks at who may read the files that worker.hcl names.
func secretModes(reads []config.WorkerRead) []Finding {
	var found []Finding
	for _, r := range reads {
		if r.Secret {
			found = append(found, mode(GroupWorker, nameSecretMode, r.Path, "worker.hcl takes a secret from it")...)
		}
	}
	return found
}

// mode finds files that others may read. Those that are not there are told of as mistakes in worker.hcl.
func mode(group, name, path, why string) []Finding {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return []Finding{fault(group, name, path, err.Error(), "let the worker's user read it")}
	}
	open := info.Mode().Perm() & 0o077
	if open == 0 {
		return []Finding{fine(group, name, path, "its owner alone may read it")}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		absolute = path
	}
	return []Finding{warning(group, name, path, fmt.Sprintf("others may use it (%04o), and %s", info.Mode().Perm(), why), "`chmod go= "+path+"`",
		sdk.Fix{Kind: sdk.FixMode, Path: absolute, Mode: uint32(info.Mode().Perm() &^ open)})}
}

// served looks at whether the instances of `serve` blocks offer the types.
func served(w *config.Worker, all []host.Diagnosis) []Finding {
	var found []Finding
	for _, s := range w.Serve {
		for _, d := range all {
			if d.Instance != s.Instance || d.Info.Name == "" {
				continue
			}
			if d.Info.Step(s.StepType) != nil {
				found = append(found, fine(GroupWorker, nameServe, s.StepType, "%s offers it", s.Instance))
				continue
			}
			found = append(found, fault(GroupWorker, nameServe, s.StepType,
				fmt.Sprintf("%s:%d gives it to %s, which does not offer it", s.Range.Filename, s.Range.Start.Line, s.Instance),
				"name an instance that offers "+s.StepType+" (`cpub provider list`), or remove that block"))
		}
	}
	return found
}
