package doctor

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/config"
)

// scratch is a folder for the time of a look. Copies of the providers start there.
type scratch struct{ dir string }

// newScratch makes it in the user's state folder, since temporary folders may forbid execution, or else among the temporary ones.
func newScratch() (*scratch, error) {
	parent, err := config.StateDir()
	if err == nil {
		err = os.MkdirAll(parent, 0o700)
	}
	dir := ""
	if err == nil {
		dir, err = os.MkdirTemp(parent, "doctor-")
	}
	if err != nil {
		dir, err = os.MkdirTemp("", "cpub-doctor-")
	}
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("making a folder to look from: %w", err)
	}
	return &scratch{dir: dir}, nil
}

func (s *scratch) remove() { _ = artifact.RemoveAll(s.dir) } // what cannot be removed does no harm
