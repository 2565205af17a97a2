package stack

import (
	"path/filepath"

	"github.com/containerpub/cpub/engine/config"
)

// Region is the region that the S3 gateway expects in signatures.
const Region = "us-east-1"

// Endpoints is where a stack's services are found. A service that does not
// run has an empty address.
type Endpoints struct {
	Dir       string // the state folder, absolute
	Temporal  string // host:port of the gRPC frontend
	Namespace string // Temporal's namespace
	UI        string // URL of Temporal's UI
	S3        string // URL of the S3 gateway
	AccessKey string // of the S3 gateway's root account
	SecretKey string // of the S3 gateway's root account
	Registry  string // localhost:port, plain HTTP; the prefix of image references
	Store     string // URL of the artifact store, as CPUB_STORE takes it
}

// newEndpoints describes the services that opts wants, at their addresses.
func newEndpoints(opts Options, at addresses, id identity) Endpoints {
	e := Endpoints{Dir: opts.Dir, Store: config.FileStoreURL(filepath.Join(opts.Dir, "store"))}
	if opts.runs(Temporal) {
		e.Temporal, e.Namespace, e.UI = at.temporal.String(), opts.Namespace, "http://"+at.ui.String()
	}
	if opts.runs(S3) {
		e.S3, e.AccessKey, e.SecretKey = "http://"+at.s3.String(), id.AccessKey, id.SecretKey
	}
	if opts.runs(Registry) {
		e.Registry = at.registry.localhost()
	}
	return e
}

// Env returns the endpoints as NAME=VALUE, in a fixed order: what cpub, the
// AWS SDKs and Temporal's own CLI need to reach this stack.
func (e Endpoints) Env() []string {
	env := []string{"CPUB_DEV_DIR=" + e.Dir, "CPUB_STORE=" + e.Store}
	if e.Temporal != "" {
		env = append(env,
			"TEMPORAL_ADDRESS="+e.Temporal,
			"TEMPORAL_NAMESPACE="+e.Namespace,
			"CPUB_DEV_UI="+e.UI,
		)
	}
	if e.S3 != "" {
		env = append(env,
			"AWS_ENDPOINT_URL="+e.S3,
			"AWS_ACCESS_KEY_ID="+e.AccessKey,
			"AWS_SECRET_ACCESS_KEY="+e.SecretKey,
			"AWS_REGION="+Region,
		)
	}
	if e.Registry != "" {
		env = append(env, "CPUB_DEV_REGISTRY="+e.Registry)
	}
	return env
}
