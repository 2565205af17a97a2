package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// lineFiles are the only files that lines are added to, whatever a provider says.
func lineFiles() []string { return []string{"/etc/subuid", "/etc/subgid"} }

// Fixable tells whether something can be done about a finding.
func (f Finding) Fixable() bool { return !f.OK && (f.Apply != nil || len(f.Fixes) > 0) }

// Plan says what Fix would do, a line each.
func (f Finding) Plan() []string {
	var plan []string
	if f.Planned != "" {
		plan = append(plan, f.Planned)
	}
	for _, x := range f.Fixes {
		plan = append(plan, describe(x))
	}
	return plan
}

// Fix does what can be done, and says what it did. It destroys nothing; what was done before an error stays.
func (f Finding) Fix(ctx context.Context) (did []string, err error) {
	if f.Apply != nil {
		text, err := f.Apply(ctx)
		if err != nil {
			return nil, err
		}
		did = append(did, text)
	}
	for _, x := range f.Fixes {
		if err := apply(x, lineFiles()); err != nil {
			return did, err
		}
		did = append(did, describe(x))
	}
	return did, nil
}

func describe(x sdk.Fix) string {
	switch x.Kind {
	case sdk.FixFolder:
		return fmt.Sprintf("make the folder %s (%04o)", x.Path, x.Mode)
	case sdk.FixMode:
		return fmt.Sprintf("take permissions of %s away, down to %04o", x.Path, x.Mode)
	case sdk.FixLine:
		return fmt.Sprintf("add the line %s to %s", x.Line, x.Path)
	}
	return fmt.Sprintf("%s %s: this cpub does not know how", x.Kind, x.Path)
}

func apply(x sdk.Fix, lines []string) error {
	if !filepath.IsAbs(x.Path) {
		return fmt.Errorf("%q is no absolute path", x.Path)
	}
	perm := fs.FileMode(x.Mode) & fs.ModePerm
	switch x.Kind {
	case sdk.FixFolder:
		return os.MkdirAll(x.Path, perm|0o700)
	case sdk.FixMode:
		info, err := os.Stat(x.Path)
		if err != nil {
			return err
		}
		return os.Chmod(x.Path, info.Mode()&^fs.ModePerm|info.Mode().Perm()&perm)
	case sdk.FixLine:
		if !slices.Contains(lines, x.Path) {
			return fmt.Errorf("no line is added to %s: only to %s", x.Path, strings.Join(lines, " and "))
		}
		return addLine(x.Path, x.Line)
	}
	return fmt.Errorf("%q is a fix that this cpub does not know", x.Kind)
}

// addLine adds a line at the end of a file, unless it is there.
func addLine(path, line string) error {
	if strings.ContainsAny(line, "\r\n") {
		return fmt.Errorf("%q is not one line", line)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if slices.Contains(strings.Split(string(text), "\n"), line) {
		return nil
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		line = "\n" + line
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}
