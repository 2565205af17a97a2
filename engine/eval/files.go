package eval

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/containerpub/cpub/sdk/schema"
)

// Files is what file() and its kin read. Paths are clean, relative to the module's folder, and inside it by their names.
type Files interface {
	// ReadFile gives a file's content. Errors say what to do; they are shown to the author.
	ReadFile(name string) ([]byte, error)
	// FileSet gives the files below dir whose path relative to it matches the pattern, sorted.
	FileSet(dir, pattern string) ([]string, error)
	// Artifact gives a file, or a folder, as the artifact that it is uploaded as: JSON with the shape of schema.ArtifactType.
	Artifact(name string) ([]byte, error)
}

// ErrNotRead is wrapped by the Files of a plan for files that were not read when the plan was made.
var ErrNotRead = errors.New("it was not read when the plan was made")

// Recorded gives Files that replay what was read when the plan was made: the contents of files, fileset()'s results as JSON under
// FileSetPath, and artifact()'s under ArtifactPath.
func Recorded(reads []File) Files {
	r := recorded{}
	for _, f := range reads {
		r[f.Path] = f.Content
	}
	return r
}

// FileSetPath is the path under which a plan keeps the result of fileset(dir, pattern): a JSON list of strings.
func FileSetPath(dir, pattern string) string { return fmt.Sprintf("fileset(%q, %q)", dir, pattern) }

// ArtifactPath is the path under which a plan keeps the result of artifact(name).
func ArtifactPath(name string) string { return fmt.Sprintf("artifact(%q)", name) }

type recorded map[string][]byte

func (r recorded) ReadFile(name string) ([]byte, error) {
	b, ok := r[name]
	if !ok {
		return nil, fmt.Errorf("%q: %w", name, ErrNotRead)
	}
	return b, nil
}

func (r recorded) FileSet(dir, pattern string) ([]string, error) {
	b, err := r.ReadFile(FileSetPath(dir, pattern))
	if err != nil {
		return nil, err
	}
	var out []string
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("reading the plan's fileset: %w", err)
	}
	return out, nil
}

func (r recorded) Artifact(name string) ([]byte, error) {
	b, err := r.ReadFile(ArtifactPath(name))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, ErrNotRead)
	}
	return b, nil
}

// filePath cleans a path and refuses those that leave the module's folder.
func filePath(s string) (string, error) {
	clean := path.Clean(s)
	if s == "" || strings.ContainsAny(s, "\\\x00") || !fs.ValidPath(clean) || strings.Contains(s, "(") {
		return "", function.NewArgErrorf(0, "%q is not a path inside the module's folder: write it relative to the folder, with slashes and without leaving it", s)
	}
	return clean, nil
}

// fileFunctions gives file() and its kin. Templates see every function but templatefile, as all has them then.
func fileFunctions(m *meter, files Files, all map[string]function.Function) map[string]function.Function {
	r := fileReader{m, files}
	inTemplates := maps.Clone(all)
	inTemplates["try"], inTemplates["can"] = tryFunction(), canFunction()
	own := map[string]function.Function{
		"file":       r.contentFunction(plainText),
		"filebase64": r.contentFunction(func(b []byte) (string, error) { return base64.StdEncoding.EncodeToString(b), nil }),
		"fileset":    r.setFunction(),
	}
	for name, f := range own {
		inTemplates[name] = bounded(m, f, nil)
	}
	own["artifact"] = r.artifactFunction()
	own["templatefile"] = r.templateFunction(inTemplates)
	return own
}

func plainText(b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", errors.New("it is not text in UTF-8; use filebase64 for it")
	}
	return string(b), nil
}

type fileReader struct {
	m     *meter
	files Files
}

var errUnknownPath = function.NewArgErrorf(0, "files are read when the plan is made, so their paths can depend on no variable, step or run")

func (r fileReader) read(arg cty.Value) (string, []byte, error) {
	if !arg.IsKnown() {
		return "", nil, errUnknownPath
	}
	name, err := filePath(arg.AsString())
	if err != nil {
		return "", nil, err
	}
	if r.files == nil {
		return "", nil, function.NewArgErrorf(0, "no file can be read here")
	}
	b, err := r.files.ReadFile(name)
	if err != nil {
		return "", nil, function.NewArgError(0, err)
	}
	return name, b, r.m.charge(len(b) / 16)
}

func pathParameter() function.Parameter {
	return function.Parameter{Name: "path", Type: cty.String, AllowUnknown: true}
}

func (r fileReader) contentFunction(form func([]byte) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{pathParameter()},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			_, b, err := r.read(args[0])
			if err != nil {
				return cty.NilVal, err
			}
			s, err := form(b)
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "cannot use %q: %w", args[0].AsString(), err)
			}
			return cty.StringVal(s), nil
		},
	})
}

func (r fileReader) setFunction() function.Function {
	pattern := function.Parameter{Name: "pattern", Type: cty.String, AllowUnknown: true}
	return function.New(&function.Spec{
		Params: []function.Parameter{pathParameter(), pattern},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsKnown() || !args[1].IsKnown() {
				return cty.NilVal, errUnknownPath
			}
			dir, err := filePath(args[0].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			if r.files == nil {
				return cty.NilVal, function.NewArgErrorf(0, "no file can be read here")
			}
			found, err := r.files.FileSet(dir, args[1].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			if len(found) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			vals := make([]cty.Value, len(found))
			for i, f := range found {
				vals[i] = cty.StringVal(f)
			}
			return cty.SetVal(vals), nil
		},
	})
}

func (r fileReader) artifactFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{pathParameter()},
		Type:   function.StaticReturnType(schema.ArtifactType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsKnown() {
				return cty.NilVal, errUnknownPath
			}
			name, err := filePath(args[0].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			if r.files == nil {
				return cty.NilVal, function.NewArgErrorf(0, "no file can be read here")
			}
			data, err := r.files.Artifact(name)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			v, err := FromJSON(data)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return convertTo(v, schema.ArtifactType)
		},
	})
}

func (r fileReader) templateFunction(inside map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			pathParameter(),
			{Name: "vars", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true},
		},
		Type: function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name, b, err := r.read(args[0])
			if err != nil {
				return cty.NilVal, err
			}
			expr, err := parseTemplate(name, b)
			if err != nil {
				return cty.NilVal, err
			}
			return r.render(expr, args[1], inside)
		},
	})
}

func parseTemplate(name string, b []byte) (hclsyntax.Expression, error) {
	if _, err := plainText(b); err != nil {
		return nil, function.NewArgErrorf(0, "cannot use %q: %w", name, err)
	}
	tokens, _ := hclsyntax.LexTemplate(b, name, hcl.InitialPos)
	if d := checkNesting(tokens); d != nil {
		return nil, templateError(hcl.Diagnostics{d})
	}
	expr, diags := hclsyntax.ParseTemplate(b, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, templateError(diags)
	}
	diags = append(checkFunctions(expr), checkNumbers(expr)...)
	for _, call := range calls(expr) {
		if call.Name == "templatefile" {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Template within a template",
				Detail: "A template cannot use templatefile(). Pass the inner text in as a variable.", Subject: call.NameRange.Ptr(),
			})
		}
	}
	if diags.HasErrors() {
		return nil, templateError(diags)
	}
	return instrument(expr), nil
}

func (r fileReader) render(expr hclsyntax.Expression, vars cty.Value, inside map[string]function.Function) (cty.Value, error) {
	vars, marks := vars.Unmark()
	if !vars.IsKnown() {
		return cty.UnknownVal(cty.String).WithMarks(marks), nil
	}
	if t := vars.Type(); !t.IsObjectType() && !t.IsMapType() {
		return cty.NilVal, function.NewArgErrorf(1, "the template's variables must be an object, such as { name = \"x\" }")
	}
	ctx := &hcl.EvalContext{Variables: vars.AsValueMap(), Functions: inside}
	if ctx.Variables == nil {
		ctx.Variables = map[string]cty.Value{}
	}
	for _, t := range expr.Variables() {
		if _, ok := ctx.Variables[t.RootName()]; !ok {
			at := t.SourceRange()
			return cty.NilVal, function.NewArgErrorf(1, "the template uses %q (%s:%d), which is not among these variables. There are: %s",
				t.RootName(), at.Filename, at.Start.Line, oneOf(slices.Sorted(maps.Keys(ctx.Variables))))
		}
	}
	ctx.Variables[meterName] = cty.CapsuleVal(meterType, r.m)
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.NilVal, templateError(diags)
	}
	v, err := convertTo(v, cty.String)
	if err != nil {
		return cty.NilVal, err
	}
	return v.WithMarks(marks), nil
}

// templateError names the template's own place, since the diagnostic around it points at the call.
func templateError(diags hcl.Diagnostics) error {
	d := Sort(diags)[0]
	detail := strings.TrimSuffix(d.Detail, ".") // hcl adds its own
	return fmt.Errorf("the template is wrong at %s:%d: %s: %s", d.Subject.Filename, d.Subject.Start.Line, d.Summary, detail)
}
