// Package cases runs the tests of a module: the `run` blocks of its *.cpubtest.hcl files. A case drives the module's own plan on
// engine.Schedule, as a workflow does, with what its `mock` blocks say in the place of providers; no service is needed, and no time passes.
package cases
