package host

import (
	"os/exec"
	"runtime"
)

// spawner starts processes from one thread that lives as long as it does. Linux sends the parent-death signal when the thread that
// started a process ends, and Go ends threads as it likes.
type spawner struct {
	jobs chan spawnJob
}

type spawnJob struct {
	cmd *exec.Cmd
	err chan error
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan spawnJob)}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for j := range s.jobs {
			j.err <- j.cmd.Start()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	j := spawnJob{cmd: cmd, err: make(chan error, 1)}
	s.jobs <- j
	return <-j.err
}

// close ends the thread, and with it whatever it started that still runs.
func (s *spawner) close() { close(s.jobs) }
