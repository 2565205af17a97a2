// Package steps holds the shapes of the step types that are the podman provider's own: what no other provider is expected to serve. A policy must
// name each in `step_types`.
package steps

import "github.com/containerpub/cpub/sdk/contract"

// All returns the types, in the order of the docs.
func All() []contract.Type { return []contract.Type{Pod(), Service()} }
