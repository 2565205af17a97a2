package eval

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// Shape reads values of a schema's type, any number of them: making the type takes longer than reading a value. It does not change.
type Shape struct {
	object schema.Object
	// optional is the type, with every attribute one that may be missing.
	optional cty.Type
	nulls    map[string]cty.Value // every attribute, null
}

// ShapeOf makes the shape of a schema's values.
func ShapeOf(o schema.Object) *Shape {
	s := &Shape{object: o, optional: optional(o.Type()), nulls: map[string]cty.Value{}}
	for name, t := range o.Type().AttributeTypes() {
		s.nulls[name] = cty.NullVal(t)
	}
	return s
}

// Parse reads plain JSON, and gives it the shape's type: attributes that are missing are null, those that the shape does not have are left
// out, sensitive ones are marked.
func (s *Shape) Parse(data json.RawMessage) (cty.Value, error) {
	v, err := FromJSON(data)
	if err != nil {
		return cty.NilVal, fmt.Errorf("reading outputs: %w", err)
	}
	if m := (&meter{}); m.value(v) != nil {
		return cty.NilVal, fmt.Errorf("reading outputs: %w", m.over)
	}
	v, err = convertTo(v, s.optional)
	if err != nil {
		return cty.NilVal, fmt.Errorf("reading outputs: %s", describe(err))
	}
	return markSensitive(s.object, v), nil
}

// Step is what step.NAME means of a step with these outputs, as Parse gives them, and that status.
func (s *Shape) Step(outputs cty.Value, status string) cty.Value {
	attrs := make(map[string]cty.Value, len(s.nulls)+1)
	given := outputs != cty.NilVal && outputs.IsKnown() && !outputs.IsNull() && outputs.Type().IsObjectType()
	for name, null := range s.nulls {
		if attrs[name] = null; given && outputs.Type().HasAttribute(name) {
			attrs[name] = outputs.GetAttr(name)
		}
	}
	attrs["status"] = cty.StringVal(status)
	return cty.ObjectVal(attrs)
}

// Skipped is what step.NAME means of a step without outputs, since it was skipped or failed: every output is null.
func (s *Shape) Skipped(status string) cty.Value { return s.Step(cty.NilVal, status) }
