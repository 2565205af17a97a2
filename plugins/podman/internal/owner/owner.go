// Package owner marks what the provider makes in a Podman store, so that it is found again by its key and swept by its run.
package owner

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// The labels of everything of ours.
const (
	LabelRun     = "io.cpub.run"
	LabelStep    = "io.cpub.step"
	LabelKey     = "io.cpub.key"
	LabelAttempt = "io.cpub.attempt"
	// LabelTimeLimit is how long a container may run, as a duration.
	LabelTimeLimit = "io.cpub.time_limit"
	// LabelShell marks a container that a person has a shell in. It is needed until then at most: seconds since 1970.
	LabelShell = "io.cpub.shell"
	// LabelSidecar is the sidecar's name, on those alone.
	LabelSidecar = "io.cpub.sidecar"
)

// The labels of what outlives its run by intent: a pod, or a service, by the name that the pipeline gave it. No sweep of runs takes these.
const (
	LabelPod     = "io.cpub.pod"
	LabelService = "io.cpub.service"
	// LabelSpec is the digest of what was asked for.
	LabelSpec = "io.cpub.spec"
)

// Outlives tells by its labels whether a container, or a pod, stays when its run is over.
func Outlives(labels map[string]string) bool {
	return labels[LabelPod] != "" || labels[LabelService] != ""
}

// Labels are a request's labels, over those that the user asked for.
func Labels(req *sdk.Request, users map[string]string) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, users)
	labels[LabelRun] = req.Run
	labels[LabelStep] = req.Step
	labels[LabelKey] = req.Key
	labels[LabelAttempt] = strconv.Itoa(req.Attempt)
	return labels
}

// CheckLabels refuses labels of a user's that are ours, or Podman's.
func CheckLabels(users map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if strings.HasPrefix(name, "io.cpub.") || strings.HasPrefix(name, "io.containers.") || name == "PODMAN_SYSTEMD_UNIT" {
			return sdk.Invalidf("labels", "the label %q is not for steps to give", name)
		}
	}
	return nil
}

// Name is the name of the one thing of a kind that a key has. Names are unique in a store, which is what keeps two attempts
// from making it twice.
func Name(key string) string { return "cpub-" + Short(key) }

// Short is a key as part of a name: as it is where it is short and plain, else its hash.
func Short(key string) string {
	plain := !slices.ContainsFunc([]byte(key), func(b byte) bool {
		return (b < '0' || b > '9') && (b < 'a' || b > 'z')
	})
	if plain && key != "" && len(key) <= 64 {
		return key
	}
	return hash(key)
}

// RunHash is a run's name as part of an image's name.
func RunHash(run string) string { return hash(run) }

// Live tells of a RunHash whether its run is among a sweep's live ones.
func Live(sweep sdk.Sweep) func(runHash string) bool {
	live := map[string]bool{}
	for _, r := range sweep.LiveRuns {
		live[RunHash(r)] = true
	}
	return func(runHash string) bool { return live[runHash] }
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
