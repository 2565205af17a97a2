package eval

import (
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// placer moves the ranges of what was parsed from a text with escapes to where the text stands in its file. A text without escapes
// has them right already.
type placer struct {
	text *jsonText
	seen map[placed]bool
}

// placed is something that has been moved; a struct and its first field have one address.
type placed struct {
	at uintptr
	ty reflect.Type
}

func (p *placer) diagnostics(diags hcl.Diagnostics) {
	if p.text.places != nil {
		for _, d := range diags {
			p.walk(reflect.ValueOf(&d.Subject))
			p.walk(reflect.ValueOf(&d.Context))
		}
	}
}

func (p *placer) expression(e hclsyntax.Expression) {
	if p.text.places != nil && e != nil {
		p.walk(reflect.ValueOf(e))
	}
}

var rangeType = reflect.TypeFor[hcl.Range]()

// walk goes through all that can be reached and set. hclsyntax has no way to do this, and a syntax tree has ranges in two dozen types.
func (p *placer) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && p.first(v.Pointer(), v.Type()) {
			p.walk(v.Elem())
		}
	case reflect.Interface:
		p.inside(v)
	case reflect.Slice:
		for i := range v.Len() {
			p.walk(v.Index(i))
		}
	case reflect.Struct:
		switch {
		case v.Type() == rangeType:
			p.move(v)
		case v.Type() == reflect.TypeFor[cty.Value](), strings.HasPrefix(v.Type().PkgPath(), "github.com/zclconf/"), v.Type() == reflect.TypeFor[hclsyntax.Operation]():
		default:
			for i := range v.NumField() {
				if v.Field(i).CanSet() {
					p.walk(v.Field(i))
				}
			}
		}
	default:
	}
}

// inside walks what an interface holds. A value (a part of a traversal) is changed as a copy.
func (p *placer) inside(v reflect.Value) {
	if v.IsNil() {
		return
	}
	held := v.Elem()
	if held.Kind() != reflect.Struct || !v.CanSet() {
		p.walk(held)
		return
	}
	changed := reflect.New(held.Type()).Elem()
	changed.Set(held)
	p.walk(changed)
	v.Set(changed)
}

func (p *placer) first(at uintptr, ty reflect.Type) bool {
	key := placed{at, ty}
	again := p.seen[key]
	p.seen[key] = true
	return !again
}

func (p *placer) move(v reflect.Value) {
	r, ok := v.Addr().Interface().(*hcl.Range)
	if !ok || !p.first(v.Addr().Pointer(), rangeType) {
		return
	}
	r.Start, r.End = p.place(r.Start), p.place(r.End)
}

func (p *placer) place(at hcl.Pos) hcl.Pos {
	i := at.Byte - p.text.inner.Start.Byte
	return p.text.places[max(0, min(i, len(p.text.places)-1))]
}
