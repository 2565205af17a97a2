//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openPTY gives both ends of a terminal: what a person types and sees, and what the command reads and writes.
func openPTY(t *testing.T) (person, command *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	command, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, command
}

// screen is all that was written to a terminal.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// talk runs the console on a terminal: each of the lines is typed, and then its answer awaited.
func talk(t *testing.T, module string, lines [][2]string) (seen string, code int) {
	t.Helper()
	person, command := openPTY(t)
	out := &screen{}
	var reading sync.WaitGroup
	reading.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := person.Read(buf) // fails once the other end is closed
			_, _ = out.Write(buf[:n])
			if err != nil {
				return
			}
		}
	})
	c := &stdio{in: command, out: command, err: command, inTTY: true, outTTY: true, errTTY: true, getenv: func(name string) string {
		return map[string]string{"TERM": "xterm", "NO_COLOR": "1", "XDG_STATE_HOME": os.Getenv("XDG_STATE_HOME"), "CPUB_PROVIDERS": t.TempDir()}[name]
	}}
	ended := make(chan int, 1)
	go func() { ended <- execute(t.Context(), []string{"console", module}, c) }()
	await(t, out, 0, "> ")
	for _, line := range lines {
		from := len(out.String())
		if _, err := person.WriteString(line[0]); err != nil {
			t.Fatal(err)
		}
		await(t, out, from, line[1])
	}
	select {
	case code = <-ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("the console goes on after\n%s", out.String())
	}
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	if err := person.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), code
}

func await(t *testing.T, out *screen, from int, want string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(out.String()[from:], want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there is no %q in\n%q", want, out.String()[from:])
		}
	}
}

// TestConsoleTerminal completes names, keeps a history for the next time, and shows mistakes.
func TestConsoleTerminal(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	module := filepath.Join(t.TempDir(), "main.hcl")
	src := `variable "name" { default = "Ada" }
variable "note" { default = "" }
locals { digest = "digest of ${var.name}" }
pipeline "p" {
  step "image_pull" "base" { reference = "x" }
}
`
	if err := os.WriteFile(module, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	_, code := talk(t, module, [][2]string{
		{"uppe\t\"typed\")\r", "\r\n\"TYPED\"\r\n"},
		{"local.d\t\r", "\"digest of Ada\"\r\n"},
		{"var.n\t", "var.name  var.note"}, // as far as it is certain, and what is possible
		{"ame\r", "\r\n\"Ada\"\r\n"},
		{"step.b\td\t\r", "(known after step.base)\r\n"},
		{"uper(1)\r", "There is no function \"uper\". Did you mean \"upper\"?\r\n"},
		{"upper(\r", "<console>:"},
		{" \"secret\"\r", "\r\n\"secret\"\r\n"},
		{"exit\r", "\r\n"},
	})
	if code != exitOK {
		t.Errorf("it ended with %d", code)
	}
	history := filepath.Join(state, "cpub", "console_history")
	kept, err := os.ReadFile(history)
	if want := "upper(\"typed\")\nlocal.digest\nvar.name\nstep.base.digest\nuper(1)\nupper(\nexit\n"; err != nil || string(kept) != want {
		t.Errorf("the history is %q (%v), want %q", kept, err, want)
	}
	if info, err := os.Stat(history); err != nil || info.Mode().Perm() != 0o600 {
		t.Error("the history can be read by others", info.Mode(), err)
	}
	const up = "\x1b[A"
	_, code = talk(t, module, [][2]string{
		{strings.Repeat(up, 5) + "\r", "\"Ada\"\r\n"},
		{strings.Repeat(up, 7) + "\r", "\"digest of Ada\"\r\n"},
		{"\x04", "\r\n"}, // Ctrl-D
	})
	if code != exitOK {
		t.Errorf("it ended with %d", code)
	}
}
