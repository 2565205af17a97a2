package eval

import (
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Suggest gives the candidate that is closest to name, or "" when none is close.
func Suggest(name string, candidates []string) string {
	if len(name) > 64 {
		return ""
	}
	best, distance := "", min(max(2, len(name)/4), len(name)-1)+1
	for _, c := range candidates {
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(c), nil); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// didYouMean gives ` Did you mean "x"?`, or "".
func didYouMean(name string, candidates []string) string {
	if s := Suggest(name, candidates); s != "" {
		return ` Did you mean "` + s + `"?`
	}
	return ""
}

// oneOf lists names for people: `a, b and c`, long lists cut.
func oneOf(names []string) string {
	const most = 12
	names = slices.Clone(names)
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " and others"
	}
	switch len(names) {
	case 0:
		return "none"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
