package eval

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// differences are the cases of HCL's own suite of which our dialect gives something else, with the reason. One that no longer differs
// is a mistake here.
var differences = map[string]string{}

// TestSpecSuite runs HCL's own suite of cases through our parser and our evaluation: the language must not drift from HCL.
func TestSpecSuite(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/hashicorp/hcl/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(dir)), "specsuite", "tests")
	count := 0
	differing := maps.Clone(differences)
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		base, isCase := strings.CutSuffix(path, ".t")
		if err != nil || !isCase {
			return err
		}
		for _, suffix := range []string{".hcl", ".hcl.json"} {
			src, err := os.ReadFile(base + suffix)
			if err != nil {
				continue
			}
			count++
			name := strings.TrimPrefix(base+suffix, root+string(filepath.Separator))
			t.Run(name, func(t *testing.T) {
				found := (&specCase{t: t, base: base}).check(File{Path: name, Content: src})
				switch reason, known := differing[name]; {
				case known && len(found) == 0:
					t.Errorf("it no longer differs; the list says: %s", reason)
				case !known && len(found) > 0:
					t.Error(strings.Join(found, "\n"))
				}
				delete(differing, name)
			})
		}
		return nil
	})
	if err != nil || count < 15 || len(differing) > 0 {
		t.Errorf("%d cases in %s, %v; not there: %v", count, root, err, differing)
	}
}

// specCase is one case: a specification of what is to be decoded, the input, and what is to come of it.
type specCase struct {
	t    *testing.T
	base string
}

// check says what came otherwise than expected.
func (c *specCase) check(f File) (differs []string) {
	c.t.Helper()
	want := c.read(c.base + ".t")
	spec, variables := c.spec(c.read(c.base + ".hcldec"))
	body, _, diags := ParseFile(f)
	if IsJSON(f.Path) {
		body, _, diags = parseJSONFile(f, attributes())
	}
	got := cty.DynamicVal
	if body != nil && !diags.HasErrors() {
		ctx := &hcl.EvalContext{Variables: map[string]cty.Value{meterName: cty.CapsuleVal(meterType, &meter{})}}
		maps.Copy(ctx.Variables, variables)
		var more hcl.Diagnostics
		got, more = hcldec.Decode(body, spec, ctx)
		diags = append(diags, more...)
	}
	if expected := c.ranges(want); expected != nil || diags.HasErrors() {
		if found := rangesOf(diags); !slices.Equal(found, expected) {
			return []string{fmt.Sprintf("the mistakes are\n%s\nwant\n%s\n%v", strings.Join(found, "\n"), strings.Join(expected, "\n"), diags)}
		}
		return nil
	}
	wantType := cty.DynamicPseudoType
	if a, ok := want.Attributes["result_type"]; ok {
		wantType = c.typeOf(a.Expr)
		if got.Type().TestConformance(wantType) != nil {
			differs = append(differs, fmt.Sprintf("the type is %#v, want %#v", got.Type(), wantType))
		}
	}
	if a, ok := want.Attributes["result"]; ok {
		v, more := a.Expr.Value(nil)
		c.must(more)
		if wantType == cty.DynamicPseudoType {
			wantType = got.Type()
		}
		v, err := convert.Convert(v, wantType)
		if err != nil || !got.RawEquals(v) {
			differs = append(differs, fmt.Sprintf("the result is %#v, want %#v, %v", got, v, err))
		}
	}
	return differs
}

func (c *specCase) must(diags hcl.Diagnostics) {
	c.t.Helper()
	if diags.HasErrors() {
		c.t.Fatal(diags)
	}
}

// read reads what the suite says of a case; with HCL's own parser, as it is not ours that is tested by it.
func (c *specCase) read(path string) *hclsyntax.Body {
	c.t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	f, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	c.must(diags)
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		c.t.Fatalf("%s is no HCL", path)
	}
	return body
}

// ranges gives where mistakes are expected; nil: nowhere.
func (c *specCase) ranges(want *hclsyntax.Body) (all []string) {
	c.t.Helper()
	for _, block := range want.Blocks {
		if block.Type != "diagnostics" {
			continue
		}
		for _, d := range block.Body.Blocks {
			var bytes []string
			for _, end := range d.Body.Blocks {
				var pos []string
				for _, name := range []string{"line", "column", "byte"} {
					v, diags := end.Body.Attributes[name].Expr.Value(nil)
					c.must(diags)
					pos = append(pos, v.AsBigFloat().Text('f', -1))
				}
				bytes = append(bytes, strings.Join(pos, ","))
			}
			all = append(all, d.Type+" "+strings.Join(bytes, "-"))
		}
	}
	slices.Sort(all)
	return all
}

func rangesOf(diags hcl.Diagnostics) (all []string) {
	for _, d := range diags {
		severity := "error"
		if d.Severity == hcl.DiagWarning {
			severity = "warning"
		}
		pos := func(p hcl.Pos) string { return fmt.Sprintf("%d,%d,%d", p.Line, p.Column, p.Byte) }
		all = append(all, severity+" "+pos(d.Subject.Start)+"-"+pos(d.Subject.End))
	}
	slices.Sort(all)
	return all
}

// typeOf reads a type. Unlike ours, the suite's may be `any` for a value of whichever type.
func (c *specCase) typeOf(expr hcl.Expression) cty.Type {
	c.t.Helper()
	ty, diags := typeexpr.TypeConstraint(expr)
	c.must(diags)
	return ty
}

// spec reads the blocks of a specification that the cases use.
func (c *specCase) spec(body *hclsyntax.Body) (hcldec.Spec, map[string]cty.Value) {
	c.t.Helper()
	variables := map[string]cty.Value{}
	var root hcldec.Spec
	for _, block := range body.Blocks {
		if block.Type != "variables" {
			root = c.specOf(block)
			continue
		}
		for name, a := range block.Body.Attributes {
			v, diags := a.Expr.Value(nil)
			c.must(diags)
			variables[name] = v
		}
	}
	return root, variables
}

func (c *specCase) specOf(b *hclsyntax.Block) hcldec.Spec {
	c.t.Helper()
	name := ""
	if len(b.Labels) > 0 {
		name = b.Labels[0]
	}
	if a, ok := b.Body.Attributes["block_type"]; ok {
		v, diags := a.Expr.Value(nil)
		c.must(diags)
		name = v.AsString()
	}
	nested := func() hcldec.Spec { return c.specOf(b.Body.Blocks[0]) }
	switch b.Type {
	case "object":
		spec := hcldec.ObjectSpec{}
		for _, member := range b.Body.Blocks {
			spec[member.Labels[0]] = c.specOf(member)
		}
		return spec
	case "attr":
		return &hcldec.AttrSpec{Name: name, Type: c.typeOf(b.Body.Attributes["type"].Expr)}
	case "literal":
		v, diags := b.Body.Attributes["value"].Expr.Value(nil)
		c.must(diags)
		return &hcldec.LiteralSpec{Value: v}
	case "block":
		return &hcldec.BlockSpec{TypeName: name, Nested: nested()}
	case "block_list":
		return &hcldec.BlockListSpec{TypeName: name, Nested: nested()}
	case "block_map":
		v, diags := b.Body.Attributes["labels"].Expr.Value(nil)
		c.must(diags)
		var labels []string
		for _, l := range v.AsValueSlice() {
			labels = append(labels, l.AsString())
		}
		return &hcldec.BlockMapSpec{TypeName: name, LabelNames: labels, Nested: nested()}
	default:
		c.t.Fatalf("the suite has a new block, %s", b.Type)
		return nil
	}
}
