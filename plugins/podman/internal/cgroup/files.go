package cgroup

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// files are what was read from the host in one go, by name.
type files map[string]hostfs.Content

// read reads files. Those that cannot be read have their error.
func read(ctx context.Context, host hostfs.Host, names ...string) files {
	got := files{}
	if len(names) == 0 {
		return got
	}
	for i, c := range host.ReadFiles(ctx, names...) {
		got[names[i]] = c
	}
	return got
}

// within are the names of files in a folder; none in none.
func within(dir string, names ...string) []string {
	if dir == "" {
		return nil
	}
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = path.Join(dir, name)
	}
	return all
}

// text is what a file holds, trimmed; empty if it is not there.
func (f files) text(dir, name string) (string, error) {
	c := f[path.Join(dir, name)]
	if errors.Is(c.Err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(c.Data)), c.Err
}

// limit is that of a file with one number or "max". A file that is not there (a root group has none) sets no limit.
func (f files) limit(dir, name string) (int64, error) {
	text, err := f.text(dir, name)
	if text == "" || err != nil {
		return Unlimited, err
	}
	return parse(text), nil
}

// counter is that of a file with one number; nil without one.
func (f files) counter(dir, name string) *int64 {
	text, err := f.text(dir, name)
	if text == "" || err != nil {
		return nil
	}
	return integer(text)
}

// keyed is one number of a file with "key value" lines; nil without it.
func (f files) keyed(dir, name, key string) *int64 {
	text, err := f.text(dir, name)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			return integer(v)
		}
	}
	return nil
}
