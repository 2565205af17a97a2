package eval

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var settingsGrammar = grammar{what: "a cpub block", attrs: []string{"required_version"}, blocks: []string{"required_providers"}}

// readSettings reads a `cpub` block. required_providers is for installing providers, which this build leaves alone.
func (m *Module) readSettings(block *hclsyntax.Block) hcl.Diagnostics {
	diags := labels(block)
	diags = append(diags, settingsGrammar.check(block.Body)...)
	text, more := literalString(block.Body, "required_version")
	diags = append(diags, more...)
	if text == "" {
		return diags
	}
	at := block.Body.Attributes["required_version"].Expr.Range()
	c, err := parseConstraint(text)
	if err != nil {
		return append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong version constraint", Detail: err.Error(), Subject: at.Ptr()})
	}
	c.Range = at
	m.RequiredVersion = c
	return diags
}

// VersionConstraint is what `required_version` asks for.
type VersionConstraint struct {
	Text  string
	Range hcl.Range
	terms []term
}

type term struct {
	op      string
	version [3]int
	parts   int
}

func parseConstraint(text string) (*VersionConstraint, error) {
	c := &VersionConstraint{Text: text}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		version := strings.TrimSpace(strings.TrimLeft(part, "<>=!~"))
		op := part[:len(part)-len(strings.TrimLeft(part, "<>=!~"))]
		switch op {
		case "", "=", "!=", ">", ">=", "<", "<=", "~>":
		default:
			return nil, fmt.Errorf("%q is not a comparison: use =, !=, >, >=, <, <= or ~>", op)
		}
		v, n, err := parseVersion(version)
		if err != nil {
			return nil, err
		}
		c.terms = append(c.terms, term{op, v, n})
	}
	return c, nil
}

func parseVersion(s string) (v [3]int, parts int, err error) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "-")
	fields := strings.Split(s, ".")
	if len(fields) > 3 {
		return v, 0, fmt.Errorf("%q is not a version: write it as \"1.2.3\"", s)
	}
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 31)
		if err != nil {
			return v, 0, fmt.Errorf("%q is not a version: write it as \"1.2.3\"", s)
		}
		v[i] = int(n)
	}
	return v, len(fields), nil
}

// Allows tells whether a version such as "0.3.1" satisfies the constraint. Versions of another form, such as those of development
// builds, satisfy every one.
func (c *VersionConstraint) Allows(version string) bool {
	v, _, err := parseVersion(version)
	if err != nil {
		return true
	}
	for _, t := range c.terms {
		if !t.allows(v) {
			return false
		}
	}
	return true
}

func (t term) allows(v [3]int) bool {
	cmp := 0
	for i := range v {
		if v[i] != t.version[i] && cmp == 0 {
			cmp = v[i] - t.version[i]
		}
	}
	switch t.op {
	case "!=":
		return cmp != 0
	case ">":
		return cmp > 0
	case ">=":
		return cmp >= 0
	case "<":
		return cmp < 0
	case "<=":
		return cmp <= 0
	case "~>":
		same := true
		for i := range max(t.parts-1, 1) {
			same = same && v[i] == t.version[i]
		}
		return cmp >= 0 && same
	default:
		return cmp == 0
	}
}
