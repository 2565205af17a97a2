package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

// Suffix is what the names of test files end with.
const Suffix = ".cpubtest.hcl"

// Expect is how a case says that its run ends.
type Expect string

// The ways for a run to end. Refused: its variables are not accepted, so that nothing starts.
const (
	Succeeded Expect = "succeeded"
	Failed    Expect = "failed"
	Cancelled Expect = "cancelled"
	Refused   Expect = "refused"
)

// File is one test file.
type File struct {
	// Name is the file's, in the module's folder.
	Name  string
	Cases []*Case

	variables hcl.Expression
	mocks     []*mock
	broken    bool
}

// Case is one `run` block.
type Case struct {
	Name string
	File *File
	// Pipeline is the name as written; empty: the module's only one.
	Pipeline  string
	DeclRange hcl.Range

	pipelineRange hcl.Range
	variables     hcl.Expression
	expect        Expect
	expectRange   hcl.Range
	code          string
	mocks         []*mock
	asserts       []*assert
}

// mock is what stands in for the provider of a step type, or of one step.
type mock struct {
	stepType, step string
	when           hcl.Expression
	outputs        hcl.Expression
	failure        hcl.Expression
	cancel         bool
	declRange      hcl.Range
	stepRange      hcl.Range
}

// assert is what must hold once the run has ended.
type assert struct {
	condition, message hcl.Expression
	declRange          hcl.Range
}

// parse reads a test file. What could be read of it is in the file.
func parse(name string, content []byte) (*File, *hcl.File, hcl.Diagnostics) {
	f := &File{Name: name}
	body, source, diags := eval.ParseFile(eval.File{Path: name, Content: content})
	if body == nil {
		return f, source, diags
	}
	r := &reader{}
	r.content(body, "a test file", []string{"variables"}, []string{"mock", "run"})
	f.variables = attr(body, "variables")
	for _, block := range body.Blocks {
		switch block.Type {
		case "mock":
			f.mocks = append(f.mocks, r.mock(block)...)
		case "run":
			f.Cases = append(f.Cases, r.run(block, f)...)
		}
	}
	return f, source, eval.Sort(append(diags, eval.Apart(diags, r.diags)...))
}

// reader gathers what is wrong with a file.
type reader struct{ diags hcl.Diagnostics }

func (r *reader) fail(at hcl.Range, summary, format string, args ...any) {
	r.diags = append(r.diags, problem(at, summary, format, args...))
}

func problem(at hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: at.Ptr()}
}

func (r *reader) content(b *hclsyntax.Body, what string, attrs, blocks []string) {
	r.diags = append(r.diags, eval.CheckContent(b, what, attrs, blocks, nil)...)
}

func attr(b *hclsyntax.Body, name string) hcl.Expression {
	if a, ok := b.Attributes[name]; ok {
		return a.Expr
	}
	return nil
}

// label gives a block's one label.
func (r *reader) label(b *hclsyntax.Block, what string) (string, bool) {
	if len(b.Labels) != 1 || strings.TrimSpace(b.Labels[0]) == "" {
		r.fail(b.DefRange(), "Wrong labels", "A %s block has one label, %s: `%s \"…\" { … }`.", b.Type, what, b.Type)
		return "", false
	}
	return b.Labels[0], true
}

// literal gives an attribute that must be written out, of a type; a null where it is not set or wrong.
func (r *reader) literal(b *hclsyntax.Body, name string, want cty.Type) (cty.Value, hcl.Range) {
	a, ok := b.Attributes[name]
	if !ok {
		return cty.NullVal(want), hcl.Range{}
	}
	v, diags := eval.Literal(a.Expr)
	r.diags = append(r.diags, diags...)
	switch {
	case diags.HasErrors():
		v = cty.NullVal(want)
	case v.IsNull() || v.Type() != want:
		r.fail(a.Expr.Range(), "Wrong value", "%q takes a %s, written out.", name, want.FriendlyName())
		v = cty.NullVal(want)
	}
	return v, a.Expr.Range()
}

func (r *reader) text(b *hclsyntax.Body, name string) (string, hcl.Range) {
	v, at := r.literal(b, name, cty.String)
	if v.IsNull() {
		return "", at
	}
	return v.AsString(), at
}

func (r *reader) mock(b *hclsyntax.Block) []*mock {
	stepType, ok := r.label(b, "a step type")
	r.content(b.Body, "a mock block", []string{"step", "when", "outputs", "error", "cancel"}, nil)
	m := &mock{
		stepType: stepType, when: attr(b.Body, "when"), outputs: attr(b.Body, "outputs"), failure: attr(b.Body, "error"), declRange: b.DefRange(),
	}
	m.step, m.stepRange = r.text(b.Body, "step")
	cancel, at := r.literal(b.Body, "cancel", cty.Bool)
	m.cancel = !cancel.IsNull() && cancel.True()
	given := 0
	for _, is := range []bool{m.outputs != nil, m.failure != nil, m.cancel} {
		if is {
			given++
		}
	}
	if given > 1 {
		if !m.cancel {
			at = b.DefRange()
		}
		r.fail(at, "Wrong mock", "A step ends in one way: give one of outputs, error and cancel. Further mocks with `when` answer in other cases.")
	}
	if !ok {
		return nil
	}
	return []*mock{m}
}

func (r *reader) run(b *hclsyntax.Block, f *File) []*Case {
	name, ok := r.label(b, "what is tested")
	r.content(b.Body, "a run block", []string{"pipeline", "variables", "expect", "expect_error"}, []string{"mock", "assert"})
	c := &Case{Name: name, File: f, DeclRange: b.DefRange(), variables: attr(b.Body, "variables"), expect: Succeeded, expectRange: b.DefRange()}
	c.Pipeline, c.pipelineRange = r.text(b.Body, "pipeline")
	r.expectation(c, b.Body)
	for _, block := range b.Body.Blocks {
		switch block.Type {
		case "mock":
			c.mocks = append(c.mocks, r.mock(block)...)
		case "assert":
			c.asserts = append(c.asserts, r.assert(block)...)
		}
	}
	if !ok {
		return nil
	}
	return []*Case{c}
}

// expectation reads how the run is to end.
func (r *reader) expectation(c *Case, b *hclsyntax.Body) {
	code, at := r.text(b, "expect_error")
	if at.Filename != "" {
		c.code, c.expect, c.expectRange = code, Failed, at
	}
	text, at := r.text(b, "expect")
	if text == "" {
		return
	}
	all := []string{string(Succeeded), string(Failed), string(Cancelled), string(Refused)}
	if !slices.Contains(all, text) {
		hint := ""
		if near := eval.Suggest(text, all); near != "" {
			hint = fmt.Sprintf(" Did you mean %q?", near)
		}
		r.fail(at, "Wrong value", "\"expect\" takes %s, not %q.%s", strings.Join(all, ", "), text, hint)
		return
	}
	if c.code != "" && Expect(text) != Failed {
		r.fail(at, "Wrong value", "A run that fails with expect_error is one that failed: leave expect out.")
	}
	c.expect, c.expectRange = Expect(text), at
}

func (r *reader) assert(b *hclsyntax.Block) []*assert {
	if len(b.Labels) > 0 {
		r.fail(b.DefRange(), "Wrong labels", "An assert block has no label: `assert { … }`.")
	}
	r.content(b.Body, "an assert block", []string{"condition", "error_message"}, nil)
	a := &assert{condition: attr(b.Body, "condition"), message: attr(b.Body, "error_message"), declRange: b.DefRange()}
	if a.condition == nil {
		r.fail(b.DefRange(), "Missing attribute", "An assert block needs \"condition\". Add `condition = …`.")
		return nil
	}
	return []*assert{a}
}
