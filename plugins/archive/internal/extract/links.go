package extract

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const (
	// maxHops is how many symbolic links a path may lead through; kernels stop at 40.
	maxHops = 40
	// maxSteps bounds the work for all links of an archive together.
	maxSteps = 10_000_000
)

// checkTarget judges a symbolic link's target by itself.
func checkTarget(name, target string) error {
	bad := func(reason string) error { return &Error{Entry: name, Reason: reason} }
	switch {
	case target == "":
		return bad("it is a symbolic link to nothing")
	case len(target) > maxName:
		return bad(fmt.Sprintf("it is a symbolic link to a name of %d bytes", len(target)))
	case strings.HasPrefix(target, "/"):
		return bad(fmt.Sprintf("it is a symbolic link to the absolute path %q; leave it out with exclude, or make it relative", shorten(target)))
	case strings.ContainsAny(target, "\x00\\"):
		return bad("it is a symbolic link to a name with a NUL byte or a backslash")
	}
	return nil
}

// checkLinks follows every symbolic link through the finished tree, as the kernel would, and refuses those that leave it.
// Parts that do not exist count as folders, so that a link which leads nowhere today cannot lead outside tomorrow.
func (t *tree) checkLinks() error {
	var names []string
	for name, n := range t.nodes {
		if n.kind == kindSymlink {
			names = append(names, name)
		}
	}
	slices.Sort(names) // the same message every time
	steps := maxSteps
	for _, name := range names {
		if err := t.follow(name, &steps); err != nil {
			return err
		}
	}
	return nil
}

// follow resolves one symbolic link. It takes what it does from steps.
func (t *tree) follow(name string, steps *int) error {
	at := path.Dir(name)
	todo := strings.Split(t.nodes[name].target, "/")
	for hops := 1; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		if *steps--; *steps < 0 {
			return &Error{Entry: name, Reason: "the archive's symbolic links take too long to follow"}
		}
		switch part {
		case "", ".":
			continue
		case "..":
			if at == "." {
				return &Error{Entry: name, Reason: fmt.Sprintf("it is a symbolic link to %q, which is outside of the archive", shorten(t.nodes[name].target))}
			}
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		n, ok := t.nodes[next]
		if !ok || n.kind != kindSymlink {
			at = next
			continue
		}
		hops++
		if hops > maxHops {
			return &Error{Entry: name, Reason: "it is a symbolic link that leads in a circle, or through too many others"}
		}
		todo = append(strings.Split(n.target, "/"), todo...)
	}
	return nil
}
