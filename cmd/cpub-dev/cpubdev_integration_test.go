//go:build integration

package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
)

// invocation is one run of the real binary.
type invocation struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// invoke prepares cpub-dev without a worker, on free ports.
func invoke(t *testing.T, dir string, args ...string) *invocation {
	t.Helper()
	program := testenv.Build(t, "./cmd/cpub-dev")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	i := &invocation{cmd: exec.CommandContext(ctx, program, append([]string{"--no-worker", "--ports-free", "--dir", dir}, args...)...)}
	i.cmd.Stdout, i.cmd.Stderr = &i.stdout, &i.stderr
	i.cmd.WaitDelay = 10 * time.Second
	return i
}

// code waits for the end and returns the exit code.
func (i *invocation) code(t *testing.T) int {
	t.Helper()
	err := i.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, &i.stderr)
	}
	return i.cmd.ProcessState.ExitCode()
}

// start starts it in the background.
func (i *invocation) start(t *testing.T) *invocation {
	t.Helper()
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return i
}

// awaitFile returns the text of a file as soon as it is there.
func awaitFile(t *testing.T, path string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(path); err == nil && len(text) > 0 {
			return string(text)
		}
	}
	t.Fatalf("%s did not appear", path)
	return ""
}

// awaitEnd waits until the process of that id has ended.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if _, rest, _ := strings.Cut(string(stat), ") "); err != nil || strings.HasPrefix(rest, "Z") {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

// children lists the processes that pid has started.
func children(t *testing.T, pid int) []int {
	t.Helper()
	lists, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // that thread has ended
		}
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestCommandRunsInsideTheStack(t *testing.T) {
	i := invoke(t, t.TempDir(), "--", "sh", "-c", `
		for name in TEMPORAL_ADDRESS TEMPORAL_NAMESPACE CPUB_STORE AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID \
			AWS_SECRET_ACCESS_KEY AWS_REGION CPUB_DEV_REGISTRY CPUB_DEV_UI CPUB_DEV_DIR; do
			eval "[ -n \"\$$name\" ]" || echo "no $name"
		done
		cat; pwd; exit 7`)
	i.cmd.Stdin = strings.NewReader("input\n")
	i.cmd.Dir = t.TempDir()
	if code := i.start(t).code(t); code != 7 {
		t.Errorf("exit code %d, want the command's 7", code)
	}
	if got, want := i.stdout.String(), "input\n"+i.cmd.Dir+"\n"; got != want {
		t.Errorf("stdout = %q, want %q and nothing of the servers'", got, want)
	}
	if i.stderr.Len() > 0 {
		t.Errorf("stderr = %q, want nothing", &i.stderr)
	}
}

func TestCommandThatIsNotThere(t *testing.T) {
	i := invoke(t, t.TempDir(), "--services", "registry", "--", "no-such-command")
	if code := i.start(t).code(t); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	if !strings.Contains(i.stderr.String(), `running "no-such-command"`) {
		t.Errorf("stderr = %q", &i.stderr)
	}
}

func TestSignalEndsEverything(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			env := filepath.Join(t.TempDir(), "env")
			testenv.Build(t, "./cmd/cpub") // which a second terminal will want to find
			i := invoke(t, t.TempDir(), "--env-file", env).start(t)
			awaitFile(t, env)
			started := children(t, i.cmd.Process.Pid)
			if err := i.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if code := i.code(t); code != exitOK {
				t.Errorf("exit code %d, want 0\n%s", code, &i.stderr)
			}
			if len(started) != 1 {
				t.Errorf("%d processes were started, want the S3 gateway alone", len(started))
			}
			for _, pid := range started {
				awaitEnd(t, pid)
			}
			if _, err := os.Stat(env); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the environment's file is still there: %v", err)
			}
			for _, want := range []string{"export TEMPORAL_ADDRESS=", "export PATH=" + filepath.Dir(i.cmd.Path) + ":\"$PATH\""} {
				if !strings.Contains(i.stdout.String(), want) {
					t.Errorf("stdout lacks %q: %q", want, &i.stdout)
				}
			}
		})
	}
}

func TestSignalEndsTheCommand(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	i := invoke(t, t.TempDir(), "--services", "registry", "--", "sh", "-c", `
		trap 'echo ended in order; exit 3' TERM
		echo $$ > "$1.new"; mv "$1.new" "$1"
		while :; do sleep 0.05; done`, "sh", pidFile).start(t)
	pid, err := strconv.Atoi(strings.TrimSpace(awaitFile(t, pidFile)))
	if err != nil {
		t.Fatal(err)
	}
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := i.code(t); code != 3 {
		t.Errorf("exit code %d, want the command's 3", code)
	}
	if got, want := i.stdout.String(), "ended in order\n"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
	awaitEnd(t, pid)
}

func TestKilledStackLeavesNothingAndStartsAgain(t *testing.T) {
	dir, pidFile := t.TempDir(), filepath.Join(t.TempDir(), "pid")
	i := invoke(t, dir, "--services", "s3,registry", "--", "sh", "-c",
		`echo "$$ ${AWS_ENDPOINT_URL##*/}" > "$1.new"; mv "$1.new" "$1"; exec sleep 60`, "sh", pidFile).start(t)
	_, s3, _ := strings.Cut(strings.TrimSpace(awaitFile(t, pidFile)), " ")
	started := children(t, i.cmd.Process.Pid)
	if len(started) != 2 {
		t.Fatalf("%d processes were started, want the gateway and the command", len(started))
	}
	if err := i.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	again := invoke(t, dir, "--services", "s3,registry", "--s3-address", s3, "--", "true").start(t)
	if code := again.code(t); code != exitOK {
		t.Errorf("the next start: exit code %d\n%s", code, &again.stderr)
	}
	for _, pid := range started {
		awaitEnd(t, pid)
	}
	_ = i.cmd.Wait() // it was killed
}

func TestSecondProcessOnOneFolderIsRefused(t *testing.T) {
	dir, env := t.TempDir(), filepath.Join(t.TempDir(), "env")
	first := invoke(t, dir, "--services", "registry", "--env-file", env).start(t)
	awaitFile(t, env)
	second := invoke(t, dir, "--services", "registry", "--", "true").start(t)
	if code := second.code(t); code != exitUnreachable {
		t.Errorf("exit code %d, want %d", code, exitUnreachable)
	}
	if want := "in use by another cpub-dev (process " + strconv.Itoa(first.cmd.Process.Pid) + ")"; !strings.Contains(second.stderr.String(), want) {
		t.Errorf("stderr = %q, want %q in it", &second.stderr, want)
	}
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := first.code(t); code != exitOK {
		t.Errorf("the first: exit code %d\n%s", code, &first.stderr)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	i := invoke(t, t.TempDir(), "--registry-address", busy.Addr().String(), "--", "true").start(t)
	if code := i.code(t); code != exitUnreachable {
		t.Errorf("exit code %d, want %d", code, exitUnreachable)
	}
	if want := "the registry: " + busy.Addr().String() + " is in use"; !strings.Contains(i.stderr.String(), want) {
		t.Errorf("stderr = %q, want %q in it", &i.stderr, want)
	}
}

func TestServicesOfTestenv(t *testing.T) {
	env := testenv.Services(t)
	for name, address := range map[string]string{
		"Temporal": env.Temporal, "the UI": strings.TrimPrefix(env.UI, "http://"),
		"S3": strings.TrimPrefix(env.S3, "http://"), "the registry": env.Registry,
	} {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = conn.Close()
	}
}
