package service

import (
	"strings"
	"unicode/utf8"

	"github.com/containerpub/cpub/sdk"
)

// quote writes one argument of a command so that it comes through both who read it as it is: Podman's generator, which takes off the quotes and
// writes them anew, and systemd, for which `%` and `$` begin something. What no way of writing brings through is refused, by attr: it is an
// argument that has nothing in it, or a lone `;`, or holds control characters.
func quote(attr, s string) (string, error) {
	switch {
	case s == "":
		return "", sdk.Invalidf(attr, "systemd cannot be given an argument that is empty")
	case s == ";":
		return "", sdk.Invalidf(attr, "for systemd a lone ; ends the command; write it inside another argument, as in `sh -c`")
	case !utf8.ValidString(s):
		return "", sdk.Invalidf(attr, "%q is no UTF-8", s)
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return "", sdk.Invalidf(attr, "%q holds the control character %U", s, r)
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '%' || r == '$':
			b.WriteRune(r)
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String(), nil
}
