package sdk

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// CheckHostPath tells whether rules allow to mount a path of the host into a container, to write to it there, and to give it another SELinux
// label: nil, or why not. A rule is an absolute path, which allows to read it and all below it, and after a colon what else is allowed:
// "/srv/cache:rw", "/srv/cache:rw,relabel". The path must be clean. Where links lead to is checked by resolving it first.
func CheckHostPath(rules []string, p string, write, relabel bool) error {
	if !path.IsAbs(p) || path.Clean(p) != p {
		return fmt.Errorf("host path %q is not an absolute path without \"..\", \".\" and double slashes", p)
	}
	allowed := false
	for _, rule := range rules {
		base, options, _ := strings.Cut(rule, ":")
		if ValidHostPath(rule) != nil || base != p && base != "/" && !strings.HasPrefix(p, base+"/") {
			continue
		}
		allowed = true
		if (!write || has(options, "rw")) && (!relabel || has(options, "relabel")) {
			return nil
		}
	}
	switch {
	case !allowed:
		return fmt.Errorf("host path %q is not allowed", p)
	case relabel:
		return fmt.Errorf("host path %q may not be mounted so: writing needs `:rw` in the rule, relabelling `:relabel`", p)
	default:
		return fmt.Errorf("host path %q is allowed for reading alone", p)
	}
}

// ValidHostPath tells what is wrong with a rule of CheckHostPath.
func ValidHostPath(rule string) error {
	base, options, more := strings.Cut(rule, ":")
	if !path.IsAbs(base) || path.Clean(base) != base {
		return errors.New("host_paths takes absolute paths, such as \"/srv/data\" or \"/srv/cache:rw\"")
	}
	for option := range strings.SplitSeq(options, ",") {
		if more && option != "rw" && option != "relabel" {
			return fmt.Errorf("host_paths knows \"rw\" and \"relabel\" after the colon, not %q", option)
		}
	}
	return nil
}

func has(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}
