package eval

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/containerpub/cpub/sdk/schema"
)

// secretMark marks texts in which the secret of that name stands. Nothing here knows the secret itself: in the text is its name, between
// secretOpen and secretClose. The mark is what counts: such a name in a text without it is only text.
type secretMark string

// What encloses a secret's name: characters that Unicode keeps for a program's own use.
const (
	secretOpen  = "\ufdd0"
	secretClose = "\ufdd1"
)

func secretFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if !ValidSecretName(name) {
				return cty.NilVal, errors.New("the name of a secret has letters, digits and _, at most 128, and does not start with a digit")
			}
			return cty.StringVal(secretOpen + name + secretClose).Mark(secretMark(name)), nil
		},
	})
}

// ValidSecretName tells whether a secret can have that name: that of an environment variable.
func ValidSecretName(name string) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 128
}

// checkSecretCall wants the name of a secret to be written out, so that a pipeline's secrets can be seen in it.
func checkSecretCall(call *hclsyntax.FunctionCallExpr) *hcl.Diagnostic {
	if call.Name != "secret" || len(call.Args) != 1 {
		return nil
	}
	if !call.ExpandFinal && len(call.Args[0].Variables()) == 0 && len(calls(call.Args[0])) == 0 {
		return nil
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Wrong use of secret()",
		Detail: `The name of a secret is written out, such as secret("NPM_TOKEN").`, Subject: call.Args[0].Range().Ptr(),
	}
}

// hasSecret tells whether a secret stands in v, or v was made from one.
func hasSecret(v cty.Value) bool {
	if !v.ContainsMarked() {
		return false
	}
	_, all := v.UnmarkDeepWithPaths()
	return slices.ContainsFunc(all, func(m cty.PathValueMarks) bool { return len(secretsOf(m.Marks)) > 0 })
}

// secretsOf are the names of the secrets that marks tell of, sorted.
func secretsOf(marks cty.ValueMarks) (names []string) {
	for m := range marks {
		if s, ok := m.(secretMark); ok {
			names = append(names, string(s))
		}
	}
	slices.Sort(names)
	return names
}

var (
	errSecretInFunction = errors.New("a secret cannot be given to a function: it stands by itself, or in a template")
	errSecretMisused    = errors.New("it depends on a secret without holding it; a secret stands by itself, or in a template")
)

const secretPlaces = "It is for attributes of steps that take one, such as `env` of container_run."

// misplacedSecret is nil for a value without secrets.
func misplacedSecret(v cty.Value, at hcl.Range) *hcl.Diagnostic {
	if !hasSecret(v) {
		return nil
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Secret in a wrong place", Detail: "A secret cannot stand here. " + secretPlaces, Subject: at.Ptr()}
}

// computedSecret reports what was computed from a secret, and so is none: nothing here knows what it would be.
func computedSecret(v cty.Value, at hcl.Range) *hcl.Diagnostic {
	if t := v.Type(); !v.IsMarked() || t != cty.Bool && t != cty.Number || len(secretsOf(v.Marks())) == 0 {
		return nil
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Secret in an expression",
		Detail: "A secret is known to the step's provider alone, so nothing can be computed from it. It stands by itself, or in a template.", Subject: at.Ptr(),
	}
}

// Secrets takes the secrets out of a value: what is given in their stead are texts for people. The paths of SecretTexts start at v. Other
// marks stay.
func Secrets(v cty.Value) (cty.Value, []schema.SecretText, error) {
	if !v.ContainsMarked() {
		return v, nil, nil
	}
	bare, all := v.UnmarkDeepWithPaths()
	texts := map[string]schema.SecretText{}
	var found []schema.SecretText
	var others []cty.PathValueMarks
	for _, m := range all {
		names := secretsOf(m.Marks)
		if rest := withoutSecrets(m.Marks); len(rest) > 0 {
			others = append(others, cty.PathValueMarks{Path: m.Path, Marks: rest})
		}
		if len(names) == 0 {
			continue
		}
		at, err := m.Path.Apply(bare)
		if err != nil {
			return v, nil, errSecretMisused
		}
		if at.Type() == cty.String && !at.IsKnown() {
			continue
		}
		parts, err := secretParts(at, names)
		if err != nil {
			return v, nil, err
		}
		text := schema.SecretText{Path: pathNames(m.Path), Parts: parts}
		texts[pathKey(m.Path)] = text
		found = append(found, text)
	}
	shown, err := cty.Transform(bare, func(p cty.Path, e cty.Value) (cty.Value, error) {
		if text, ok := texts[pathKey(p)]; ok && e.Type() == cty.String {
			return cty.StringVal(text.String()), nil
		}
		return e, nil
	})
	if err != nil {
		return v, nil, fmt.Errorf("taking the secrets out: %w", err)
	}
	if n := schema.CountParts(found); n > schema.MaxSecretParts {
		return v, nil, fmt.Errorf("the texts with secrets have %d parts; %d are possible", n, schema.MaxSecretParts)
	}
	slices.SortFunc(found, func(a, b schema.SecretText) int { return slices.Compare(a.Path, b.Path) })
	return shown.MarkWithPaths(others), found, nil
}

func withoutSecrets(marks cty.ValueMarks) cty.ValueMarks {
	rest := cty.ValueMarks{}
	for m := range marks {
		if _, ok := m.(secretMark); !ok {
			rest[m] = struct{}{}
		}
	}
	return rest
}

// secretParts takes a text apart at the names of these secrets, each of which must be in it.
func secretParts(v cty.Value, names []string) (parts []schema.SecretPart, err error) {
	if v.Type() != cty.String || v.IsNull() {
		return nil, errSecretMisused
	}
	missing := map[string]bool{}
	for _, n := range names {
		missing[n] = true
	}
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			parts = append(parts, schema.SecretPart{Text: plain.String()})
			plain.Reset()
		}
	}
	for rest := v.AsString(); rest != ""; {
		before, after, _ := strings.Cut(rest, secretOpen)
		plain.WriteString(before)
		name, next, closed := strings.Cut(after, secretClose)
		switch {
		case len(before) == len(rest):
			rest = ""
		case closed && slices.Contains(names, name):
			flush()
			parts = append(parts, schema.SecretPart{Secret: name})
			delete(missing, name)
			rest = next
		default:
			plain.WriteString(secretOpen)
			rest = after
		}
	}
	flush()
	if len(missing) > 0 {
		return nil, errSecretMisused
	}
	return parts, nil
}

// disarmed is a part of a template without what could be taken for the name of a secret, unless it is.
func disarmed(v cty.Value) cty.Value {
	bare, marks := v.Unmark()
	if bare.Type() != cty.String || !bare.IsKnown() || bare.IsNull() || len(secretsOf(marks)) > 0 || !strings.Contains(bare.AsString(), secretOpen) {
		return v
	}
	return cty.StringVal(strings.ReplaceAll(bare.AsString(), secretOpen, "\ufffd")).WithMarks(marks)
}

// pathNames is a path as JSON has it: attributes and keys by name, indexes by number.
func pathNames(p cty.Path) []string {
	names := make([]string, 0, len(p))
	for _, step := range p {
		switch step := step.(type) {
		case cty.GetAttrStep:
			names = append(names, step.Name)
		case cty.IndexStep:
			names = append(names, indexName(step.Key))
		}
	}
	return names
}

func indexName(key cty.Value) string {
	switch {
	case key.Type() == cty.String && key.IsKnown() && !key.IsNull():
		return key.AsString()
	case key.Type() == cty.Number && key.IsKnown() && !key.IsNull():
		return key.AsBigFloat().Text('f', -1)
	default:
		return ""
	}
}

func pathKey(p cty.Path) string { return fmt.Sprintf("%q", pathNames(p)) }

// showSecret writes a text with secrets in HCL's syntax. It reports false for other values.
func showSecret(v cty.Value, most int) (string, bool) {
	bare, marks := v.Unmark()
	names := secretsOf(marks)
	if len(names) == 0 || len(names) < len(marks) || bare.Type() != cty.String || !bare.IsKnown() {
		return "", false
	}
	parts, err := secretParts(bare, names)
	if err != nil {
		return "", false
	}
	if len(parts) == 1 {
		return fmt.Sprintf("secret(%q)", parts[0].Secret), true
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Secret != "" {
			fmt.Fprintf(&b, "${secret(%q)}", p.Secret)
			continue
		}
		text := quote(cut(p.Text, most))
		b.WriteString(text[1 : len(text)-1])
	}
	return `"` + b.String() + `"`, true
}
