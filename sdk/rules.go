package sdk

import (
	"slices"
	"strings"
)

// Rules are policy that only shows while a step runs. The zero value denies.
type Rules struct {
	// PullFrom and BuildFrom are patterns of image references, see MatchReference: what may be pulled by a step, and what a
	// Containerfile may name in FROM and COPY --from.
	PullFrom  []string `json:"pull_from,omitempty"`
	BuildFrom []string `json:"build_from,omitempty"`
	// HostPaths are the paths of the host that containers may mount, see CheckHostPath. The provider checks what a path leads to.
	HostPaths []string `json:"host_paths,omitempty"`
	// CacheMounts allows RUN --mount=type=cache.
	CacheMounts bool `json:"cache_mounts,omitempty"`
	// Source says where the rules stand, for messages: "worker.hcl:12".
	Source string `json:"source,omitempty"`
}

// MatchReference tells whether an image reference matches one of the patterns, see MatchName: "localhost:5000/*". A reference
// without a registry's host in front matches nothing, because what it means depends on the host that resolves it.
func MatchReference(patterns []string, ref string) bool {
	return HasHost(ref) && MatchName(patterns, ref)
}

// MatchName tells whether a name matches one of the patterns. In a pattern, `*` stands for any run of characters, everything else for
// itself.
func MatchName(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}

// HasHost tells whether an image reference begins with a registry's host, as the reference grammar of OCI tools has it: a first
// part with a dot or a port, or localhost.
func HasHost(ref string) bool {
	host, rest, ok := strings.Cut(ref, "/")
	return ok && rest != "" && (strings.ContainsAny(host, ".:") || host == "localhost")
}

// match is a glob with `*` alone, in linear space and without backtracking over more than one star.
func match(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
