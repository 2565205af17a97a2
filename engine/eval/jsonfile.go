package eval

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// JSONSuffix is what the names of files in JSON syntax end with.
const JSONSuffix = ".hcl.json"

// IsJSON tells by a file's name whether it is written in JSON syntax.
func IsJSON(name string) bool { return strings.HasSuffix(name, JSONSuffix) }

// parseSource reads one file of a module, in either syntax.
func parseSource(f File) (*hclsyntax.Body, *hcl.File, hcl.Diagnostics) {
	if IsJSON(f.Path) {
		return parseJSONFile(f, jsonModule())
	}
	return ParseFile(f)
}

// parseJSONFile reads a file in JSON syntax as ParseFile reads a native one: the body is what the same file in native syntax would give,
// with places in the JSON. Nested blocks of a step's own are attributes in it until a schema tells (see BlocksOf).
func parseJSONFile(f File, shape *jsonShape) (body *hclsyntax.Body, file *hcl.File, diags hcl.Diagnostics) {
	place := hcl.Range{Filename: f.Path, Start: hcl.InitialPos, End: hcl.InitialPos}
	file = &hcl.File{Bytes: f.Content}
	if d := readableText(f, place); d != nil {
		return nil, file, hcl.Diagnostics{d}
	}
	defer recoverTo(&diags, place.Ptr())
	root, d := parseJSON(f.Path, f.Content)
	if d != nil {
		return nil, file, hcl.Diagnostics{d}
	}
	t := &jsonTranslator{}
	body = t.body(root, shape)
	t.diags = append(limit(t.diags), checkNumbers(body)...)
	file.Body = body
	return body, file, Sort(t.diags)
}

// jsonShape is what is a block in a body; everything else is an attribute.
type jsonShape struct {
	blocks map[string]jsonBlock
	// names are the attributes whose texts are names and references by themselves, not templates.
	names []string
	// ignored are the properties that are for editors, beside comments.
	ignored []string
	// grammar is what the body may hold; nil where that is not known here. ModuleSyntax alone asks.
	grammar *grammar
}

// jsonBlock is a block with so many labels, each of which is a level of objects in JSON.
type jsonBlock struct {
	labels int
	shape  *jsonShape
}

// jsonModule is the shape of a module's file.
func jsonModule() *jsonShape {
	step := jsonStep()
	steps := &jsonShape{grammar: &grammar{blocks: []string{"step"}}, blocks: map[string]jsonBlock{"step": {2, step}}}
	pipeline := &jsonShape{grammar: &pipelineGrammar, blocks: map[string]jsonBlock{
		"step": {2, step}, "output": {1, &jsonShape{grammar: &outputGrammar}},
		"concurrency": {0, attributes("key", "limit", "on_limit")}, "on_failure": {0, steps}, "finally": {0, steps},
	}}
	variable := &jsonShape{
		names: []string{"type"}, grammar: &variableGrammar,
		blocks: map[string]jsonBlock{"validation": {0, &jsonShape{grammar: &validationGrammar}}},
	}
	settings := &jsonShape{grammar: &settingsGrammar, blocks: map[string]jsonBlock{"required_providers": {0, &jsonShape{}}}}
	return &jsonShape{grammar: &topLevel, ignored: []string{"$schema"}, blocks: map[string]jsonBlock{
		"cpub": {0, settings}, "variable": {1, variable}, "locals": {0, &jsonShape{}}, "pipeline": {1, pipeline},
		"schedule": {1, &jsonShape{grammar: &scheduleGrammar}},
	}}
}

// jsonStep is the shape of a step. The blocks of its type are not known here.
func jsonStep() *jsonShape {
	dynamic := jsonBlock{1, &jsonShape{names: []string{"iterator"}, blocks: map[string]jsonBlock{}}}
	dynamic.shape.blocks["content"] = jsonBlock{0, &jsonShape{blocks: map[string]jsonBlock{"dynamic": dynamic}}}
	condition := attributes("condition", "error_message")
	retry := jsonBlock{0, &jsonShape{grammar: &retryGrammar}}
	names := []string{"depends_on", "provider"}
	return &jsonShape{names: names, grammar: &grammar{attrs: metaAttrs, blocks: metaBlocks}, blocks: map[string]jsonBlock{
		"retry": retry, "until": {0, attributes("condition", "interval", "max_attempts")}, "precondition": {0, condition}, "postcondition": {0, condition},
		"compensate": {1, &jsonShape{names: names, blocks: map[string]jsonBlock{"retry": retry, "dynamic": dynamic}}}, "dynamic": dynamic,
	}}
}

// attributes is a body of attributes alone.
func attributes(names ...string) *jsonShape { return &jsonShape{grammar: &grammar{attrs: names}} }
