package schema

import "strconv"

// EachArtifact calls f for every artifact in v, which DecodeJSON gave for a value of o: attributes of FormatFile, FormatDirectory and
// FormatArtifact, one or a collection of them, in nested blocks too. f gets FormatFile or FormatDirectory: of FormatArtifact, what it is. In declared order, the elements of a map by key. It stops at the
// first error of f and returns it. f may change the artifact in place.
func (o Object) EachArtifact(v any, f func(path string, format Format, artifact map[string]any) error) error {
	return o.eachArtifact("", v, f)
}

func (o Object) eachArtifact(path string, v any, f func(string, Format, map[string]any) error) error {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for _, a := range o.Attrs {
		if !a.Format.Holds() {
			continue
		}
		visit := func(p string, item any) error {
			if artifact, ok := item.(map[string]any); ok {
				return f(p, a.Format.kind(artifact), artifact)
			}
			return nil
		}
		single := a.Type.Equals(ArtifactType)
		if err := eachItem(join(path, a.Name), m[a.Name], single, visit); err != nil {
			return err
		}
	}
	for _, b := range o.Blocks {
		visit := func(p string, item any) error { return b.Object.eachArtifact(p, item, f) }
		if err := eachItem(join(path, b.Name), m[b.Name], b.Nesting == NestingSingle, visit); err != nil {
			return err
		}
	}
	return nil
}

// eachItem visits v itself, or the elements of the list or map that it is.
func eachItem(path string, v any, single bool, visit func(string, any) error) error {
	if single {
		return visit(path, v)
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if err := visit(path+"["+strconv.Itoa(i)+"]", item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if err := visit(join(path, k), v[k]); err != nil {
				return err
			}
		}
	}
	return nil
}
