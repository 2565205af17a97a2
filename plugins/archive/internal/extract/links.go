package extract

import (
	"fmt"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// checkTarget judges a symbolic link's target. Since no entry is written through a link, the folders above a link are real
// ones, and what sdk.LinkInside accepts stays inside wherever the links on its way lead.
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
	case !sdk.LinkInside(name, target):
		return bad(fmt.Sprintf("it is a symbolic link to %q, which leads outside of the archive, or might: \"..\" may only stand at its start", shorten(target)))
	}
	return nil
}
