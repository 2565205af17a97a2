package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
)

// stdio is what the commands talk to: results go to out, everything else to err.
type stdio struct {
	in       *os.File
	out, err io.Writer
	// inTTY, outTTY and errTTY tell which of them are a terminal.
	inTTY, outTTY, errTTY bool
	getenv                func(string) string

	mu sync.Mutex // of out, in printJSON
}

// newStdio is the process's own.
func newStdio() *stdio {
	return &stdio{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		inTTY: isTerminal(os.Stdin), outTTY: isTerminal(os.Stdout), errTTY: isTerminal(os.Stderr),
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// dumb tells whether the terminal is one that cannot move its cursor.
func (c *stdio) dumb() bool { t := c.getenv("TERM"); return t == "" || t == "dumb" }

// moving tells whether progress may move: on a terminal that can.
func (c *stdio) moving() bool { return c.errTTY && !c.dumb() }

// style is what out or err can show: colour on a terminal only, and not against NO_COLOR.
func (c *stdio) style(w io.Writer) view.Style {
	tty := w == c.out && c.outTTY || w == c.err && c.errTTY
	if !tty {
		return view.Style{}
	}
	s := view.Style{Color: !c.dumb() && c.getenv("NO_COLOR") == "", Unicode: c.utf8()}
	if f, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil {
			s.Width, s.Height = width, height
		}
	}
	return s
}

// utf8 tells whether the locale's encoding is UTF-8, as the first of these variables that is set says.
func (c *stdio) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := c.getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// printJSON writes one JSON object on a line of its own to out.
func (c *stdio) printJSON(v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// printLines writes lines to w.
func printLines(w io.Writer, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	if _, err := io.WriteString(w, strings.Join(lines, "\n")+"\n"); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// note tells the user something that is no result.
func (c *stdio) note(format string, args ...any) {
	fmt.Fprintf(c.err, "cpub: "+format+"\n", args...)
}

// report prints what a command ended with, and gives its exit code.
func (c *stdio) report(err error) int {
	if err == nil {
		return exitOK
	}
	var coded *exitError
	if !errors.As(err, &coded) {
		coded = &exitError{code: exitUsage, err: fmt.Errorf("%w\nSee cpub --help", err)}
	}
	if coded.err != nil {
		c.note("%s", view.Clean(coded.err.Error()))
	}
	return coded.code
}
