package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/zclconf/go-cty/cty"
)

// Problem is what is wrong with one value.
type Problem struct {
	// Path is where: "memory", "build_args.VERSION", "mounts[0].target". Empty for the whole.
	Path    string
	Message string
}

func (p Problem) Error() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// CheckInput reports everything that is wrong with data, JSON, as the input that o describes: attributes that o does not
// have, required ones that are missing or null, values of another type, enum or format. In declared order; unknown ones last.
func (o Object) CheckInput(data []byte) []Problem {
	return (&checker{required: true}).root(o, data)
}

// CheckOutput is CheckInput for outputs, of which none is required, and whose artifacts may still carry their path.
func (o Object) CheckOutput(data []byte) []Problem {
	return (&checker{path: true}).root(o, data)
}

type checker struct {
	required bool // required attributes must be there
	path     bool // artifacts may have a path
	problems []Problem
}

func (c *checker) root(o Object, data []byte) []Problem {
	v, err := DecodeJSON(data)
	if err != nil {
		return []Problem{{Message: err.Error()}}
	}
	c.object(o, "", v)
	return c.problems
}

// DecodeJSON reads one JSON value, with numbers as json.Number, and nothing after it.
func DecodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("not JSON: something follows the value")
	}
	return v, nil
}

// Canonical is the same JSON in its one form: names in order, each once (the last value counts, as everywhere), no space. What decides about an
// input and what carries it out must read the same: decoders of Go differ about a name that stands twice.
func Canonical(data []byte) ([]byte, error) {
	v, err := DecodeJSON(data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

func (c *checker) add(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) object(o Object, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		c.add(path, "an object is needed, not %s", kindOf(v))
		return
	}
	for _, a := range o.Attrs {
		c.attr(a, join(path, a.Name), m[a.Name])
	}
	for _, b := range o.Blocks {
		c.block(b, join(path, b.Name), m[b.Name])
	}
	for _, name := range sortedKeys(m) {
		if o.Attr(name) == nil && o.Block(name) == nil && !unset(m[name]) {
			c.add(join(path, name), "there is no such attribute")
		}
	}
}

// unset tells whether a value says no more than one that was left out. Plans that were checked against a provider with more attributes
// have such values in them.
func unset(v any) bool {
	list, isList := v.([]any)
	dict, isDict := v.(map[string]any)
	return v == nil || isList && len(list) == 0 || isDict && len(dict) == 0
}

func (c *checker) attr(a Attr, path string, v any) {
	if v == nil {
		if a.Required && c.required {
			c.add(path, "a value is needed")
		}
		return
	}
	if a.Located && a.Type == cty.DynamicPseudoType {
		if _, isText := v.(string); !isText {
			c.value(LocatedType, path, v)
		}
		return
	}
	before := len(c.problems)
	c.value(a.Type, path, v)
	text, isText := v.(string)
	if len(c.problems) > before || !isText {
		return
	}
	if len(a.Enum) > 0 && !slices.Contains(a.Enum, text) {
		c.add(path, "%q is none of %q", text, a.Enum)
	}
	if err := a.Format.check(text); err != nil {
		c.add(path, "%s", err)
	}
}

func (f Format) check(text string) (err error) {
	switch f {
	case FormatSize:
		_, err = ParseSize(text)
	case FormatDuration:
		_, err = ParseDuration(text)
	case FormatNone, FormatFile, FormatDirectory, FormatArtifact:
	}
	return err
}

func (c *checker) block(b Block, path string, v any) {
	if v == nil {
		if b.Required && c.required {
			c.add(path, "a block is needed")
		}
		return
	}
	switch b.Nesting {
	case NestingSingle:
		c.object(b.Object, path, v)
	case NestingList:
		c.list(path, v, func(p string, item any) { c.object(b.Object, p, item) })
	case NestingMap:
		c.dict(path, v, func(p string, item any) { c.object(b.Object, p, item) })
	}
}

func (c *checker) list(path string, v any, each func(string, any)) {
	items, ok := v.([]any)
	if !ok {
		c.add(path, "a list is needed, not %s", kindOf(v))
		return
	}
	for i, item := range items {
		each(path+"["+strconv.Itoa(i)+"]", item)
	}
}

func (c *checker) dict(path string, v any, each func(string, any)) {
	m, ok := v.(map[string]any)
	if !ok {
		c.add(path, "a map is needed, not %s", kindOf(v))
		return
	}
	for _, k := range sortedKeys(m) {
		each(join(path, k), m[k])
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
