// Package eval reads pipeline files and evaluates their expressions. It is pure and deterministic: no IO (files come through Files),
// no clock, no randomness, no map order. It is bounded: nesting depth, elements, bytes and work are counted by plain counters, so
// that no pipeline can stall whoever evaluates it.
//
// The way through it:
//
//	module, diags := eval.Parse(files)                      // syntax and structure
//	vars, diags := module.DecodeVariables(json)             // types, defaults, validation
//	scope := module.Scope(pipeline, eval.Inputs{...})       // cheap; one per evaluation, with its own budget
//	run, diags := scope.When(step)                          // may be unknown while checking
//	call, diags := scope.Step(step, shape.Input)            // resolved input, timeout, retry
//	value, diags := scope.Output(output)
//
// Values that are not known yet (a variable while checking, the outputs of a step that has not run) are typed unknowns: the same calls
// then check what can be checked.
package eval
