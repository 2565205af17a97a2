package eval

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// Decode evaluates a body against a schema. The value has every attribute of shape.Type(), null where it was not set; it is what could be
// read, also with errors. what names the body in messages, such as `step type "image_build"`; at is where to point when
// something is missing; also are names to suggest beside the schema's own.
func (s *Scope) Decode(body *hclsyntax.Body, shape schema.Object, what string, at hcl.Range, also ...string) (cty.Value, hcl.Diagnostics) {
	g := grammar{what: what, hints: also}
	for _, a := range shape.Attrs {
		g.attrs = append(g.attrs, a.Name)
	}
	for _, b := range shape.Blocks {
		g.blocks = append(g.blocks, b.Name)
	}
	if len(g.blocks) > 0 {
		g.hints, g.blocks = append(g.hints, g.blocks...), append(g.blocks, dynamicBlock)
	}
	body, diags := BlocksOf(body, shape)
	diags = append(diags, g.check(body)...)
	diags = append(diags, g.checkDynamic(body)...)
	attrs := map[string]cty.Value{}
	for i := range shape.Attrs {
		v, more := s.decodeAttr(body, &shape.Attrs[i], what, at)
		diags = append(diags, more...)
		attrs[shape.Attrs[i].Name] = v
	}
	for i := range shape.Blocks {
		v, more := s.decodeBlocks(body, &shape.Blocks[i], what, at)
		diags = append(diags, more...)
		attrs[shape.Blocks[i].Name] = v
	}
	return cty.ObjectVal(attrs), Sort(diags)
}

func (s *Scope) decodeAttr(body *hclsyntax.Body, a *schema.Attr, what string, at hcl.Range) (cty.Value, hcl.Diagnostics) {
	set, ok := body.Attributes[a.Name]
	if !ok {
		if a.Required {
			return cty.NullVal(a.Type), hcl.Diagnostics{missing(a.Name, what, at)}
		}
		return cty.NullVal(a.Type), nil
	}
	v, diags := s.evaluate(set.Expr)
	if a.Deprecated != "" {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning, Summary: "Deprecated attribute",
			Detail: fmt.Sprintf("%q is deprecated: %s.", a.Name, a.Deprecated), Subject: set.NameRange.Ptr(),
		})
	}
	if diags.HasErrors() {
		return cty.UnknownVal(a.Type), diags
	}
	if d := misplacedSecret(v, set.Expr.Range()); d != nil && !a.Secrets {
		return cty.UnknownVal(a.Type), append(diags, d)
	}
	out, problem := s.fit(v, a)
	if problem == "" && a.Secrets {
		if _, _, err := Secrets(out); err != nil {
			problem = fmt.Sprintf("is wrong: %s.", err)
		}
	}
	if problem != "" {
		return cty.UnknownVal(a.Type), append(diags, s.Involve(&hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Wrong value",
			Detail:   fmt.Sprintf("%q %s", a.Name, problem),
			Subject:  set.Expr.Range().Ptr(),
			Context:  set.SrcRange.Ptr(),
		}, set.Expr))
	}
	if a.Sensitive {
		out = out.Mark(Sensitive)
	}
	return out, diags
}

// fit gives a value the attribute's type and checks what the attribute says about it. The problem is the rest of a sentence.
func (s *Scope) fit(v cty.Value, a *schema.Attr) (out cty.Value, problem string) {
	out, err := convertTo(v, a.Type)
	if err != nil {
		return cty.NilVal, fmt.Sprintf("takes %s; %s.", takes(a), misfit(v, err))
	}
	if s.meter.reported {
		return out, ""
	}
	if err := s.meter.value(out); err != nil {
		s.meter.reported = true
		return cty.NilVal, fmt.Sprintf("was stopped: %s. Do it in a step instead, or with less data.", err)
	}
	shown, marks := out.UnmarkDeep()
	if where := nullElement(shown, a.Type); where != "" {
		out := "[for x in LIST : x if x != null]"
		if a.Type.IsMapType() {
			out = "{ for k, v in MAP : k => v if v != null }"
		}
		return cty.NilVal, fmt.Sprintf("has a null at %s, and every element needs a value. Leave it out, as in %s.", where, out)
	}
	switch {
	case a.Located && !isLocated(shown):
		return cty.NilVal, fmt.Sprintf("takes %s; this is %s.", takes(a), article(shown.Type().FriendlyName()))
	case !shown.IsKnown():
		return out, ""
	case shown.IsNull() && a.Required:
		return cty.NilVal, "must have a value; it is null."
	case shown.IsNull():
		return out, ""
	case shown.Type() != cty.String:
		return out, checkArtifact(shown, a)
	}
	problem = checkText(shown.AsString(), a)
	if problem != "" && len(marks) > 0 {
		problem = fmt.Sprintf("takes %s. (The value is sensitive, and not shown.)", takes(a))
	}
	return out, problem
}

// plainElement tells that a null of that type is of no use to anybody.
func plainElement(t cty.Type) bool { return t.IsPrimitiveType() || t.Equals(schema.ArtifactType) }

// nullElement finds a null among the elements of a list, set or map of plain values or artifacts, and gives its place: [0].
func nullElement(v cty.Value, want cty.Type) string {
	if !want.IsCollectionType() || !plainElement(want.ElementType()) || !v.IsKnown() || v.IsNull() {
		return ""
	}
	for it := v.ElementIterator(); it.Next(); {
		if k, e := it.Element(); e.IsKnown() && e.IsNull() {
			if want.IsSetType() {
				return "its elements"
			}
			return "[" + Show(k, "") + "]"
		}
	}
	return ""
}

// misfit says what a value is instead: the value itself where it is short and not secret.
func misfit(v cty.Value, err error) string {
	var at cty.PathError
	if errors.As(err, &at) && len(at.Path) > 0 {
		return "this does not fit: " + describe(err)
	}
	switch t := v.Type(); {
	case HasSensitive(v) || !v.IsKnown() || v.IsNull() || !t.IsPrimitiveType():
		return "this is " + article(t.FriendlyName())
	default:
		return "this is " + Show(v, "")
	}
}

func takes(a *schema.Attr) string {
	switch {
	case a.Format == schema.FormatFile && a.Type.Equals(schema.ArtifactType):
		return "a file of another step, such as step.NAME.file"
	case a.Format == schema.FormatDirectory && a.Type.Equals(schema.ArtifactType):
		return "a directory of another step, such as step.NAME.directory"
	case a.Format == schema.FormatArtifact && a.Type.Equals(schema.ArtifactType):
		return "a file or directory of another step, such as step.NAME.file"
	case a.Format == schema.FormatArtifact:
		return "files and directories of other steps, such as { \"/path\" = step.NAME.file }"
	case a.Format == schema.FormatSize:
		return `a size, such as "128m"`
	case a.Format == schema.FormatDuration:
		return `a duration, such as "5s"`
	case len(a.Enum) > 0:
		return "one of: " + oneOf(a.Enum)
	case a.Located && a.Type == cty.DynamicPseudoType:
		return "what another step made, such as step.NAME.image, or a reference as text"
	case a.Located:
		return "what another step made, such as step.NAME.image"
	default:
		return article(a.Type.FriendlyNameForConstraint())
	}
}

func checkText(text string, a *schema.Attr) string {
	var err error
	switch a.Format {
	case schema.FormatSize:
		_, err = schema.ParseSize(text)
	case schema.FormatDuration:
		_, err = schema.ParseDuration(text)
	default:
	}
	if err != nil {
		return fmt.Sprintf("is wrong: %s.", err)
	}
	if len(a.Enum) > 0 && !slices.Contains(a.Enum, text) {
		hint := didYouMean(text, a.Enum)
		return fmt.Sprintf("cannot be %q. It takes one of: %s.%s", cut(text, 80), oneOf(a.Enum), hint)
	}
	return ""
}

func isLocated(v cty.Value) bool {
	t := v.Type()
	if t == cty.String || t == cty.DynamicPseudoType {
		return true
	}
	if t.IsObjectType() {
		return t.HasAttribute("id") && t.HasAttribute("location")
	}
	return t.IsCollectionType() || t.IsTupleType()
}

// checkArtifact tells files and directories apart, which have one type, where the value is known.
func checkArtifact(v cty.Value, a *schema.Attr) string {
	if a.Format != schema.FormatFile && a.Format != schema.FormatDirectory || !v.Type().Equals(schema.ArtifactType) {
		return ""
	}
	media := v.GetAttr("media_type")
	if !media.IsKnown() || media.IsNull() {
		return ""
	}
	if isDir := media.AsString() == schema.MediaTypeDirectory; isDir != (a.Format == schema.FormatDirectory) {
		return fmt.Sprintf("takes %s; this is the other kind.", takes(a))
	}
	return ""
}

func (s *Scope) decodeBlocks(body *hclsyntax.Body, b *schema.Block, what string, at hcl.Range) (cty.Value, hcl.Diagnostics) {
	found, diags := s.blocksOf(body, b)
	if b.Required && len(found) == 0 && !diags.HasErrors() {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Missing block",
			Detail: fmt.Sprintf("%s needs a block `%s { … }`.", sentence(what), b.Name), Subject: at.Ptr(),
		})
	}
	unknown := false
	vals := make([]cty.Value, 0, len(found))
	for _, m := range found {
		v, more := m.scope.Decode(m.block.Body, b.Object, fmt.Sprintf("a block %q", b.Name), m.block.DefRange())
		diags = append(diags, more...)
		vals = append(vals, v)
		unknown = unknown || m.unknown
	}
	switch {
	case unknown:
		return cty.DynamicVal, diags
	case len(vals) == 0:
		return cty.NullVal(schema.Object{Blocks: []schema.Block{*b}}.Type().AttributeType(b.Name)), diags
	case b.Nesting == schema.NestingSingle:
		return vals[0], append(diags, onlyOne(found, b.Name)...)
	case b.Nesting == schema.NestingMap:
		return mapOf(vals, found, b, diags)
	default:
		return listOf(vals), diags
	}
}

// onlyOne reports all blocks but the first.
func onlyOne(found []made, name string) (diags hcl.Diagnostics) {
	for _, m := range found[1:] {
		diags = append(diags, repeated(name, found[0].block, m.block))
	}
	return diags
}

// checkDynamic reports dynamic blocks that make what the body does not have.
func (g grammar) checkDynamic(body *hclsyntax.Body) (diags hcl.Diagnostics) {
	for _, block := range body.Blocks {
		if block.Type != dynamicBlock || len(g.blocks) == 0 {
			continue
		}
		_, more := readDynamic(block)
		diags = append(diags, more...)
		if len(block.Labels) > 0 && (block.Labels[0] == dynamicBlock || !slices.Contains(g.blocks, block.Labels[0])) {
			diags = append(diags, g.unknown("block", block.Labels[0], block.LabelRanges[0]))
		}
	}
	return diags
}

func mapOf(vals []cty.Value, found []made, b *schema.Block, diags hcl.Diagnostics) (cty.Value, hcl.Diagnostics) {
	attrs := map[string]cty.Value{}
	for i, m := range found {
		if len(m.labels) != 1 {
			return cty.UnknownVal(cty.Map(b.Object.Type())), diags
		}
		name := m.labels[0]
		if _, again := attrs[name]; again {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Duplicate label",
				Detail: fmt.Sprintf("There is a block %s %q already.", b.Name, name), Subject: m.block.LabelRanges[0].Ptr(),
			})
		}
		attrs[name] = vals[i]
	}
	if !sameTypes(vals) {
		return cty.ObjectVal(attrs), diags
	}
	return cty.MapVal(attrs), diags
}

// listOf is a list where it can be one: attributes of any type make blocks differ, and then it is a tuple, which is the same as JSON.
func listOf(vals []cty.Value) cty.Value {
	if !sameTypes(vals) {
		return cty.TupleVal(vals)
	}
	return cty.ListVal(vals)
}

func sameTypes(vals []cty.Value) bool {
	for _, v := range vals {
		if !v.Type().Equals(vals[0].Type()) {
			return false
		}
	}
	return true
}
