//go:build integration

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/containerpub/cpub/internal/testenv"
)

// TestScriptsWithServices drives the commands against a real Temporal, S3 and worker. The providers are those that need nothing else;
// the whole with Podman is internal/e2e's.
func TestScriptsWithServices(t *testing.T) {
	env := testenv.Services(t)
	t.Run("no worker", func(t *testing.T) { saysThatNobodyPolls(t, env) })
	startWorker(t, env)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/integration",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "interrupt": interrupt, "savestdout": saveStdout, "waitfor": waitFor,
		},
		Setup: func(script *testscript.Env) error {
			for _, variable := range env.Environ {
				name, value, _ := strings.Cut(variable, "=")
				script.Setenv(name, value)
			}
			script.Setenv("CPUB_PROVIDERS", filepath.Dir(testenv.Build(t, "./plugins/s3")))
			script.Setenv("XDG_CACHE_HOME", script.WorkDir+"/cache")
			return nil
		},
	})
}

// saysThatNobodyPolls checks that a run which no worker takes up says so; the second SIGINT does not wait for the end that nobody can
// bring about.
func saysThatNobodyPolls(t *testing.T, env *testenv.Env) {
	path := filepath.Join(t.TempDir(), "idle.hcl")
	text := "pipeline \"idle\" {\n  step \"object_fetch\" \"get\" {\n    bucket = \"functions\"\n    key    = \"x\"\n  }\n}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testenv.Build(t, "./cmd/cpub"), "run", path, "--id", "one")
	cmd.Env = append(os.Environ(), env.Environ...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer deadline.Stop()
	var seen strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		seen.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "no worker polls task queue cpub;") || strings.Contains(lines.Text(), "Cancelling the run") {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if err == nil || exitStatus(err) != "4" || !strings.Contains(seen.String(), "Not waiting") {
		t.Errorf("cpub ended with %v\n%s", err, seen.String())
	}
}

// startWorker runs cpub-worker with the providers for S3 and archives until the test ends.
func startWorker(t *testing.T, env *testenv.Env) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "worker.hcl")
	text := fmt.Sprintf(`
provider "s3" "main" {
  path = %q
  config {
    endpoint          = %q
    region            = %q
    path_style        = true
    access_key_id     = %q
    secret_access_key = %q
  }
}
provider "s3" "away" {
  path = %[1]q
  config {
    endpoint          = "http://127.0.0.1:1"
    region            = "nowhere"
    access_key_id     = "nobody"
    secret_access_key = "nothing"
  }
}
provider "archive" "main" { path = %[6]q }
policy { buckets = ["functions"] }
`, testenv.Build(t, "./plugins/s3"), env.S3, env.Region, env.AccessKey, env.SecretKey, testenv.Build(t, "./plugins/archive"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runWorker(t, append(os.Environ(), env.Environ...), "-config", config, "-state", filepath.Join(dir, "state"))
}

// interrupt runs cpub without a terminal, sends it SIGINT after a while and checks its exit code: interrupt WAIT CODE ARG...
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt WAIT CODE ARG...")
	}
	wait, err := time.ParseDuration(args[0])
	ts.Check(err)
	self, err := exec.LookPath("cpub")
	ts.Check(err)
	cmd := exec.Command(self, args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = os.Environ()
	for _, name := range []string{"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "CPUB_STORE", "CPUB_PROVIDERS", "XDG_CACHE_HOME"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	ts.Check(cmd.Start())
	time.Sleep(wait)
	ts.Check(cmd.Process.Signal(os.Interrupt))
	code := "0"
	if err := cmd.Wait(); err != nil {
		code = exitStatus(err)
	}
	if code != args[1] {
		ts.Fatalf("cpub ended with %s, not %s\n%s", code, args[1], output.String())
	}
	ts.Logf("%s", output.String())
}

// saveStdout keeps what the last command printed in a variable: savestdout NAME.
func saveStdout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: savestdout NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// waitFor runs cpub until its stdout holds a text, or, where a ! stands before it, holds it no more: waitfor [!]TEXT ARG... Temporal's
// lists may be a moment old.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitfor [!]TEXT ARG...")
	}
	text, gone := strings.CutPrefix(args[0], "!")
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		ts.Check(ts.Exec("cpub", args[1:]...))
		if strings.Contains(ts.ReadFile("stdout"), text) != gone {
			return
		}
	}
	ts.Fatalf("stdout does not become so: %s", args[0])
}
