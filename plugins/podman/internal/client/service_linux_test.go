package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain has the test binary stand in for podman and for a provider, where a test asks for it.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == "system" && os.Args[2] == "service":
		fakeService(os.Getenv("CPUB_FAKE_PODMAN"), socketPath(os.Args[len(os.Args)-1]))
	case os.Getenv("CPUB_FAKE_PROVIDER") != "":
		fakeProvider()
	default:
		os.Exit(m.Run())
	}
}

// fakeService is a podman that does as a service what the test wants. It leaves a line with its pid in a file for each start.
func fakeService(mode, socket string) {
	starts := os.Getenv("CPUB_FAKE_STARTS")
	before, _ := os.ReadFile(starts)
	f, err := os.OpenFile(starts, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		os.Exit(3)
	}
	fmt.Fprintln(f, os.Getpid())
	_ = f.Close()
	if mode == "hangs the second time" {
		mode = "serves"
		if strings.Count(string(before), "\n") == 1 {
			mode = "hangs"
		}
	}
	version := "4.3.1"
	switch mode {
	case "ends":
		fmt.Fprintln(os.Stderr, "unknown command service")
		os.Exit(125)
	case "hangs":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		time.Sleep(time.Hour)
	case "is old":
		version = "3.4.4"
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		os.Exit(4)
	}
	if mode == "dies" {
		time.Sleep(50 * time.Millisecond)
		os.Exit(5)
	}
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:gosec // a test's
		w.Header().Set("Libpod-API-Version", version)
	}))
}

// fakeProvider starts a service and is killed.
func fakeProvider() {
	s, err := StartService(context.Background(), os.Args[0], nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.URI)
	time.Sleep(time.Hour)
}

// fake is a podman that does as the mode says, and the file of its starts.
func fake(t *testing.T, mode string) (podman, starts string) {
	t.Helper()
	starts = filepath.Join(t.TempDir(), "starts")
	t.Setenv("CPUB_FAKE_PODMAN", mode)
	t.Setenv("CPUB_FAKE_STARTS", starts)
	t.Setenv("CONTAINER_HOST", "")
	t.Setenv("TMPDIR", shortDir(t))
	return os.Args[0], starts
}

// shortDir is a folder in which a socket's path is not too long.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "own-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

// pids are those of all starts.
func pids(t *testing.T, starts string) []int {
	t.Helper()
	b, err := os.ReadFile(starts)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var all []int
	for _, text := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pid)
	}
	return all
}

// assertGone checks that no start of the service is left.
func assertGone(t *testing.T, starts string) {
	t.Helper()
	for _, pid := range pids(t, starts) {
		for deadline := time.Now().Add(30 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("service %d is left", pid)
			}
		}
	}
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func TestServiceThatDoesNotStart(t *testing.T) {
	for mode, says := range map[string]string{"ends": "ended at once: unknown command service", "hangs": "does not listen after 1s"} {
		t.Run(mode, func(t *testing.T) {
			podman, starts := fake(t, mode)
			s, err := startService(t.Context(), podman, nil, time.Second)
			if s != nil || err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), podman+"; Podman 4.0 or newer") {
				t.Errorf("%v, want %q", err, says)
			}
			assertGone(t, starts)
		})
	}
	t.Run("is missing", func(t *testing.T) {
		fake(t, "")
		if _, err := StartService(t.Context(), "/nowhere/podman", nil); err == nil || !strings.Contains(err.Error(), "apt-get install podman") {
			t.Errorf("%v", err)
		}
	})
	t.Run("is old", func(t *testing.T) {
		podman, starts := fake(t, "is old")
		t.Setenv("XDG_CONFIG_HOME", t.TempDir())
		t.Setenv("CONTAINER_CONNECTION", "")
		target := Target{Source: "a service of its own"}
		_, err := openTarget(t.Context(), target, Settings{Podman: podman})
		if err == nil || !strings.Contains(err.Error(), "too old") || !strings.Contains(err.Error(), "a service of its own") {
			t.Errorf("%v", err)
		}
		assertGone(t, starts)
	})
	t.Run("nobody waits any more", func(t *testing.T) {
		podman, starts := fake(t, "hangs")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			for len(pids(t, starts)) == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			cancel(errors.New("enough"))
		}()
		if _, err := StartService(ctx, podman, nil); err == nil || !strings.Contains(err.Error(), "enough") {
			t.Errorf("%v", err)
		}
		assertGone(t, starts)
	})
}

// TestServiceIsWatched: one that dies is started again, ever later if it goes on dying; one that hangs when it is started again is replaced.
func TestServiceIsWatched(t *testing.T) {
	t.Run("dies again and again", func(t *testing.T) {
		podman, starts := fake(t, "dies")
		s, err := StartService(t.Context(), podman, nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		await(t, "it was not started again", func() bool { return len(pids(t, starts)) >= 4 })
		// 0.2 + 0.4 + 0.8 s between the four.
		if took := time.Since(began); took < time.Second {
			t.Errorf("four starts took %s", took)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		assertGone(t, starts)
	})
	t.Run("hangs the second time", func(t *testing.T) {
		podman, starts := fake(t, "hangs the second time")
		s, err := startService(t.Context(), podman, nil, 2*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pids(t, starts)[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "it was not started a third time", func() bool { return len(pids(t, starts)) == 3 && answers(socketPath(s.URI)) })
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		assertGone(t, starts)
	})
}

// TestProviderIsKilled: the service goes with its provider, and the next one removes the folder.
func TestProviderIsKilled(t *testing.T) {
	podman, starts := fake(t, "serves")
	t.Setenv("CPUB_FAKE_PROVIDER", "1")
	cmd := exec.Command(podman)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	uri := strings.TrimSpace(line)
	if err != nil || !answers(socketPath(uri)) {
		t.Fatalf("the provider says %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	assertGone(t, starts)
	dir := filepath.Dir(socketPath(uri))
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
	s, err := StartService(t.Context(), podman, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the provider that was killed is left: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}
