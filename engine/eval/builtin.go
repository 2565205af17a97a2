package eval

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// The step types of the engine itself, which no provider serves.
const (
	TypeValue    = "value"    // computes and checks
	TypeWait     = "wait"     // a durable timer
	TypeApproval = "approval" // waits for a person
	TypePipeline = "pipeline" // runs another pipeline as a child
)

// BuiltinTypes are the names of the engine's own step types, sorted.
func BuiltinTypes() []string { return []string{TypeApproval, TypePipeline, TypeValue, TypeWait} }

// Builtin gives the shape of a step type of the engine itself; false for all others.
func Builtin(stepType string) (schema.Step, bool) {
	attrs := func(a ...schema.Attr) schema.Object { return schema.Object{Attrs: a} }
	switch stepType {
	case TypeValue:
		return schema.Step{
			Input:  attrs(schema.Attr{Name: "value", Type: cty.DynamicPseudoType, Required: true, Doc: "Any value."}),
			Output: attrs(schema.Attr{Name: "value", Type: cty.DynamicPseudoType, Doc: "The same value."}),
		}, true
	case TypeWait:
		return schema.Step{
			Input: attrs(
				schema.Attr{Name: "duration", Type: cty.String, Format: schema.FormatDuration, Doc: "How long to wait from when the step starts, such as `\"10m\"`."},
				schema.Attr{Name: "at", Type: cty.String, Doc: "The moment to wait for: RFC 3339, such as `\"2030-01-31T06:00:00Z\"`. One that has passed is not waited for."},
			),
			Output: attrs(schema.Attr{Name: "ended_at", Type: cty.String, Doc: "When the wait was over: RFC 3339, in UTC."}),
		}, true
	case TypeApproval:
		return schema.Step{
			Input: attrs(schema.Attr{Name: "message", Type: cty.String, Required: true, Doc: "What is to be decided, shown to who decides."}),
			Output: attrs(
				schema.Attr{Name: "approver", Type: cty.String, Doc: "Who approved, by their own word."},
				schema.Attr{Name: "comment", Type: cty.String, Doc: "What they said to it, if anything."},
				schema.Attr{Name: "decided_at", Type: cty.String, Doc: "When: RFC 3339, in UTC."},
			),
		}, true
	case TypePipeline:
		return schema.Step{
			Input: attrs(
				schema.Attr{Name: "pipeline", Type: cty.String, Required: true, Doc: "The pipeline's name, written out: it is looked up when the plan is made."},
				schema.Attr{Name: "source", Type: cty.String, Doc: "The folder of another module that has the pipeline, relative to this one, such as `\"./lib\"`. Left out: this module."},
				schema.Attr{Name: "variables", Type: cty.DynamicPseudoType, Doc: "An object with the pipeline's variables."},
			),
			Output: attrs(
				schema.Attr{Name: "outputs", Type: cty.DynamicPseudoType, Doc: "The pipeline's outputs, an object."},
				schema.Attr{Name: "workflow_id", Type: cty.String, Doc: "The child workflow's id."},
			),
		}, true
	}
	return schema.Step{}, false
}

// BuiltinDoc says what a step type of the engine itself does: some sentences of Markdown.
func BuiltinDoc(stepType string) string {
	return map[string]string{
		TypeValue: "Computes a value once, for steps after it to name, and checks it with `precondition` and `postcondition`. It takes no time and no provider.",
		TypeWait:  "Waits: a durable timer, which no restart of a worker shortens or lengthens. One of `duration` and `at` is needed.",
		TypeApproval: "Waits until a person decides: `cpub approve`, `cpub reject`, or the update or signal of that name from Temporal's UI, CLI or SDKs. " +
			"A rejection fails the step with the code `rejected`; `timeout` bounds the wait. It is a gate for people, not authentication: " +
			"whoever can reach the Temporal namespace can decide, under any name.",
		TypePipeline: "Runs another pipeline as a child workflow with a history of its own. A cancel of this run cancels it too.",
	}[stepType]
}

// IsBuiltin tells the step types of the engine itself.
func IsBuiltin(stepType string) bool { return slices.Contains(BuiltinTypes(), stepType) }

// Callee is what a step of the type `pipeline` runs.
type Callee struct {
	Pipeline string
	// Source is the folder of its module, relative to this one; empty: this module.
	Source      string
	Range       hcl.Range
	SourceRange hcl.Range
}

// readBuiltin checks what the engine's own step types cannot have, and reads what must be known before anything runs.
func (s *Step) readBuiltin(b *hclsyntax.Body) (diags hcl.Diagnostics) {
	if !IsBuiltin(s.Type) {
		return nil
	}
	never := map[string]string{
		"provider":      "no provider carries it out",
		"queue_timeout": "it waits for no worker",
	}
	if s.Type == TypeValue || s.Type == TypeWait {
		never["timeout"] = "it cannot take longer than it says"
	}
	for _, a := range s.metas {
		if why, ok := never[a.Name]; ok {
			diags = append(diags, wrongMeta(fmt.Sprintf("A step of the type %q has no %s: %s.", s.Type, a.Name, why), a.NameRange))
		}
	}
	if s.Retry != nil && s.Type != TypePipeline {
		diags = append(diags, wrongMeta(fmt.Sprintf("A step of the type %q is not retried. Take the block out; `until` runs a step again.", s.Type), s.Retry.DeclRange))
	}
	if s.Type != TypePipeline {
		return diags
	}
	s.Callee = &Callee{Range: s.DeclRange}
	var more hcl.Diagnostics
	s.Callee.Pipeline, more = literalString(b, "pipeline")
	diags = append(diags, more...)
	s.Callee.Source, more = literalString(b, "source")
	diags = append(diags, more...)
	if a, ok := b.Attributes["pipeline"]; ok {
		s.Callee.Range = a.Expr.Range()
	}
	if a, ok := b.Attributes["source"]; ok {
		s.Callee.SourceRange = a.Expr.Range()
	}
	return diags
}

// checkBuiltin checks what the schema of an engine's own step type cannot say.
func checkBuiltin(st *Step, input cty.Value) hcl.Diagnostics {
	if st.Type != TypeWait {
		return nil
	}
	duration, at := Plain(input.GetAttr("duration")), Plain(input.GetAttr("at"))
	wrong := func(detail string, where hcl.Range) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Wrong value", Detail: detail, Subject: where.Ptr()}}
	}
	if !duration.IsKnown() || !at.IsKnown() {
		return nil
	}
	if duration.IsNull() == at.IsNull() {
		return wrong(`A step of the type "wait" takes either "duration" or "at": one of them, and not both.`, st.DeclRange)
	}
	if at.IsNull() {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, at.AsString()); err != nil {
		return wrong(fmt.Sprintf(`"at" takes a moment such as "2030-01-31T06:00:00Z"; this is %q.`, cut(at.AsString(), 40)), st.Body.Attributes["at"].Expr.Range())
	}
	return nil
}
