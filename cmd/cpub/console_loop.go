package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/term"

	"github.com/containerpub/cpub/cmd/cpub/internal/repl"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/eval"
)

// batch evaluates each line of the input.
func (s *consoleSession) batch(asJSON bool) error {
	lines := bufio.NewScanner(s.c.in)
	lines.Buffer(nil, eval.MaxFileSize)
	wrong := false
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		if skipped(text) {
			continue
		}
		result := s.Eval(text, n)
		if err := s.show(s.c.err, result, text); err != nil {
			return err
		}
		if result.Diags.HasErrors() {
			wrong = true
			continue
		}
		if err := s.print(result, text, asJSON); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading stdin: %w", err)
	}
	if wrong {
		return exit(exitUsage)
	}
	return nil
}

// skipped tells lines that are no expression.
func skipped(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || strings.HasPrefix(text, "#") || strings.HasPrefix(text, "//")
}

func (s *consoleSession) print(r repl.Result, text string, asJSON bool) error {
	if !asJSON {
		return printLines(s.c.out, []string{r.Text})
	}
	line, err := r.Line(text)
	if err != nil {
		return err
	}
	return s.c.printJSON(line)
}

// show writes an expression's diagnostics.
func (s *consoleSession) show(w io.Writer, r repl.Result, text string) error {
	if len(r.Diags) == 0 {
		return nil
	}
	files := s.m.sources()
	files[s.Name] = &hcl.File{Bytes: []byte(text)}
	style := s.c.style(s.c.err)
	return config.WriteDiagnostics(w, inFolder(r.Diags, s.m.Files, s.m.Dir), files, config.Style{Color: style.Color, Width: style.Width})
}

// interactive reads expressions from the terminal.
func (s *consoleSession) interactive() (err error) {
	history, err := repl.OpenHistory(historyFile(s.c.getenv))
	if err != nil {
		s.c.note("%s", err)
	}
	fd := int(s.c.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return fmt.Errorf("preparing the terminal: %w", err)
	}
	defer func() { err = errors.Join(err, term.Restore(fd, before)) }()
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{s.c.in, s.c.out}, "> ")
	t.History = history
	t.AutoCompleteCallback = s.completer(t)
	if err := s.converse(t, fd); err != nil {
		return err
	}
	return history.Err()
}

// converse answers line by line, until the user has enough.
func (s *consoleSession) converse(t *term.Terminal, fd int) error {
	for n := 1; ; n++ {
		if width, height, err := term.GetSize(fd); err == nil && width > 0 {
			if err := t.SetSize(width, height); err != nil {
				return fmt.Errorf("writing to the terminal: %w", err)
			}
		}
		text, err := t.ReadLine()
		switch command := strings.TrimSpace(text); {
		case errors.Is(err, io.EOF), command == "exit", command == "quit":
			_, err := fmt.Fprintln(t)
			return err
		case err != nil && !errors.Is(err, term.ErrPasteIndicator):
			return fmt.Errorf("reading the terminal: %w", err)
		case skipped(text):
			continue
		}
		result := s.Eval(text, n)
		if err := s.show(t, result, text); err != nil {
			return err
		}
		if !result.Diags.HasErrors() {
			if err := printLines(t, []string{result.Text}); err != nil {
				return err
			}
		}
	}
}

// completer completes on the tab key, and lists what is possible where it is not certain.
func (s *consoleSession) completer(t *term.Terminal) func(string, int, rune) (string, int, bool) {
	return func(line string, at int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		completed, to, names := s.Complete(line, at)
		if completed == line && len(names) > 1 {
			_, _ = fmt.Fprintln(t, strings.Join(names, "  ")) // a list that cannot be shown is none
		}
		return completed, to, true
	}
}

// historyFile is where the console keeps what was typed, by the XDG base directories; empty without a home.
func historyFile(getenv func(string) string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "cpub", "console_history")
}
