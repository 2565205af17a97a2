package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// Host is Podman's machine as the user sees it who we are there: a shell in a session of the ssh connection looks for us, and
// another takes its place when the connection was broken.
type Host struct {
	ssh   *SSH
	feeds chan struct{} // a place for each session that feeds a pipe: sshd allows ten sessions by default

	mu    sync.Mutex
	shell *shell
}

var (
	_ hostfs.Host   = (*Host)(nil)
	_ hostfs.Writer = (*Host)(nil)
)

// Host starts a shell there. A machine that gives us none cannot be looked at; that is a Refused.
func (s *SSH) Host(ctx context.Context) (*Host, error) {
	h := &Host{ssh: s, feeds: make(chan struct{}, maxFeeds)}
	_, err := h.run(ctx, "true")
	var exit *ssh.ExitError
	var missing *ssh.ExitMissingError
	var open *ssh.OpenChannelError
	if errors.As(err, &exit) || errors.As(err, &missing) || errors.As(err, &open) || errors.Is(err, errNoShell) {
		return nil, refusedf("%s has no shell at %s: %w", s.opts.User, s.opts.Address, err)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// maxFeeds is how many pipes are fed at a time.
const maxFeeds = 4

// answer is what a command printed, and how it ended.
type answer struct {
	out    []byte
	status int
	errors string
}

// err is that of a command that looked at a file.
func (a answer) err(op, name string) error {
	if a.status == 0 {
		return nil
	}
	pe := &fs.PathError{Op: op, Path: name, Err: errors.New(a.errors)}
	for _, known := range []struct {
		sign string
		err  error
	}{
		{"No such file", fs.ErrNotExist},
		{"No such process", fs.ErrNotExist},
		{"No such device", fs.ErrNotExist},
		{"Permission denied", fs.ErrPermission},
		{"Operation not permitted", fs.ErrPermission},
	} {
		if strings.Contains(a.errors, known.sign) {
			pe.Err = fmt.Errorf("%w (%s)", known.err, a.errors)
			break
		}
	}
	return pe
}

// run has a shell carry out commands, one after the other.
func (h *Host) run(ctx context.Context, commands ...string) ([]answer, error) {
	sh, err := h.started(ctx)
	if err == nil {
		var answers []answer
		if answers, err = sh.ask(ctx, commands); err == nil {
			return answers, nil
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var refused *Refused
	if errors.As(err, &refused) {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", hostfs.ErrUnreachable, err)
}

// started gives a shell that lived a moment ago.
func (h *Host) started(ctx context.Context) (*shell, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shell != nil && !h.shell.ended() {
		return h.shell, nil
	}
	sh, err := startShell(ctx, h.ssh)
	if err != nil {
		return nil, err
	}
	h.shell = sh
	return sh, nil
}

// ReadFiles reads files.
func (h *Host) ReadFiles(ctx context.Context, names ...string) []hostfs.Content {
	all := make([]hostfs.Content, len(names))
	commands := make([]string, len(names))
	for i, name := range names {
		commands[i] = "cat -- " + quote(name)
	}
	answers, err := h.run(ctx, commands...)
	for i, name := range names {
		if err != nil {
			all[i].Err = err
			continue
		}
		all[i] = hostfs.Content{Data: answers[i].out, Err: answers[i].err("read", name)}
	}
	return all
}

// one runs one command that is about a file.
func (h *Host) one(ctx context.Context, op, name, command string) ([]byte, error) {
	answers, err := h.run(ctx, command)
	if err != nil {
		return nil, err
	}
	return answers[0].out, answers[0].err(op, name)
}

// ReadDir lists a folder.
func (h *Host) ReadDir(ctx context.Context, name string) ([]hostfs.Entry, error) {
	out, err := h.one(ctx, "readdir", name, "list "+quote(name))
	if err != nil {
		return nil, err
	}
	var all []hostfs.Entry
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "|", 3)
		if len(f) != 3 {
			continue
		}
		seconds, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
		}
		all = append(all, hostfs.Entry{Name: path.Base(f[2]), Dir: f[0] == "directory", Modified: time.Unix(seconds, 0)})
	}
	return all, nil
}

// Readlink is where a link leads.
func (h *Host) Readlink(ctx context.Context, name string) (string, error) {
	// Without -f nothing is said of what is wrong.
	out, err := h.one(ctx, "readlink", name, "follow "+quote(name))
	return strings.TrimSuffix(string(out), "\n"), err
}

// RemoveDir removes a folder.
func (h *Host) RemoveDir(ctx context.Context, name string) error {
	_, err := h.one(ctx, "remove", name, "rmdir -- "+quote(name))
	return err
}

// MakeDirs makes a folder, and those above it that are missing.
func (h *Host) MakeDirs(ctx context.Context, name string) error {
	_, err := h.one(ctx, "mkdir", name, "mkdir -p -- "+quote(name))
	return err
}

// WriteFile writes a file that is there, in one write.
func (h *Host) WriteFile(ctx context.Context, name string, data []byte) error {
	_, err := h.one(ctx, "write", name, "put "+quote(name)+" "+quote(string(data)))
	return err
}

// Kill kills a process.
func (h *Host) Kill(ctx context.Context, pid int) error {
	_, err := h.one(ctx, "kill", strconv.Itoa(pid), "kill -KILL "+strconv.Itoa(pid))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Local is false.
func (h *Host) Local() bool { return false }

// Feed brings the text to the machine and has it written there by a process that needs us no more.
func (h *Host) Feed(ctx context.Context, name, text string) (hostfs.Feed, error) {
	select {
	case h.feeds <- struct{}{}:
		defer func() { <-h.feeds }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	// Not in the shell, which others use: the text may be long, and the line slow.
	session, err := h.ssh.session(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hostfs.ErrUnreachable, err)
	}
	defer func() { _ = session.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	var stderr bytes.Buffer
	session.Stdin, session.Stderr = strings.NewReader(text), &stderr
	err = session.Run("exec /bin/sh -c " + quote(feedScript) + " feed " + quote(name) + " " + strconv.Itoa(len(text)))
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return fed{}, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &exit):
		return nil, answer{status: exit.ExitStatus(), errors: strings.TrimSpace(stderr.String())}.err("feed", name)
	default:
		return nil, fmt.Errorf("%w: %w", hostfs.ErrUnreachable, err)
	}
}

// feedScript writes its input into a pipe ($1), once all of it ($2 bytes) is there, so that nobody reads half of it when the line is cut.
// The pipe is open before the script ends.
const feedScript = `LC_ALL=C; export LC_ALL; umask 077
[ -p "$1" ] || { ls -d -- "$1" >/dev/null && echo "it is no pipe" >&2; exit 1; }
exec 3>"$1" || exit 1
t=$(mktemp) || exit 1
trap 'rm -f "$t"' EXIT
cat >"$t" || exit 1
[ "$(wc -c <"$t")" -eq "$2" ] || { echo "the input broke off" >&2; exit 1; }
exec 4<"$t" || exit 1
(trap '' HUP; exec cat <&4 >&3 2>/dev/null) </dev/null >/dev/null 2>&1 &
exit 0`

// fed is an input that needs us no more.
type fed struct{}

func (fed) Wait() error  { return nil }
func (fed) Close() error { return nil }
