//go:build linux

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk/contract"
)

// folder is all that is known of one container. It is named after the step's key, so that there cannot be two of them.
//
//	lock             held by the supervisor, and by who makes or removes the container
//	record           what the container is: record
//	task             what the supervisor does: task
//	started          when the image's code began: from then on the container is adopted, not made anew
//	stdout, stderr   what it wrote, up to maxStream of each
//	stop             asks the supervisor to end it
//	exit             how it ended, and what it used: exit
//	log, log.runtime what the supervisor and the runtime had to say
//	upper, work      what was written to its root
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// record is written by the provider before the image's code starts.
type record struct {
	Key     string          `json:"key"`
	Run     string          `json:"run"`
	Step    string          `json:"step"`
	Image   string          `json:"image"`
	Since   time.Time       `json:"since"`
	PullMS  int64           `json:"pull_ms"`
	MakeMS  int64           `json:"create_ms"`
	Limits  contract.Limits `json:"limits"`
	Proven  bool            `json:"proven"`
	Attempt int             `json:"attempt"`
}

// exit is written by the supervisor when nothing of the container is left but this folder.
type exit struct {
	Code      int       `json:"code"`
	EndedBy   string    `json:"ended_by"`
	Started   time.Time `json:"started"`
	Finished  time.Time `json:"finished"`
	CleanupMS int64     `json:"cleanup_ms"`
	Usage     usage     `json:"usage"`
	Error     string    `json:"error,omitempty"` // of the runtime, which could not start the code
}

// read reads one of the files; false if it is not there.
func (f folder) read(name string, v any) (bool, error) {
	data, err := os.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return false, fmt.Errorf("reading %s of the container: %w", name, err)
	}
	return true, nil
}

func (f folder) write(name string, v any) error { return image.WriteJSON(f.path(name), v) }

func (f folder) has(name string) bool {
	_, err := os.Stat(f.path(name))
	return err == nil
}

// errBusy tells that a supervisor, or another attempt, has the container.
var errBusy = errors.New("the container is at work")

// lock takes the container for oneself until the file is closed, by the death of all who have it too. It is errBusy while another has it.
func (f folder) lock() (*os.File, error) {
	file, err := os.OpenFile(f.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errBusy
		}
		return nil, err
	}
	return file, nil
}

// supervised tells whether somebody has the container.
func (f folder) supervised() bool {
	file, err := f.lock()
	if err == nil {
		_ = file.Close() // nothing was written
	}
	return errors.Is(err, errBusy)
}
