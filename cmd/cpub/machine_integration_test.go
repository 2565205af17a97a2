//go:build integration

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/containerpub/cpub/internal/testenv"
)

// TestScriptsOnAMachine drives the commands that look after a worker's machine, beside a worker that runs containers.
func TestScriptsOnAMachine(t *testing.T) {
	env := testenv.Services(t)
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			podman := testenv.StartPodman(t, version)
			podman.ImportProgram(t, "./sdk/sdktest/probe", "localhost/probe:latest")
			importShell(t, podman)
			onMachine(t, env, podman)
		})
	}
}

func onMachine(t *testing.T, env *testenv.Env, podman *testenv.Podman) {
	dir := t.TempDir()
	config := filepath.Join(dir, "worker.hcl")
	namespace := "machine-" + strings.ReplaceAll(podman.Version, ".", "-")
	store := "file://" + filepath.Join(dir, "store") + "?create_dir=1&no_tmp_dir=1"
	environ := append(env.Environ, "TEMPORAL_NAMESPACE="+namespace, "CPUB_STORE="+store)
	createNamespace(t, namespace, append(os.Environ(), environ...))
	text := fmt.Sprintf(`
temporal { namespace = %q }
store { url = %q }
secret "TOKEN" {
  file  = %q
  allow = [podman.local]
}
provider "podman" "local" {
  path = %q
  config { connection = %q }
}
provider "archive" "main" { path = %q }
policy {
  registries { pull = ["localhost/*"] }
  max {
    memory     = "256MiB"
    time_limit = "10m"
  }
}
`, namespace, store, filepath.Join(dir, "token"), testenv.Build(t, "./plugins/podman"), podman.URI, testenv.Build(t, "./plugins/archive"))
	for name, text := range map[string]string{config: text, filepath.Join(dir, "token"): "hush-hush-token\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := filepath.Join(dir, "state")
	runWorker(t, append(os.Environ(), environ...), "-config", config, "-state", state)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/machine",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "waitfor": waitFor, "sleep": sleep, "podman": func(ts *testscript.TestScript, neg bool, args []string) {
				out, err := exec.Command(podman.Binary, args...).CombinedOutput()
				ts.Logf("%s", out)
				if err != nil != neg {
					ts.Fatalf("podman %v: %v", args, err)
				}
			},
		},
		Setup: func(script *testscript.Env) error {
			for _, variable := range append(environ, podman.Environ...) {
				if name, value, _ := strings.Cut(variable, "="); name != "PATH" { // the scripts' own has cpub
					script.Setenv(name, value)
				}
			}
			script.Setenv("CPUB_WORKER_CONFIG", config)
			script.Setenv("STATE_DIRECTORY", state)
			script.Setenv("XDG_CACHE_HOME", script.WorkDir+"/cache")
			script.Setenv("CPUB_PROVIDERS", filepath.Dir(testenv.Build(t, "./plugins/podman")))
			return nil
		},
	})
}

// importShell makes the image localhost/shell:latest, which has a /bin/sh and the programs of busybox.
func importShell(t *testing.T, podman *testenv.Podman) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf(`set -e; cd %[1]q; mkdir -p root/bin root/tmp root/etc; cp /bin/busybox root/bin/busybox
		for p in sh ls cat echo id pwd stty sleep env head tr; do ln -s busybox root/bin/$p; done
		echo 'app:x:1000:1000::/:/bin/sh' >root/etc/passwd; chmod 755 root root/bin
		tar --owner=0 --group=0 -C root -cf shell.tar .`, dir)
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("making an image: %v\n%s", err, out)
	}
	podman.Run(t, "import", "--quiet", "--change", `CMD ["/bin/sh"]`, filepath.Join(dir, "shell.tar"), "localhost/shell:latest")
}

// createNamespace makes a namespace of its own: a worker sweeps what no open run of its namespace needs.
func createNamespace(t *testing.T, name string, environ []string) {
	t.Helper()
	cmd := exec.Command(testenv.Tool(t, "temporal"), "operator", "namespace", "create", "--namespace", name)
	cmd.Env = environ
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("creating namespace %s: %v\n%s", name, err, out)
	}
}

// runWorker runs cpub-worker until the test ends.
func runWorker(t *testing.T, environ []string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "worker.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testenv.Build(t, "./cmd/cpub-worker"), args...)
	cmd.Env = environ
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		err := cmd.Wait()
		_ = log.Close()
		text, _ := os.ReadFile(log.Name())
		if err != nil || t.Failed() {
			t.Errorf("the worker ended: %v\n%s", err, text)
		}
	})
}

// sleep waits: sleep DURATION.
func sleep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sleep DURATION")
	}
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	time.Sleep(d)
}
