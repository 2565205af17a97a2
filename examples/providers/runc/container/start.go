//go:build linux

package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// supervision is a container that its supervisor has made and not started.
type supervision struct {
	pid   int
	words *os.File // to the supervisor: a byte is the word to start, the end of the file means that there will be none
}

// supervise starts a supervisor, and waits until it has made the container.
func (a *run) supervise(ctx context.Context) (*supervision, error) {
	f := a.folder()
	err := f.write("task", task{
		Runtime: a.runtime(), ID: a.name(), Bundle: a.bundle(), Cgroup: a.cgroup(), TimeLimit: a.in.TimeLimit.Std(), Grace: a.in.Grace.Std(),
	})
	if err != nil {
		return nil, err
	}
	lock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer closeAll(lock) // the supervisor has it too
	stdin, err := a.stdin()
	if err != nil {
		return nil, err
	}
	defer closeAll(stdin)
	log, err := os.Create(f.path("log"))
	if err != nil {
		return nil, err
	}
	defer closeAll(log)
	heard, words, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer closeAll(heard)
	answers, said, err := os.Pipe()
	if err != nil {
		closeAll(words)
		return nil, err
	}
	defer closeAll(answers)
	cmd := f.supervisor(lock, stdin)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = heard, said, log
	err = cmd.Start()
	closeAll(said)
	if err != nil {
		closeAll(words)
		return nil, fmt.Errorf("starting the container's supervisor: %w", err)
	}
	go func() { _ = cmd.Wait() }() // no zombie is left; how it ended stands in the folder
	stop := context.AfterFunc(ctx, func() { closeAll(words, answers) })
	defer stop()
	s := &supervision{words: words}
	if s.pid, err = answer(answers); err != nil {
		s.close()
	}
	return s, err
}

// supervisor is the supervisor's process: this program, started again.
func (f folder) supervisor(lock, stdin *os.File) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe") //nolint:noctx // it outlives the attempt
	cmd.Args[0] = "cpub-runc-supervisor"
	cmd.Env, cmd.Dir = []string{superviseVariable + "=" + string(f)}, "/"
	cmd.ExtraFiles = []*os.File{fdLock - 3: lock, fdStdin - 3: stdin}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what is sent to the provider's group is not for it
	return cmd
}

// answer waits for the supervisor's word that the container is made.
func answer(from io.Reader) (pid int, err error) {
	var got made
	if err := json.NewDecoder(from).Decode(&got); err != nil {
		return 0, fmt.Errorf("waiting for the container's supervisor: %w", err)
	}
	if got.Error != "" {
		return 0, errors.New(got.Error)
	}
	return got.PID, nil
}

// start has the supervisor start the image's code.
func (s *supervision) start() error {
	if _, err := s.words.Write([]byte{1}); err != nil {
		return fmt.Errorf("starting the container: %w", err)
	}
	return nil
}

// close ends what was said to the supervisor: it removes a container that it was not told to start.
func (s *supervision) close() { closeAll(s.words) }

// stdin is the container's standard input: a file that has no name any more, since there may be secrets in it.
func (a *run) stdin() (*os.File, error) {
	if a.in.Stdin == "" {
		return os.Open(os.DevNull)
	}
	path := a.folder().path("stdin")
	if err := os.WriteFile(path, []byte(a.in.Stdin), 0o600); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	return file, errors.Join(err, os.Remove(path))
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing is buffered, and twice does no harm
	}
}
