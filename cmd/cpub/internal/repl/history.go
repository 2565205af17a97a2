package repl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxHistory is how many lines are kept.
const maxHistory = 1000

// History is what was typed, the latest last, in a file that its owner alone can read. A line that begins with a space is not kept. It
// implements golang.org/x/term's History.
type History struct {
	path  string
	lines []string
	err   error
}

// OpenHistory reads the history in a file; "" keeps none beyond this run.
func OpenHistory(path string) (*History, error) {
	h := &History{path: path}
	if path == "" {
		return h, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return h, fmt.Errorf("keeping the history: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.path = ""
		return h, fmt.Errorf("reading the history: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && utf8.ValidString(line) {
			h.lines = append(h.lines, line)
		}
	}
	if len(h.lines) > maxHistory {
		h.lines = h.lines[len(h.lines)-maxHistory:]
		return h, h.rewrite()
	}
	return h, nil
}

func (h *History) rewrite() error {
	tmp, err := os.CreateTemp(filepath.Dir(h.path), ".history-") // 0600
	if err != nil {
		return fmt.Errorf("keeping the history: %w", err)
	}
	_, err = tmp.WriteString(strings.Join(h.lines, "\n") + "\n")
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(tmp.Name(), h.path)
	}
	if err != nil {
		return fmt.Errorf("keeping the history: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// Add keeps a line, unless it is the last one again.
func (h *History) Add(line string) {
	if strings.TrimSpace(line) == "" || strings.HasPrefix(line, " ") || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if h.path == "" || h.err != nil {
		return
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		err = errors.Join(err, f.Close())
	}
	h.err = err
}

// Err is why lines could not be kept, once that happened.
func (h *History) Err() error {
	if h.err == nil {
		return nil
	}
	return fmt.Errorf("keeping the history: %w", h.err)
}

// Len is how many lines there are.
func (h *History) Len() int { return len(h.lines) }

// At gives a line; 0 is the latest.
func (h *History) At(i int) string { return h.lines[len(h.lines)-1-i] }
