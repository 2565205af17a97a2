package build

import (
	"encoding/json"
	"net/url"
	"sort"
	"strconv"

	"github.com/containers/buildah/define"

	"github.com/containerpub/cpub/sdk"
)

// cpuPeriod is the length of the window, in µs, in which a RUN may use its share of CPU.
const cpuPeriod = 100_000

// params are the build endpoint's. Base images are there already, so that nothing is pulled: what a policy did not see
// cannot come in.
func params(req *sdk.Request, in Input, s *source, rootful bool) url.Values {
	q := url.Values{
		"dockerfile": {list([]string{s.name})}, "pullpolicy": {"never"}, "layers": {"1"}, "rm": {"1"}, "forcerm": {"1"},
		"outputformat": {define.OCIv1ImageManifest},
		"memory":       {number(int64(*in.Memory))}, "memswap": {number(int64(*in.Memory))},
		"cpuperiod": {number(cpuPeriod)}, "cpuquota": {number(int64(*in.CPUs * cpuPeriod))},
		"isolation": {number(int64(define.IsolationOCI))},
	}
	if rootful {
		q.Set("cgroupparent", mark(req))
	}
	q["t"] = in.Tags
	setIf(q, "target", in.Target)
	setIf(q, "platform", in.Platform)
	if len(in.BuildArgs) > 0 {
		q.Set("buildargs", object(in.BuildArgs))
	}
	if all := origin(req, in, s, in.Labels); len(all) > 0 {
		q.Set("labels", list(pairs(all)))
	}
	if all := origin(req, in, s, in.Annotations); len(all) > 0 {
		q.Set("annotations", list(pairs(all)))
	}
	if len(s.excludes) > 0 {
		q.Set("excludes", list(s.excludes))
	}
	// The cache may hold layers of builds that were not reproducible, and Podman 4.3.1 takes them.
	if in.NoCache || in.Reproducible {
		q.Set("nocache", "1")
	}
	if in.Reproducible {
		// All times of the image, and no version of the builder's in it.
		q.Set("timestamp", "0")
		q.Set("identitylabel", "0")
	}
	if len(s.secrets) > 0 {
		q.Set("secrets", list(secretParams(s.secrets)))
	}
	network(q, in.Network)
	return q
}

// network sets the network of each RUN.
func network(q url.Values, value string) {
	option, policy := define.NamespaceOption{Name: "network"}, define.NetworkEnabled
	switch value {
	case "none":
		policy = define.NetworkDisabled
	case "host":
		option.Host = true
	}
	b, _ := json.Marshal([]define.NamespaceOption{option}) // strings and flags have a JSON form
	q.Set("nsoptions", string(b))
	q.Set("networkmode", number(int64(policy)))
}

func setIf(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func list(s []string) string {
	b, _ := json.Marshal(s) // strings have a JSON form
	return string(b)
}

func object(m map[string]string) string {
	b, _ := json.Marshal(m) // strings have a JSON form
	return string(b)
}

// pairs are NAME=VALUE in the order of names.
func pairs(m map[string]string) []string {
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return out
}
