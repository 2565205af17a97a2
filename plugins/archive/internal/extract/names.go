package extract

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// The lengths of names and links' targets. File systems take 255 and 4096 bytes; a bound on the whole name also bounds memory.
const (
	maxName      = 1024
	maxComponent = 255
)

// selection decides which entries are extracted, and under which names.
type selection struct {
	strip            int
	include, exclude []string
	skipped          int64 // entries that were left out
}

func newSelection(o Options) (*selection, error) {
	if o.StripComponents < 0 {
		return nil, &Error{Attr: "strip_components", Reason: fmt.Sprintf("strip_components = %d: it cannot be negative", o.StripComponents)}
	}
	if err := checkPatterns("include", o.Include); err != nil {
		return nil, err
	}
	if err := checkPatterns("exclude", o.Exclude); err != nil {
		return nil, err
	}
	return &selection{strip: o.StripComponents, include: tidy(o.Include), exclude: tidy(o.Exclude)}, nil
}

func checkPatterns(attr string, patterns []string) error {
	for _, p := range patterns {
		if !doublestar.ValidatePattern(p) || p == "" {
			return &Error{Attr: attr, Reason: fmt.Sprintf("%s: %q is not a pattern: it is empty, or a bracket or brace is not closed", attr, p)}
		}
	}
	return nil
}

// tidy makes patterns such as "./src/" match the names that we compare.
func tidy(patterns []string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = strings.TrimSuffix(strings.TrimPrefix(p, "./"), "/")
	}
	return out
}

// choose checks an entry's name and gives the name to extract it under, or ok = false when it is left out.
func (s *selection) choose(raw string) (name string, ok bool, err error) {
	name, ok, err = s.target(raw)
	if err == nil && !ok {
		s.skipped++
	}
	return name, ok, err
}

// target is choose for names that are not an entry's own: those that hard links point to.
func (s *selection) target(raw string) (name string, ok bool, err error) {
	name, err = clean(raw)
	if err != nil {
		return "", false, err
	}
	for range s.strip {
		_, rest, found := strings.Cut(name, "/")
		if !found {
			return "", false, nil
		}
		name = rest
	}
	if name == "." { // the root itself, which is there
		return name, true, nil
	}
	if len(s.include) > 0 && !matches(s.include, name) || matches(s.exclude, name) {
		return "", false, nil
	}
	return name, true, nil
}

// matches tells whether a pattern matches the name or a folder that it is in.
func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		for n := name; n != "."; n = path.Dir(n) {
			if doublestar.MatchUnvalidated(p, n) {
				return true
			}
		}
	}
	return false
}

// clean gives the canonical form of an entry's name, or says why it cannot be extracted.
func clean(raw string) (string, error) {
	bad := func(reason string) (string, error) { return "", &Error{Entry: shorten(raw), Reason: reason} }
	switch {
	case raw == "":
		return bad("it has no name")
	case len(raw) > maxName:
		return bad(fmt.Sprintf("its name has %d bytes, and the longest that can be extracted has %d", len(raw), maxName))
	case strings.HasPrefix(raw, "/"):
		return bad("its name is an absolute path; nothing is extracted outside of the destination")
	case !utf8.ValidString(raw):
		return bad("its name is not UTF-8; make the archive again with UTF-8 names")
	case strings.ContainsRune(raw, 0):
		return bad("its name has a NUL byte")
	case strings.ContainsRune(raw, '\\'):
		return bad(`its name has a backslash, which is a separator on some systems; make the archive again with "/"`)
	}
	for part := range strings.SplitSeq(raw, "/") {
		if part == ".." {
			return bad(`its name has ".." in it; nothing is extracted outside of the destination`)
		}
		if len(part) > maxComponent {
			return bad(fmt.Sprintf("a part of its name has %d bytes, and the longest that can be extracted has %d", len(part), maxComponent))
		}
	}
	return path.Clean(raw), nil
}

// shorten keeps messages readable.
func shorten(name string) string {
	const most = 200
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}
