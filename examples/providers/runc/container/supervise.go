//go:build linux

package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/containerpub/cpub/sdk/contract"
)

// superviseVariable names a container's folder to the supervisor of it: the provider's own program, started again.
const superviseVariable = "CPUB_RUNC_SUPERVISE"

// task is what a supervisor is told.
type task struct {
	Runtime   runtime       `json:"runtime"`
	ID        string        `json:"id"`
	Bundle    bundle        `json:"bundle"`
	Cgroup    cgroup        `json:"cgroup"`
	TimeLimit time.Duration `json:"time_limit"`
	Grace     time.Duration `json:"grace"`
}

// The files that a supervisor is started with, beside a pipe to it as stdin and one from it as stdout.
const (
	fdLock  = 3 // the container's folder, locked
	fdStdin = 4 // the container's
)

// made is what a supervisor says through its stdout when the container is made, and waits for its start.
type made struct {
	PID   int    `json:"pid"`
	Error string `json:"error,omitempty"`
}

// Supervise does the work of a container's supervisor, if this process was started as one, and tells whether it was. A main calls it
// first.
//
// A supervisor outlives the provider: it makes the container, starts it when the provider has seen that its limits hold, holds it to
// its time, and writes down how it ended. If the provider dies before the start, nothing is started.
func Supervise() bool {
	dir := os.Getenv(superviseVariable)
	if dir == "" {
		return false
	}
	for _, fd := range []int{fdLock, fdStdin} {
		unix.CloseOnExec(fd)
	}
	s := &supervisor{folder: folder(dir)}
	if err := s.work(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err) // into the file log of the folder
		os.Exit(1)
	}
	return true
}

type supervisor struct {
	folder folder
	task   task
	before usage // what was used before the start
	pids   int64 // the most processes that were seen
	result exit
}

func (s *supervisor) work(ctx context.Context) error {
	// The container's first process is the runtime's child, which ends: whose child it is then is said here.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming the parent of the container: %w", err)
	}
	if there, err := s.folder.read("task", &s.task); err != nil || !there {
		return errors.Join(errors.New("reading the supervisor's task"), err)
	}
	streams, err := openStreams(s.folder)
	if err != nil {
		return err
	}
	pid, err := s.task.Runtime.create(ctx, s.task.ID, s.task.Bundle, s.log(), os.NewFile(fdStdin, "stdin"), streams.stdout, streams.stderr)
	streams.handOver()
	said := made{PID: pid}
	if err != nil {
		said.Error = err.Error()
	}
	// The configuration holds the environment, and in it secrets.
	err = errors.Join(err, os.Remove(s.task.Bundle.config()), json.NewEncoder(os.Stdout).Encode(said))
	if err == nil {
		_, err = io.ReadFull(os.Stdin, make([]byte, 1)) // the word to start, or the provider's end
	}
	if err != nil {
		return errors.Join(err, s.remove(ctx))
	}
	if err := s.follow(ctx, pid, streams); err != nil {
		return errors.Join(err, s.remove(ctx))
	}
	err = s.remove(ctx) // what it cannot remove, Remove tries again
	s.result.CleanupMS = time.Since(s.result.Finished).Milliseconds()
	return errors.Join(err, s.folder.write("exit", s.result))
}

func (s *supervisor) log() string { return s.folder.path("log.runtime") }

// follow starts the container and goes with it to its end.
func (s *supervisor) follow(ctx context.Context, pid int, streams *streams) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	s.before = s.task.Cgroup.usage()
	s.result.Started = time.Now()
	if err := s.folder.write("started", s.result.Started); err != nil {
		return err
	}
	if err := s.task.Runtime.start(ctx, s.task.ID, s.log()); err != nil {
		s.result.Error = err.Error()
		_ = process.Kill() // it may have ended
	}
	state, err := s.await(process)
	if err != nil {
		return fmt.Errorf("waiting for the container: %w", err)
	}
	s.result.Finished = time.Now()
	s.result.Usage = s.task.Cgroup.usage().since(s.before, s.pids)
	s.ended(state)
	streams.wait()
	return nil
}

// await waits for the container's end, and brings it about at the time limit and when it is asked for: SIGTERM, and SIGKILL after the grace.
func (s *supervisor) await(process *os.Process) (state *os.ProcessState, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		state, err = process.Wait()
	}()
	look := time.NewTicker(poll)
	defer look.Stop()
	limit := time.After(s.task.TimeLimit - time.Since(s.result.Started))
	var kill <-chan time.Time
	end := func(by string) {
		s.result.EndedBy = by
		_ = process.Signal(syscall.SIGTERM) // it may just have ended
		kill = time.After(s.task.Grace)
	}
	for {
		select {
		case <-ended:
			return state, err
		case <-kill:
			_ = process.Kill() // as above
		case <-limit:
			if s.result.EndedBy == "" {
				end(contract.EndedByTimeLimit)
			}
		case <-look.C:
			s.pids = max(s.pids, s.task.Cgroup.pids())
			if s.result.EndedBy == "" && s.folder.has("stop") {
				end(contract.EndedByCancelled)
			}
		}
	}
}

// ended tells by what the container ended that nobody ended.
func (s *supervisor) ended(state *os.ProcessState) {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		s.result.Code = 128 + int(status.Signal())
	} else {
		s.result.Code = state.ExitCode()
	}
	kills := s.result.Usage.OOMKills
	switch {
	case s.result.EndedBy != "":
	case s.result.Code != 0 && kills != nil && *kills > 0:
		s.result.EndedBy = contract.EndedByOOM
	case s.result.Code > 128 && s.result.Code <= 128+64: // so the init tells of its child's signal
		s.result.EndedBy = contract.EndedBySignal
	default:
		s.result.EndedBy = contract.EndedByExit
	}
}

// remove removes all of the container but its folder.
func (s *supervisor) remove(ctx context.Context) error {
	return errors.Join(s.task.Runtime.remove(ctx, s.task.ID, s.log()), s.task.Bundle.remove(), s.task.Cgroup.remove())
}
