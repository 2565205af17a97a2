package eval

import "slices"

// Syntax is what may stand in a body, for those who describe the language to editors.
type Syntax struct {
	// Labels is how many labels a block with this body has.
	Labels int
	// Attrs are the attributes; Names those of them whose texts are names in JSON, not templates.
	Attrs, Names []string
	// Ignored are the properties of a JSON object that are left out, beside "//".
	Ignored []string
	// Blocks are the nested blocks by their type.
	Blocks map[string]Syntax
	// Open tells that what is in the body is not known here: it is the author's, or depends on a step type.
	Open bool
}

// ModuleSyntax describes a module's file. A step's body has its meta-arguments alone; the rest is in the schema of its type.
func ModuleSyntax() Syntax { return jsonModule().syntax(0) }

func (s *jsonShape) syntax(labels int) Syntax {
	out := Syntax{Labels: labels, Ignored: s.ignored, Blocks: map[string]Syntax{}, Open: s.grammar == nil}
	if s.grammar == nil {
		return out
	}
	out.Attrs = slices.Clone(s.grammar.attrs)
	for _, name := range s.names {
		if slices.Contains(out.Attrs, name) {
			out.Names = append(out.Names, name)
		}
	}
	for _, name := range s.grammar.blocks {
		if block, ok := s.blocks[name]; ok {
			out.Blocks[name] = block.shape.syntax(block.labels)
		}
	}
	return out
}
