//go:build integration

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
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
	params := testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "waitfor": waitFor, "terminal": onTerminal, "podman": func(ts *testscript.TestScript, neg bool, args []string) {
				cmd := exec.Command(podman.Binary, args...)
				cmd.Env = append(os.Environ(), podman.Environ...)
				out, err := cmd.CombinedOutput()
				ts.Logf("%s", out)
				if (err != nil) != neg {
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
	}
	for _, name := range []string{"stats", "shell", "prune"} { // one after the other: each looks at all of the store
		t.Run(name, func(t *testing.T) {
			params.Files = []string{"testdata/machine/" + name + ".txtar"}
			testscript.Run(t, params)
		})
	}
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

// onTerminal runs cpub on a terminal of 100 columns and 40 rows, types what a file holds and compares the exit code: terminal CODE FILE ARG... A
// line "@resize COLUMNS ROWS" changes the terminal's size, one "@expect TEXT" waits until the terminal has shown the text, "@ctrl-c" is that key.
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: terminal CODE FILE ARG...")
	}
	self, err := exec.LookPath("cpub")
	ts.Check(err)
	cmd := exec.Command(self, args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "CPUB_STORE", "CPUB_PROVIDERS", "CPUB_WORKER_CONFIG", "STATE_DIRECTORY",
	} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Env = append(cmd.Env, "TERM=xterm")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 100, Rows: 40})
	ts.Check(err)
	defer tty.Close()
	shown := &screenText{}
	go func() { _, _ = io.Copy(shown, tty) }()
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		words := strings.Fields(line)
		switch {
		case len(words) == 3 && words[0] == "@resize":
			var size pty.Winsize
			_, err := fmt.Sscan(words[1]+" "+words[2], &size.Cols, &size.Rows)
			ts.Check(err)
			ts.Check(pty.Setsize(tty, &size))
		case len(words) > 1 && words[0] == "@expect":
			if want := strings.Join(words[1:], " "); !shown.await(want) {
				ts.Fatalf("the terminal does not show %q:\n%s", want, shown)
			}
		case line == "@ctrl-c\n":
			time.Sleep(time.Second) // for what was said before it began
			_, err := tty.Write([]byte{3})
			ts.Check(err)
		default:
			_, err := io.WriteString(tty, strings.TrimSuffix(line, "\n")+"\r")
			ts.Check(err)
		}
	}
	code := "0"
	deadline := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer deadline.Stop()
	if err := cmd.Wait(); err != nil {
		code = exitStatus(err)
	}
	if code != args[0] {
		ts.Fatalf("cpub ended with %s, not %s:\n%s", code, args[0], shown)
	}
}

// screenText is all that a terminal was shown.
type screenText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screenText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screenText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits for a text.
func (s *screenText) await(text string) bool {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if strings.Contains(s.String(), text) {
			return true
		}
	}
	return false
}
