package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

// EnvPrefix is what names of environment variables that set a pipeline's variables begin with.
const EnvPrefix = "CPUB_VAR_"

// Sources are where a run's variables come from. The later ones win: Earlier, Env, Files in their order, Flags in theirs.
type Sources struct {
	// Earlier are the variables of another run, a JSON object. Those that are declared no more are left out.
	Earlier json.RawMessage
	// Env is an environment ("NAME=VALUE"), of which the names with EnvPrefix count.
	Env []string
	// Files are the paths of variable files: HCL, JSON (*.json) or .env (named .env, *.env, .env.*).
	Files []string
	// Flags are "NAME=VALUE".
	Flags []string
}

// Values are the variables of a run.
type Values struct {
	// JSON is what was given, by name, as plain JSON: the input of the workflow. Defaults are not in it: they stand in the plan.
	JSON json.RawMessage
	// All is the object of all variables, resolved. It may hold Sensitive marks.
	All cty.Value
	// From says where each variable that was given came from, such as "-var".
	From map[string]string
	// Files are the variable files that were read, by path, for snippets.
	Files map[string]*hcl.File
}

// Variables gathers the variables of a run from their sources and resolves them: types, unknown names, missing values and validations
// are all checked at once. A value that is text already (from a flag, the environment or a .env file) is taken as it is where the variable is a
// string, a number or a bool, and read as an HCL value where it is anything else; for a variable of any type it is an HCL value if it can be
// read as one, and text otherwise.
func Variables(m *eval.Module, src Sources) (*Values, hcl.Diagnostics) {
	g := gatherer{m: m, given: map[string]eval.Given{}, values: &Values{From: map[string]string{}, Files: map[string]*hcl.File{}}}
	g.earlier(src.Earlier)
	g.env(src.Env)
	for _, path := range src.Files {
		g.file(path)
	}
	for _, flag := range src.Flags {
		g.flag(flag)
	}
	for name, given := range g.given {
		g.values.From[name] = given.Source
	}
	var more hcl.Diagnostics
	g.values.All, more = m.ResolveVariables(g.given)
	if g.unread {
		more = slices.DeleteFunc(more, func(d *hcl.Diagnostic) bool { return d.Summary == "Missing variable" })
	}
	diags := append(g.diags, more...)
	if !diags.HasErrors() {
		g.encode(&diags)
	}
	return g.values, eval.Sort(diags)
}

type gatherer struct {
	m      *eval.Module
	given  map[string]eval.Given
	values *Values
	diags  hcl.Diagnostics
	// unread tells that a file could not be read, so that what seems missing may be in it.
	unread bool
}

// encode writes what was given with the variables' types, so that 5 given as text is a number.
func (g *gatherer) encode(diags *hcl.Diagnostics) {
	given := map[string]cty.Value{}
	for _, name := range slices.Sorted(maps.Keys(g.given)) {
		given[name] = eval.Plain(g.values.All.GetAttr(name))
	}
	data, err := eval.JSONObject(given)
	if err != nil {
		*diags = append(*diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong variables", Detail: err.Error() + "."})
		return
	}
	g.values.JSON = data
}

func (g *gatherer) fail(summary, detail string, at *hcl.Range) {
	g.diags = append(g.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: at})
}

func (g *gatherer) earlier(data json.RawMessage) {
	if len(data) == 0 {
		return
	}
	v, err := eval.FromJSON(data)
	if err != nil || v.IsNull() || !v.Type().IsObjectType() {
		g.unread = true
		g.fail("Wrong variables", "The earlier run's variables are no JSON object.", nil)
		return
	}
	for name, e := range v.AsValueMap() {
		if g.m.Variable(name) != nil {
			g.given[name] = eval.Given{Value: e, Source: "the earlier run"}
		}
	}
}

func (g *gatherer) env(env []string) {
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if bare, ok := strings.CutPrefix(name, EnvPrefix); ok {
			g.text(bare, value, name, nil)
		}
	}
}

func (g *gatherer) flag(flag string) {
	name, value, ok := strings.Cut(flag, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		g.fail("Wrong flag", fmt.Sprintf("%q is not of the form NAME=VALUE.", flag), nil)
		return
	}
	g.text(name, value, "-var", nil)
}

// text sets a variable from a text.
func (g *gatherer) text(name, value, source string, at *hcl.Range) {
	v := cty.StringVal(value)
	if decl := g.m.Variable(name); decl != nil && !decl.Type.IsPrimitiveType() {
		parsed, err := literalValue(value)
		switch {
		case err == nil:
			v = parsed
		case decl.Type != cty.DynamicPseudoType:
			v = cty.DynamicVal // told here, and not again as a wrong type
			g.fail("Wrong variable", fmt.Sprintf("The value of variable %q (from %s) is not an HCL value, such as [\"a\"] or { a = 1 }: %s.", name, source, err), at)
		}
	}
	g.given[name] = eval.Given{Value: v, Range: at, Source: source}
}

// literalValue reads an HCL value without references and functions.
func literalValue(text string) (cty.Value, error) {
	body, _, diags := eval.ParseFile(eval.File{Path: "value", Content: []byte("value = " + text + "\n")})
	if diags.HasErrors() {
		return cty.NilVal, errors.New(strings.TrimSuffix(diags[0].Detail, "."))
	}
	if len(body.Attributes) != 1 || len(body.Blocks) > 0 {
		return cty.NilVal, errors.New("it is more than one value")
	}
	v, diags := eval.Literal(body.Attributes["value"].Expr)
	if diags.HasErrors() {
		return cty.NilVal, errors.New(strings.TrimSuffix(diags[0].Detail, "."))
	}
	return v, nil
}

func (g *gatherer) file(path string) {
	content, err := os.ReadFile(path)
	if err == nil && len(content) > eval.MaxFileSize {
		err = fmt.Errorf("%s has %d bytes, more than %d", path, len(content), eval.MaxFileSize)
	}
	if err != nil {
		g.unread = true
		g.fail("Cannot read", fmt.Sprintf("The variable file cannot be read: %s.", err), nil)
		return
	}
	g.values.Files[path] = &hcl.File{Bytes: content}
	switch base := filepath.Base(path); {
	case strings.HasSuffix(base, ".json"):
		g.jsonFile(path, content)
	case strings.HasSuffix(base, ".env"), strings.HasPrefix(base, ".env."):
		g.dotEnv(path, content)
	default:
		g.hclFile(path, content)
	}
}

func (g *gatherer) jsonFile(path string, content []byte) {
	v, err := eval.FromJSON(content)
	if err == nil && (v.IsNull() || !v.Type().IsObjectType()) {
		err = errors.New("it must be an object by name, such as {\"name\": \"value\"}")
	}
	if err != nil {
		at := hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}
		g.unread = true
		g.fail("Wrong variable file", capital(err.Error())+".", &at)
		return
	}
	for name, e := range v.AsValueMap() {
		g.given[name] = eval.Given{Value: e, Source: path}
	}
}

func (g *gatherer) hclFile(path string, content []byte) {
	body, file, diags := eval.ParseFile(eval.File{Path: path, Content: content})
	g.values.Files[path] = file
	g.diags = append(g.diags, diags...)
	g.unread = g.unread || diags.HasErrors()
	if body == nil {
		return
	}
	g.diags = append(g.diags, eval.CheckContent(body, "a variable file", slices.Collect(maps.Keys(body.Attributes)), nil, nil)...)
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		g.hclValue(path, body.Attributes[name])
	}
}

func (g *gatherer) hclValue(path string, a *hclsyntax.Attribute) {
	v, diags := eval.Literal(a.Expr)
	g.diags = append(g.diags, diags...)
	if !diags.HasErrors() {
		g.given[a.Name] = eval.Given{Value: v, Range: a.Expr.Range().Ptr(), Source: path}
	}
}

// dotEnv reads NAME=VALUE lines. Names are lowered, and those that no variable has are another program's.
func (g *gatherer) dotEnv(path string, content []byte) {
	entries, diags := parseDotEnv(path, content)
	g.diags = append(g.diags, diags...)
	for _, e := range entries {
		if name := strings.ToLower(e.name); g.m.Variable(name) != nil {
			g.text(name, e.value, path, e.at.Ptr())
		}
	}
}
