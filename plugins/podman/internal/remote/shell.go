package remote

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// shell is one session with a shell in it, which answers one after the other.
type shell struct {
	session *ssh.Session
	in      io.WriteCloser
	mark    string

	mu      sync.Mutex
	waiting []chan answer
	err     error
	done    chan struct{}
}

// errNoShell tells that what was to be a shell is none.
var errNoShell = errors.New("it did not answer as a shell does")

// prelude makes the shell answer: `answer COMMAND…` prints what the command does, and a line with the mark, its status, and the first of
// what it says of errors.
const prelude = `LC_ALL=C; export LC_ALL
nl='
'
answer() {
  { e=$("$@" 2>&1 1>&3 3>&- </dev/null); } 3>&1
  s=$?
  printf '\n%s %s %s\n' "$mark" "$s" "${e%%$nl*}"
}
put() {
  [ -e "$1" ] || { ls -d -- "$1" >/dev/null; return 1; }
  printf %s "$2" >"$1"
}
follow() { readlink -- "$1" || { [ -L "$1" ] && echo "Permission denied" >&2 || ls -d -- "$1" >/dev/null; return 1; }; }
list() {
  [ -d "$1" ] || { ls -d -- "$1" >/dev/null; return 1; }
  set -- "$1"/*
  [ -e "$1" ] || return 0
  stat -c '%F|%Y|%n' -- "$@" 2>/dev/null
  return 0
}
`

func startShell(ctx context.Context, s *SSH) (*shell, error) {
	session, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	sh := &shell{session: session, mark: "cpub-" + rand.Text(), done: make(chan struct{})}
	stdout, err := session.StdoutPipe()
	if err == nil {
		sh.in, err = session.StdinPipe()
	}
	if err == nil {
		err = session.Start("exec /bin/sh")
	}
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	go sh.read(bufio.NewReader(stdout))
	if err := sh.write(prelude + "mark=" + sh.mark + "\n"); err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return sh, nil
}

func (sh *shell) ended() bool {
	select {
	case <-sh.done:
		return true
	default:
		return false
	}
}

func (sh *shell) write(text string) error {
	_, err := io.WriteString(sh.in, text)
	return err
}

// ask sends commands in one go and waits for their answers. What nobody waits for any more is read all the same.
func (sh *shell) ask(ctx context.Context, commands []string) ([]answer, error) {
	var text strings.Builder
	mine := make([]chan answer, len(commands))
	for i, c := range commands {
		mine[i] = make(chan answer, 1)
		text.WriteString("answer " + c + "\n")
	}
	sh.mu.Lock()
	if sh.err != nil {
		sh.mu.Unlock()
		return nil, sh.err
	}
	sh.waiting = append(sh.waiting, mine...)
	err := sh.write(text.String()) // with the lock, so that answers come in the order of those who wait
	sh.mu.Unlock()
	if err != nil {
		sh.end(err)
	}
	answers := make([]answer, len(commands))
	for i, c := range mine {
		select {
		case answers[i] = <-c:
		case <-sh.done:
			select {
			case answers[i] = <-c: // it came before the end
			default:
				return nil, sh.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return answers, nil
}

// read gives those who wait their answers, until the shell ends.
func (sh *shell) read(r *bufio.Reader) {
	var out bytes.Buffer
	for {
		line, err := r.ReadBytes('\n')
		rest, ok := bytes.CutPrefix(line, []byte(sh.mark+" "))
		if err != nil {
			werr := sh.session.Wait()
			if out.Len() > 0 && werr == nil {
				werr = fmt.Errorf("%w: %q", errNoShell, bytes.TrimSpace(out.Bytes()[:min(out.Len(), 200)]))
			}
			sh.end(errors.Join(errors.New("the shell ended"), werr))
			return
		}
		if !ok {
			out.Write(line)
			continue
		}
		status, text, _ := strings.Cut(strings.TrimSuffix(string(rest), "\n"), " ")
		n, err := strconv.Atoi(status)
		if err != nil {
			n = 1
		}
		a := answer{out: bytes.TrimSuffix(bytes.Clone(out.Bytes()), []byte("\n")), status: n, errors: text}
		out.Reset()
		sh.mu.Lock()
		if len(sh.waiting) > 0 {
			sh.waiting[0] <- a
			sh.waiting = sh.waiting[1:]
		}
		sh.mu.Unlock()
	}
}

// end ends the shell for all who wait.
func (sh *shell) end(err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.err != nil {
		return
	}
	sh.err = err
	close(sh.done)
	_ = sh.session.Close() // it may have ended by itself
}

// quote makes one word of the shell's of a text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
