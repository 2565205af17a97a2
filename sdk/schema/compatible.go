package schema

// Compatible reports what keeps a step that was checked against `want` from being carried out by a provider that has s: attributes
// that went, changed, or became required, of the input; outputs that went or changed. What was added is no problem.
func (s Step) Compatible(want Step) []Problem {
	var problems []Problem
	problems = compatible(problems, "", want.Input, s.Input, true)
	return compatible(problems, "output ", want.Output, s.Output, false)
}

func compatible(problems []Problem, prefix string, want, have Object, input bool) []Problem {
	add := func(name, message string) {
		problems = append(problems, Problem{Path: prefix + name, Message: message})
	}
	for _, w := range want.Attrs {
		h := have.Attr(w.Name)
		switch {
		case h == nil:
			add(w.Name, "the provider has it no longer")
		case !h.Type.Equals(w.Type) || h.Format != w.Format || h.Located != w.Located:
			add(w.Name, "the provider has it with another type")
		case w.Secrets && !h.Secrets:
			add(w.Name, "the provider takes secrets in it no longer")
		case input && h.Required && !w.Required:
			add(w.Name, "the provider now needs it")
		}
	}
	for _, h := range have.Attrs {
		if input && h.Required && want.Attr(h.Name) == nil {
			add(h.Name, "the provider now needs it")
		}
	}
	for _, w := range want.Blocks {
		if h := have.Block(w.Name); h == nil || h.Nesting != w.Nesting {
			add(w.Name, "the provider has this block no longer, or nests it otherwise")
		} else {
			problems = compatible(problems, prefix+w.Name+".", w.Object, h.Object, input)
		}
	}
	for _, h := range have.Blocks {
		if input && h.Required && want.Block(h.Name) == nil {
			add(h.Name, "the provider now needs this block")
		}
	}
	return problems
}
