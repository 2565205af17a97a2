package archtest

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/containerpub/cpub"

// folder says what the packages of one folder of the module, and of those beneath it that have no rule of their own,
// may import of the module beside each other. An entry that ends in "/..." allows a folder with all that is beneath it.
type folder struct {
	path string
	may  []string
}

// house is the table of the design: the folders and what each may import.
func house() []folder {
	return []folder{
		{"cmd/cpub", []string{"workflows/client", "engine/...", "internal/stepdocs", "sdk/..."}},
		{"cmd/cpub-worker", []string{"workflows/worker", "engine/...", "sdk/..."}},
		{"cmd/cpub-dev", []string{"workflows/worker", "engine/...", "sdk/..."}},
		{"workflows", []string{"engine/...", "sdk/..."}},
		{"workflows/worker", []string{"workflows", "engine/...", "sdk/..."}},
		{"workflows/client", []string{"workflows", "engine/...", "sdk/..."}},
		{"engine", []string{"engine/eval", "sdk/..."}},
		{"engine/eval", []string{"sdk/..."}},
		{"engine/config", []string{"engine", "engine/eval", "engine/policy", "sdk/..."}},
		{"engine/cases", []string{"engine", "engine/eval", "engine/config", "sdk", "sdk/schema"}},
		{"engine/policy", []string{"sdk/..."}},
		{"engine/preview", []string{"engine", "engine/eval", "sdk/schema"}},
		{"engine/artifact", []string{"sdk"}},
		{"engine/host", []string{"engine", "engine/policy", "engine/artifact", "sdk/...", "internal/wire"}},
		{"engine/machine", []string{"engine", "engine/artifact", "engine/config", "engine/policy", "engine/host", "sdk/..."}},
		{"engine/doctor", []string{"engine", "engine/config", "engine/host", "engine/artifact", "engine/machine", "sdk/..."}},
		{"plugins/podman", []string{"sdk/..."}},
		{"plugins/s3", []string{"sdk/..."}},
		{"plugins/archive", []string{"sdk/..."}},
		{"sdk", []string{"sdk/schema"}},
		{"sdk/schema", nil},
		{"sdk/contract", []string{"sdk/schema"}},
		{"sdk/serve", []string{"sdk", "sdk/schema", "internal/wire"}},
		{"sdk/sdktest", []string{"sdk/...", "internal/wire"}},
		{"internal/wire", []string{"sdk", "sdk/schema"}},
		{"internal/archtest", nil},
		{"internal/stepdocs", []string{"sdk/contract", "sdk/schema"}},
		{"internal/stepdocs/write", []string{"internal/stepdocs", "engine/eval", "plugins/podman/steps", "sdk/contract"}},
		{"internal/testenv", nil},
		{"internal/e2e", nil},
		{"hack", nil},
		{"examples/providers", []string{"sdk/..."}},
		{"examples/functions", nil},
	}
}

// ban names what some packages must not link, however deep: none of their dependencies may lie at or beneath one of
// these import paths.
type ban struct {
	who    string
	banned []string
	why    string
	holds  func(path string) bool // for which packages of the module, by their path in it
}

func bans() []ban {
	return []ban{
		{
			who:    "a provider",
			banned: []string{"go.temporal.io"},
			why:    "a provider never sees Temporal",
			holds:  under("plugins", "examples/providers", "sdk"),
		},
		{
			who:    "the command line",
			banned: []string{"github.com/containers/podman", "go.podman.io"},
			why:    "cpub works on a laptop that has no Podman",
			holds:  under("cmd/cpub"),
		},
		{
			who: "all but cpub-dev",
			banned: []string{
				"go.temporal.io/server",
				"github.com/temporalio/ui-server",
				"github.com/versity/versitygw",
				"github.com/distribution/distribution/v3/registry/handlers",
			},
			why:   "only cpub-dev is a server of others' protocols",
			holds: func(path string) bool { return !under("cmd/cpub-dev")(path) },
		},
		{
			who:    "the sdk's public face",
			banned: []string{"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/hashicorp/go-plugin"},
			why:    "a provider's author never sees protobuf",
			holds:  func(path string) bool { return slices.Contains([]string{"sdk", "sdk/schema", "sdk/contract"}, path) },
		},
		{
			who:    "the engine's pure parts",
			banned: []string{"go.temporal.io", "google.golang.org/grpc", "gocloud.dev", "github.com/hashicorp/go-plugin"},
			why:    "they are run again on replay, and do no IO",
			holds: func(path string) bool {
				return slices.Contains([]string{"engine", "engine/eval", "engine/policy"}, path)
			},
		},
	}
}

// under gives a test for lying in one of these folders, or beneath it.
func under(folders ...string) func(string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(folders, func(f string) bool { return within(path, f) })
	}
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// ruleOf gives the rule of a package: that of the nearest folder at or above it.
func ruleOf(rules []folder, path string) (folder, bool) {
	var nearest folder
	for _, r := range rules {
		if within(path, r.path) && len(r.path) > len(nearest.path) {
			nearest = r
		}
	}
	return nearest, nearest.path != ""
}

// checkImport says what is wrong with a package of the module importing another one, both by their paths in it; "" means nothing.
func checkImport(rules []folder, from, to string) string {
	rule, ok := ruleOf(rules, from)
	if !ok {
		return fmt.Sprintf("%s lies in no folder that has a rule: give it one in house()", from)
	}
	if target, ok := ruleOf(rules, to); ok && target.path == rule.path {
		return ""
	}
	for _, may := range rule.may {
		if tree, ok := strings.CutSuffix(may, "/..."); ok && within(to, tree) || to == may {
			return ""
		}
	}
	return fmt.Sprintf("%s imports %s; %s may import %s", from, to, rule.path, strings.Join(rule.may, ", "))
}

// checkLinks lists, in the order of deps, what a package links and must not.
func checkLinks(all []ban, path string, deps []string) []string {
	var wrong []string
	for _, b := range all {
		if !b.holds(path) {
			continue
		}
		for _, dep := range deps {
			if slices.ContainsFunc(b.banned, func(p string) bool { return within(dep, p) }) {
				wrong = append(wrong, fmt.Sprintf("%s links %s; %s must not: %s", path, dep, b.who, b.why))
			}
		}
	}
	return wrong
}
